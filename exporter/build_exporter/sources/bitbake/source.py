"""BitBake (Yocto, OpenEmbedded): builds from buildstats and the console log."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from build_exporter.model.names import build_name_from
from build_exporter.sources.bitbake.log import ConsoleRun
from build_exporter.sources.bitbake.run import BuildRun
from build_exporter.sources.bitbake.stats import STATS_NAME, BuildStats
from build_exporter.sources.files import Directory, read_ends
from build_exporter.sources.history import left_out_runs
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent, WithJournal

HISTORY_RUNS: Final = 10
"""Past builds that watching reports to an empty journal; `import` reports all."""

LOG_SUFFIXES: Final = (".log", ".txt", ".out")
"""Name of a console log that does not exist yet; any other missing path is a directory."""

AHEAD_SECONDS: Final = 21600.0
"""BitBake opens its console log at most so long before its build: parsing may take an hour."""

_STAMP: Final = re.compile(r"(\d{14})(?:\.log)?\Z")
_CONSOLE: Final = re.compile(
    r"^NOTE: (?:Executing (?:RunQueue )?Tasks|Running (?:setscene |noexec )?task \d+ of \d+ \(|recipe \S+: task do_)"
    r"|^BB_VERSION +=",
    re.MULTILINE,
)


def stamp_time(name: str) -> float | None:
    """Return the Unix seconds of a name of 14 digits, UTC; None for any other."""
    found = _STAMP.match(name)
    try:
        return float(calendar.timegm(time.strptime(found[1], "%Y%m%d%H%M%S"))) if found else None
    except (ValueError, OverflowError):
        return None


def find_temporary(path: Path) -> Path:
    """Return BitBake's tmp directory that a path means: itself, that of a build directory, or where buildstats are."""
    if path.name == "buildstats":
        return path.parent
    if path.parent.name == "buildstats" and (path / STATS_NAME).is_file():
        return path.parent.parent
    for candidate in (path, path / "tmp", *sorted(path.glob("tmp-*"))[:3], path / "build" / "tmp"):
        if (candidate / "buildstats").is_dir() or (candidate / "log" / "cooker").is_dir():
            return candidate
    return path if path.name == "tmp" else path / "tmp"


class BitBake(WithJournal):
    """Follows a build directory, or one console log; see `docs/sources/bitbake.md`."""

    kind = "bitbake"

    def __init__(self, settings: Settings) -> None:
        path = self._path = settings.path.absolute()
        is_log = path.is_file() or (path.suffix in LOG_SUFFIXES and not path.is_dir())
        temporary = path.parent if is_log else find_temporary(path)
        self.build = settings.build or (_log_name(path) if is_log else _directory_name(temporary))
        self._log = ConsoleRun(path, self.build) if is_log else None
        self._only = path if path.parent.name == "buildstats" and (path / STATS_NAME).is_file() else None
        self._stamps = Directory(temporary / "buildstats")
        self._cooker = temporary / "log" / "cooker"
        self._runs: dict[str, BuildRun] = {}
        self._closed: set[str] = set()
        self._logs: dict[Path, ConsoleRun] = {}
        self._is_first = True

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is or has buildstats or a cooker's logs, or is a console log of BitBake."""
        if path.is_dir():
            temporary = find_temporary(path)
            return (temporary / "buildstats").is_dir() or (temporary / "log" / "cooker").is_dir()
        try:
            return _CONSOLE.search(read_ends(path, 64 * 1024, 0).head) is not None
        except OSError:
            return False

    @property
    def bytes_read(self) -> int:
        """Bytes read so far of builds still followed."""
        return sum(run.bytes_read for run in self._runs.values())

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Return what is new; see `Source`.

        Raises:
            SourceError: neither buildstats nor a log can be read, or not all of them; the rest has been emitted then.
        """
        if self._log is not None:
            yield from self._log.poll(now, over=over)
            return
        try:
            self._find_builds()
        except OSError as error:
            if self._runs or self._closed or not isinstance(error, FileNotFoundError):
                # what went before is known by its buildstats; the console log would report it as something else
                raise SourceError(f"{self._stamps.path}: {error.strerror or error}") from error
            yield from self._read_logs(error, now, over=over)
            return
        self._find_runs(over=over)
        newest = max(self._runs, key=lambda name: self._runs[name].start, default=None)
        for name, run in sorted(self._runs.items(), key=lambda item: item[1].start):
            with suppress(FileNotFoundError):
                yield from run.poll(now, over=over or name != newest)
            if run.is_over and (name != newest or run.stats.ended is not None):
                self._closed.add(name)
        denied = {path: why for run in self._runs.values() for path, why in run.stats.denied.items()}
        for name in self._closed & self._runs.keys():
            del self._runs[name]
        if denied:
            path, why = next(iter(denied.items()))
            raise SourceError(f"{len(denied)} files can't be read, among them {path}: {why}")

    def _find_builds(self) -> None:
        try:
            self._stamps.poll()
        except FileNotFoundError:
            # a directory BitBake has not filled yet: it may be the other of its forms
            temporary = find_temporary(self._path)
            if temporary / "buildstats" == self._stamps.path:
                raise
            self._stamps, self._cooker = Directory(temporary / "buildstats"), temporary / "log" / "cooker"
            self._stamps.poll()

    def _find_runs(self, *, over: bool) -> None:
        fresh: dict[str, tuple[float, BuildStats]] = {}
        wanted = {self._only.name} if self._only is not None else self._stamps.names
        for name in wanted - self._closed - self._runs.keys():
            start = run_start(self._stamps.path / name)
            if start is not None:
                fresh[name] = (start, BuildStats(self._stamps.path / name))
        if self._is_first and not over:
            past = ((start, name) for name, (start, _) in fresh.items())
            self._closed.update(left_out_runs(past, HISTORY_RUNS, self._journal, self.build))
            fresh = {name: each for name, each in fresh.items() if name not in self._closed}
        self._is_first = False
        if not fresh:
            return
        logs = self._console_logs()
        starts = sorted({start for name in self._stamps.names if (start := run_start(self._stamps.path / name))})
        for name, (start, stats) in fresh.items():
            log = _log_of(start, starts, logs)
            self._runs[name] = BuildRun(self.build, start, stats, log, log.parent.name if log is not None else None)

    def _console_logs(self) -> list[tuple[float, Path]]:
        found: list[tuple[float, Path]] = []
        for path in self._cooker.glob("*/*.log"):
            began = stamp_time(path.name)
            if began is not None and not path.is_symlink():
                found.append((began, path))
        return sorted(found)

    def _read_logs(self, error: OSError, now: float, *, over: bool) -> Iterator[SourceEvent]:
        """Yield the events of console logs for builds without buildstats."""
        logs = self._console_logs()
        if not logs:
            raise SourceError(f"{self._stamps.path}: {error.strerror or error}") from error
        for _, path in logs if over else logs[-1:]:
            run = self._logs.setdefault(path, ConsoleRun(path, self.build))
            yield from run.poll(now, over=over)


def run_start(path: Path) -> float | None:
    """Return when the build of a buildstats directory began, to the second; None where it is none."""
    try:
        found = re.search(
            r"^Build Started: (\d{9,10})\.?\d* *$", read_ends(path / STATS_NAME, 4096, 0).head, re.MULTILINE
        )
    except OSError:
        return None
    return float(found[1]) if found is not None else None


def _log_of(start: float, starts: list[float], logs: list[tuple[float, Path]]) -> Path | None:
    """Return the console log of the build that began at `start`: the newest opened before, if no other build's."""
    opened = [(began, path) for began, path in logs if start - AHEAD_SECONDS <= began <= start + 5]
    if not opened:
        return None
    began, path = opened[-1]
    return None if any(began - 5 <= other < start for other in starts) else path


def _directory_name(temporary: Path) -> str:
    build = temporary.parent
    return build_name_from(f"bitbake-{build.name if build.name not in ('build', '') else build.parent.name}")


def _log_name(path: Path) -> str:
    machine = path.resolve().parent
    return build_name_from(f"bitbake-{machine.name if machine.parent.name == 'cooker' else path.stem}")
