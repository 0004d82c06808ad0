"""Convert command-line arguments (kind, path and options) into a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.sources.plugins import PluginKind
from build_exporter.sources.protocol import Settings, Source
from build_exporter.sources.registry import Kind, kinds, recognise
from build_exporter.sources.step_logs.expected_failures import ExpectedFailures

Given = Sequence[tuple[str, str]]
"""Options as a command line gives them: names and values."""

_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
"""How files begin that a log rotation has compressed, and by what."""


def expected_failures(config: Config) -> ExpectedFailures:
    """Return the tests that are known to fail: the shipped lists and those of the configuration."""
    return ExpectedFailures(config.tests.expected_failures, config.tests.uncounted)


def find_kind(name: str, path: Path) -> Kind | PluginKind:
    """Return the kind of that name; for `auto` the one that knows the record.

    Raises:
        click.UsageError: there is none, or the record is compressed and no plug-in's.
    """
    known = kinds()
    found = recognise(path) if name == "auto" else known.get(name)
    if isinstance(found, PluginKind):
        return found
    if (found is not None or name == "auto") and (tool := _compressed_by(path)):
        raise click.UsageError(f"{path} is compressed by {tool}; records are read as their tool writes them: unpack it")
    if found is not None:
        return found
    there_are = f"kinds: auto, {', '.join(sorted(known))}"
    if name == "auto" and not path.exists():
        raise click.UsageError(f"{path} is not there yet, so its kind must be named; {there_are}")
    if name == "auto":
        raise click.UsageError(f"{path} is no known kind of record; {there_are}")
    nearest = get_close_matches(name[:100], known, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise click.UsageError(f"there is no kind {name!r}; {guess}{there_are}")


def _compressed_by(path: Path) -> str:
    """Return the name of the program that has compressed a file, empty for every other path."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            head = file.read(6)
    except OSError:
        return ""
    return next((tool for magic, tool in _COMPRESSED.items() if head.startswith(magic)), "")


def checked_options(kind: Kind | PluginKind, given: Given) -> Mapping[str, Any]:
    """Return a kind's options with the values given, the others as they are by default.

    Raises:
        click.UsageError: the kind has no such option, needs one that is not given, or a value is wrong.
    """
    form = kind.options()
    if form is None:
        return dict(given)
    if given and not form.__struct_fields__:
        raise click.UsageError(f"kind {kind.name} has no options")
    from build_exporter.config.load import read_options  # noqa: PLC0415 - only where a source has options

    try:
        return msgspec.structs.asdict(read_options(form, given, f"kind {kind.name}"))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def pair(text: str, flag: str) -> tuple[str, str]:
    """Return the name and value of `NAME=VALUE`; the value may hold any character.

    Raises:
        click.UsageError: it is no such pair.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"{flag}, not {text!r}")
    return name, value


def watched_sources(config: Config, watched: Sequence[str], options: Sequence[str]) -> Iterator[Source]:
    """Yield the sources of the configuration and of the command line.

    Args:
        config: the configuration.
        watched: `KIND=PATH` each.
        options: `KIND.NAME=VALUE` each, for every record of the kind on the command line.

    Raises:
        click.UsageError: one of them can't be.
    """
    for each in config.sources:
        path = Path(each.path)
        yield find_kind(each.kind, path).make(Settings(path, each.build, each.chosen()))
    given = [pair(text, "--watch-option takes KIND.NAME=VALUE") for text in options]
    used: set[str] = set()
    for text in watched:
        name, value = pair(text, f"--watch takes KIND=PATH with one of auto, {', '.join(sorted(kinds()))}")
        if not value:
            raise click.UsageError(f"--watch takes KIND=PATH, not {text!r}")
        kind = find_kind(name, Path(value))
        used.add(kind.name)
        mine = [(key.partition(".")[2], chosen) for key, chosen in given if key.partition(".")[0] == kind.name]
        yield kind.make(Settings(Path(value), options=checked_options(kind, mine)))
    for key, _ in given:
        if key.partition(".")[0] not in used:
            raise click.UsageError(f"--watch-option {key}: no --watch is of kind {key.partition('.')[0]!r}")
