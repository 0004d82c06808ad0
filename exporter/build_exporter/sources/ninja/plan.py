"""Edges that the default targets of a build.ninja need. The file is read, never run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from build_exporter.sources.files import open_regular

MAX_BYTES: Final = 64 * 1024 * 1024
"""Most that is read of all files together; LLVM's have some 10 MB. Nothing is known of larger ones."""

MAX_FILES: Final = 5000
MAX_VARIABLES: Final = 10_000
_CHUNK: Final = 4 * 1024 * 1024

_NEVER_ASKED: Final = frozenset((b"phony", b"CLEAN", b"HELP", b"RERUN_CMAKE", b"REGENERATE_BUILD"))
"""Rules of edges that run nothing, or that CMake and Meson make for no build: cleaning, listing, making build.ninja."""

_REST: Final = rb"((?:[^\n$]|\$[^\n]|\$\n)*)"
_EDGE: Final = re.compile(rb"^build ((?:[^:\n$]|\$[^\n]|\$\n)*): *(\S+)" + _REST, re.MULTILINE)
_DEFAULT: Final = re.compile(rb"^default " + _REST, re.MULTILINE)
_INCLUDE: Final = re.compile(rb"^(?:subninja|include) +(\S[^\n]*?) *$", re.MULTILINE)
_VARIABLE: Final = re.compile(rb"^(\w+) *= *([^\n$]*)$", re.MULTILINE)
_ESCAPE: Final = re.compile(rb"\$([ :$])|\$\n *|\$\{(\w+)\}|\$(\w+)")


class _Edge(NamedTuple):
    outputs: list[str]
    rule: bytes
    inputs: list[str]


def needed_outputs(build_file: Path) -> list[str]:
    """Return the first output of each edge that the default targets need and that has something to run.

    Where no default is named every edge is taken for needed, but those CMake and Meson make for what no build asks
    for, as installing and testing. Empty where it is unknown.
    """
    try:
        files = _read_all(build_file)
    except OSError:
        return []
    variables: dict[bytes, bytes] = {}
    for data in files:
        for name, value in _VARIABLE.findall(data):
            if len(variables) < MAX_VARIABLES:
                variables[name] = value
    edges = [
        _Edge(_paths(outputs, variables), rule, _paths(inputs, variables))
        for data in files
        for outputs, rule, inputs in _EDGE.findall(data)
    ]
    targets = [target for data in files for rest in _DEFAULT.findall(data) for target in _paths(rest, variables)]
    needed = _reached(edges, targets) if targets else edges
    return [edge.outputs[0] for edge in needed if edge.outputs and _is_asked(edge)]


def _is_asked(edge: _Edge) -> bool:
    first = edge.outputs[0]
    return edge.rule not in _NEVER_ASKED and not first.endswith(".util") and not first.startswith("meson-internal__")


def _reached(edges: list[_Edge], targets: list[str]) -> list[_Edge]:
    """Return the edges that targets need, each once."""
    makers = {output: number for number, edge in enumerate(edges) for output in edge.outputs}
    waiting = [makers[target] for target in targets if target in makers]
    found = set(waiting)
    while waiting:
        for name in edges[waiting.pop()].inputs:
            number = makers.get(name)
            if number is not None and number not in found:
                found.add(number)
                waiting.append(number)
    return [edges[number] for number in sorted(found)]


def _paths(text: bytes, variables: dict[bytes, bytes]) -> list[str]:
    """Return the paths of a list, what separates explicit from implicit ones left out."""

    def expand(found: re.Match[bytes]) -> bytes:
        if found[1] is not None:
            return b"\0" if found[1] == b" " else bytes(found[1])
        name = found[2] or found[3]
        return variables.get(name, b"") if name else b" "

    parts = _ESCAPE.sub(expand, text).split() if b"$" in text else text.split()
    return [part.replace(b"\0", b" ").decode("utf-8", "replace") for part in parts if part not in (b"|", b"||", b"|@")]


def _read_all(build_file: Path) -> list[bytes]:
    """Return the contents of a build.ninja and of what it includes.

    Raises:
        OSError: one can't be read, or together they are too large.
    """
    files: list[bytes] = []
    waiting, seen, left = [build_file], {build_file}, MAX_BYTES
    while waiting:
        data = _read(waiting.pop(), left)
        left -= len(data)
        files.append(data)
        if left <= 0 or len(seen) > MAX_FILES:
            raise OSError(f"{build_file}: too large")
        for name in _INCLUDE.findall(data):
            other = build_file.parent / " ".join(_paths(name, {}))
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return files


def _read(path: Path, most: int) -> bytes:
    descriptor = open_regular(path)
    try:
        parts: list[bytes] = []
        got = 0
        while got < most and (part := os.read(descriptor, min(_CHUNK, most - got))):
            parts.append(part)
            got += len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)
