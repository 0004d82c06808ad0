"""Convert command-line arguments (kind, path and options) into a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from build_exporter.config.kinds import AUTO
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.config.schema import Source as RecordConfig
from build_exporter.model.names import build_name_from
from build_exporter.sources.plugins import PluginKind
from build_exporter.sources.protocol import Settings, Source
from build_exporter.sources.registry import Kind, kinds, recognise
from build_exporter.sources.step_logs.expected_failures import ExpectedFailures

Given = Sequence[tuple[str, str]]
"""Options as a command line gives them: names and values."""

_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
"""First bytes of compressed files, and the program that compressed them."""


def expected_failures(config: Config) -> ExpectedFailures:
    """Return the tests that are known to fail: the shipped lists and those of the configuration."""
    return ExpectedFailures(config.tests.expected_failures, config.tests.uncounted)


def find_kind(name: str, path: Path) -> Kind | PluginKind:
    """Return the kind of that name; for `auto` the one that knows the record.

    Raises:
        click.UsageError: there is none, or the record is compressed and no plug-in's.
    """
    found = recognise(path) if name == AUTO else known_kind(name)
    if isinstance(found, PluginKind):
        return found
    if tool := _compressed_by(path):
        raise click.UsageError(f"{path} is compressed by {tool}; records are read as their tool writes them: unpack it")
    if found is not None:
        return found
    if not path.exists():
        raise click.UsageError(f"{path} is not there yet, so its kind must be named; {_names()}")
    raise click.UsageError(f"{path} is no known kind of record; {_names()}")


def known_kind(name: str) -> Kind | PluginKind:
    """Return the kind of that name.

    Raises:
        click.UsageError: there is none.
    """
    known = kinds()
    if name in known:
        return known[name]
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    nearest = get_close_matches(name[:100], known, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise click.UsageError(f"there is no kind {name!r}; {guess}{_names()}")


def _names() -> str:
    return f"kinds: {AUTO}, {', '.join(sorted(kinds()))}"


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


@dataclass(frozen=True, slots=True)
class Watched:
    """A record to watch: a label for it, and what makes its source. Only that looks at the record, which may block."""

    label: str
    make: Callable[[], Source]
    path: Path


class WatchedSources:
    """The sources of the configuration and of the command line.

    Args:
        config: the configuration.
        watched: `KIND=PATH` each.
        options: `KIND.NAME=VALUE` each, for every record of the kind on the command line.

    Attributes:
        rows: a row for each.

    Raises:
        click.UsageError: one of them can't be, whatever its record is.
    """

    def __init__(self, config: Config, watched: Sequence[str], options: Sequence[str]) -> None:
        self._given = [pair(text, "--watch-option takes KIND.NAME=VALUE") for text in options]
        self._used: set[str] = set()
        self.rows = [self._configured(each) for each in config.sources]
        self.rows += [self._named(text) for text in watched]

    def check_options(self) -> None:
        """Check that each option is of a kind that is watched; all the sources have been made.

        Raises:
            click.UsageError: one is not.
        """
        for key, _ in self._given:
            if key.partition(".")[0] not in self._used:
                raise click.UsageError(f"--watch-option {key}: no --watch is of kind {key.partition('.')[0]!r}")

    def _configured(self, row: RecordConfig) -> Watched:
        path = Path(row.path)
        _load(row.kind)

        def make() -> Source:
            return find_kind(row.kind, path).make(Settings(path, row.build, row.chosen()))

        return Watched(f"{row.kind}/{row.build or build_name_from(path.name)}", make, path)

    def _named(self, text: str) -> Watched:
        name, value = pair(text, f"--watch takes KIND=PATH with one of {AUTO}, {', '.join(sorted(kinds()))}")
        if not value:
            raise click.UsageError(f"--watch takes KIND=PATH, not {text!r}")
        path = Path(value)
        if (known := _load(name)) is not None:
            self._options(known)

        def make() -> Source:
            kind = find_kind(name, path)
            return kind.make(Settings(path, options=self._options(kind)))

        return Watched(f"{name}/{build_name_from(path.name)}", make, path)

    def _options(self, kind: Kind | PluginKind) -> Mapping[str, Any]:
        self._used.add(kind.name)
        mine = [(key.partition(".")[2], value) for key, value in self._given if key.partition(".")[0] == kind.name]
        return checked_options(kind, mine)


def _load(name: str) -> Kind | PluginKind | None:
    """Load the modules of a kind, for `auto` of every kind, and return the kind, None for `auto`."""
    if name != AUTO:
        kind = known_kind(name)
        kind.options()
        return kind
    for each in kinds().values():
        each.options()
    return None
