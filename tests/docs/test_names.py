"""What the pages name is there: commands, options, metrics, events and configuration keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import click
import msgspec
import pytest
from pages import pages

from build_exporter.catalog import CATALOG
from build_exporter.cli import main
from build_exporter.config.schema import Config
from build_exporter.model.events import EVENT_NAMES

_BLOCK: Final = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_COMMAND: Final = re.compile(r"(?:^|[\s(/\"'])build-exporter((?: +[^\s#|;&)`\"]\S*)+)", re.MULTILINE)
_NO_METRICS: Final = {*EVENT_NAMES, "build_exporter", "build_name_from"}
"""Events, the package, and a function of the plug-in interface."""


def code_of(page: Path) -> Iterator[str]:
    """Yield what a page sets as code: its blocks, joined over continued lines, and its spans."""
    text = page.read_text()
    for block in _BLOCK.findall(text):
        yield block.replace("\\\n", " ")
    yield from _SPAN.findall(_BLOCK.sub("", text))


def unknown_words(words: list[str]) -> Iterator[str]:
    """Yield what of a command line is no command and no option of it."""
    command: click.Command = main
    context = click.Context(main)
    options = {option for each in main.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    for word in words:
        if word == "--":
            return
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            if name not in options and not name[1:].isdigit():
                yield f"{' '.join(words)}: {name}"
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                if re.fullmatch(r"[a-z][a-z-]+", word):
                    yield f"{' '.join(words)}: {word}"
                return
            command = found
            options |= {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


def config_keys(kind: type = Config, before: str = "") -> Iterator[str]:
    """Yield every configuration key with those above it, `alerting.fast_path`; below a mapping any name goes."""
    for field in msgspec.structs.fields(kind):
        key = f"{before}{field.encode_name}"
        yield key
        for inner in (field.type, *get_args(field.type), *(a for each in get_args(field.type) for a in get_args(each))):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                yield from config_keys(inner, f"{key}.")


@pytest.mark.parametrize("what", ["commands", "metrics", "keys"])
def test_what_pages_name_is_there(repository: Path, what: str) -> None:
    """Whoever types a command, asks for a metric or sets a key that a page names finds that there is one."""
    known = set(CATALOG)
    keys = set(config_keys())
    wrong: dict[str, list[str]] = {}
    for page in pages(repository):
        found: list[str] = []
        for code in code_of(page):
            if what == "commands":
                for words in _COMMAND.findall(code):
                    found += unknown_words(_split(words))
            elif what == "metrics" and (name := re.fullmatch(r"(build_[a-z0-9_]+[a-z0-9])(?:\{.*\})?", code)):
                base = re.sub(r"_(?:bucket|sum|count)$", "", name[1])
                found += [name[1]] if not {name[1], base} & (known | _NO_METRICS) else []
            elif what == "keys" and re.fullmatch(r"[a-z_]+(?:\.(?!yml$)[a-z_]+)+", code):
                found += [code] if code.partition(".")[0] in keys and code not in keys else []
        if found:
            wrong[str(page.relative_to(repository))] = found
    assert wrong == {}


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError:
        return words.split()
