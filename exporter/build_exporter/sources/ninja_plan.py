"""How many edges a build.ninja has, and which: counted, never run. It may be made of several files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from build_exporter.sources.reading import open_regular

MAX_BYTES: Final = 256 * 1024 * 1024
"""Most that is read of all files together: Chromium's are some 100 MB."""

MAX_FILES: Final = 5000
_CHUNK: Final = 4 * 1024 * 1024

_NEVER_ASKED: Final = frozenset((b"phony", b"CLEAN", b"HELP", b"RERUN_CMAKE", b"REGENERATE_BUILD"))
"""Rules of edges that run nothing, or that CMake and Meson make for no build: cleaning, listing, making build.ninja."""

_EDGE: Final = re.compile(rb"^build ((?:[^:\n$]|\$.|\$\n)*): *(\S+)", re.MULTILINE)
_INCLUDE: Final = re.compile(rb"^(?:subninja|include) +(\S[^\n]*?) *$", re.MULTILINE)
_ESCAPE: Final = re.compile(rb"\$([ :$])|\$\n *")


def first_outputs(build_file: Path) -> list[str]:
    """Return the first output of each edge that has something to run; empty where that can't be told.

    Left out are `phony` edges, and those CMake and Meson make for what no build asks for, as installing and testing.
    """
    found: list[str] = []
    waiting, seen, left = [build_file], {build_file}, MAX_BYTES
    while waiting:
        path = waiting.pop()
        try:
            data = _read(path, left)
        except OSError:
            return []
        left -= len(data)
        if left <= 0 or len(seen) > MAX_FILES:
            return []
        for outputs, rule in _EDGE.findall(data):
            first = _first(outputs)
            if rule not in _NEVER_ASKED and not first.endswith(".util") and not first.startswith("meson-internal__"):
                found.append(first)
        for name in _INCLUDE.findall(data):
            other = build_file.parent / os.fsdecode(_ESCAPE.sub(rb"\1", name))
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return found


def _first(outputs: bytes) -> str:
    masked = _ESCAPE.sub(lambda found: b"\0" if found[1] == b" " else found[1] or b" ", outputs).strip()
    return masked.split(b" ")[0].replace(b"\0", b" ").decode("utf-8", "replace")


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
