"""Buildroot: builds from build-time.log, stamps and `make show-info`."""

from __future__ import annotations

import math
import os.path
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

from build_exporter.config.section import Section, about
from build_exporter.model.events import Plan
from build_exporter.model.names import build_name_from
from build_exporter.sources.buildroot.console import Cause, Console, explain
from build_exporter.sources.buildroot.log import AFTERWARDS, PAUSE_SECONDS, BuildTimeLog, Key, WorkSession, read_line
from build_exporter.sources.buildroot.plan import ShowInfo, planned_steps
from build_exporter.sources.files import Limits, TailFile, read_ends
from build_exporter.sources.history import left_out_runs
from build_exporter.sources.idle import IdleTimer
from build_exporter.sources.implausible import EARLIEST
from build_exporter.sources.make_process import Closed, MakeWatch
from build_exporter.sources.protocol import BuildContext, Settings, SourceError, SourceEvent, WithJournal

LOG_NAME: Final = "build-time.log"
SHOW_INFO_NAME: Final = "show-info.json"
CONSOLE_NAME: Final = "br.log"

LAST_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of a log, from its end; a whole build makes some 100 KB."""

HISTORY_RUNS: Final = 50
"""Past runs that watching reports to an empty journal, as many as are kept; `import` reports all."""

LONGEST_SECONDS: Final = 86400.0
"""A step may take long on a small machine; a log that nothing was added to for longer is nobody's any more."""

_DEFCONFIG: Final = re.compile(r'^BR2_DEFCONFIG="(?:[^"\n]*/)?([^"/\n]+?)(?:_?defconfig)"', re.MULTILINE)
_WRAPPED: Final = re.compile(r"^MAKEARGS\s*:?=\s*-C\s+(/\S+)", re.MULTILINE)


def find_log(path: Path) -> Path:
    """Return the log that a path means: itself, or that of an output directory, or of Buildroot's own."""
    for candidate in (path / "build" / LOG_NAME, path / LOG_NAME, path / "output/build" / LOG_NAME):
        if candidate.is_file():
            return candidate
    if not path.is_dir():
        return path
    inside = path / "output" if (path / "output").is_dir() else path
    return inside / "build" / LOG_NAME


class Options(Section, frozen=True):
    """Options of the source."""

    show_info: Annotated[
        str | None, about("Output of `make show-info`; by default `show-info.json` in the output directory.", "path")
    ] = None
    console: Annotated[
        str | None,
        about("What make printed, for why steps failed; by default `br.log`, as `utils/brmake` calls it.", "path"),
    ] = None
    pause: Annotated[
        float,
        about(
            "Nothing done for longer than this: what comes next is another run.",
            "seconds",
            within=(1, None),
        ),
    ] = PAUSE_SECONDS


class Buildroot(WithJournal):
    """Reads build-time.log; see `docs/sources/buildroot.md`.

    Attributes:
        tail: the log's reader.
    """

    kind = "buildroot"
    Options = Options

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pause = float(settings.options.get("pause") or PAUSE_SECONDS)
        self._locate(find_log(settings.path))

    def _locate(self, path: Path) -> None:
        log = path.absolute()
        self._output = log.parent.parent if log.parent.name == "build" else None
        self._defconfig = _defconfig(self._output)
        self.build = self._settings.build or _build_name(self._output, self._defconfig)
        self.tail = TailFile(log, Limits(last=LAST_BYTES))
        self._idle = IdleTimer()
        info = self._settings.options.get("show_info")
        self._info = ShowInfo(Path(str(info)) if info else self._output / SHOW_INFO_NAME if self._output else None)
        self._make = _watch(self._output)
        self._console = Console(_consoles(self._settings, self._output))
        self._causes: list[Cause] = []
        self._begin()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is, or has, a build-time.log."""
        log = find_log(path)
        try:
            head = read_ends(log, 4096, 0).head
        except OSError:
            return False
        return any(read_line(line) is not None for line in head.splitlines())

    def build_context(self) -> BuildContext:
        """Return where the tools for the target are installed, and which make builds."""
        pid = self._make.pid if self._make is not None else None
        tools = self._output / "host" if self._output is not None else None
        return BuildContext(cross_tools=tools, pids=(pid,) if pid is not None else ())

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Return what is new; see `Source`.

        Raises:
            SourceError: the log can't be read.
        """
        if not self._log.newest and not self.tail.path.is_file():
            # the directory was not there yet, or not filled
            self._locate(find_log(self._settings.path))
        if self._make is not None and not over:
            self._make.poll(now)
        # first what is printed of a failure: a step can't have ended before
        causes = self._console.poll()
        self._read(now, dated := deque(cause for cause in causes if cause.time is not None))
        self._fail_until(math.inf, dated)
        if over or self._is_over(now):
            self._log.end(is_cut=over and bool(self.tail.torn))
        self._causes = explain(self._log.out, self._causes + causes, self._console)
        if not over:
            self._limit_history()
        return iter(list(self._with_plan(has_new_plan=self._info.poll())))

    def _begin(self) -> None:
        self._log = BuildTimeLog(self.build, self._pause, self._defconfig)
        self._is_first = True
        self._skipped: set[WorkSession] = set()
        self._planned: WorkSession | None = None

    def _read(self, now: float, causes: deque[Cause]) -> None:
        more = True
        while more:
            try:
                found = self.tail.read()
            except OSError as error:
                raise SourceError(f"{self.tail.path}: {error.strerror or error}") from error
            entries = [entry for line in found.lines if (entry := read_line(line)) is not None]
            latest = self.tail.latest(now)
            if found.from_start and entries and entries[0].time <= self._log.newest:
                # not a new one after `make clean`, but this one written again
                self._begin()
            for entry in entries:
                if EARLIEST <= entry.time <= latest:
                    # dates in a console are of whole seconds
                    self._fail_until(entry.time - 1, causes)
                    self._log.feed(entry)
                else:
                    self._log.leave_out(entry.time)
            more = found.more

    def _fail_until(self, moment: float, causes: deque[Cause]) -> None:
        """Let steps fail that make gave up before a moment: it may wait for others, or have no step for it."""
        while causes and (time := causes[0].time or 0.0) <= moment:
            cause, session = causes.popleft(), self._log.current
            if session is None or time < int(session.clock):
                continue
            if cause.phase == AFTERWARDS:
                self._log.fail((AFTERWARDS, cause.directory), time)
            elif (key := cause.step_of({*session.open, *session.lost})) is not None:
                self._log.fail(key, time)

    def _is_over(self, now: float) -> bool:
        """Return whether nothing more will come: no make is at work, or nothing was done for long."""
        session = self._log.current
        if session is None or session.is_over:
            return False
        try:
            written = self.tail.path.stat().st_mtime
        except OSError:
            return False
        silent = self._idle.seconds(now, written)
        if self._make is not None and self._make.pid is not None:
            return False
        if not session.open and silent > self._pause:
            return True
        closed = self._make.closed(now, written) if self._make is not None else None
        if closed is not None:
            return closed is not Closed.SILENT or not session.open or silent > LONGEST_SECONDS
        return silent > LONGEST_SECONDS

    def _limit_history(self) -> None:
        if self._is_first:
            self._is_first = False
            past = ((session.start, session) for session in {session for session, _ in self._log.out})
            self._skipped = set(left_out_runs(past, HISTORY_RUNS, self._journal, self.build))

    def _with_plan(self, *, has_new_plan: bool) -> Iterator[SourceEvent]:
        out, self._log.out = self._log.out, []
        current = self._log.current
        for session, event in out:
            if session in self._skipped:
                continue
            yield SourceEvent(session.start, event)
            if session is current and self._planned is not session:
                self._planned = session
                has_new_plan = False
                yield from self._plan(session)
        if has_new_plan and current is not None and not current.is_over:
            yield from self._plan(current)

    def _plan(self, session: WorkSession) -> Iterator[SourceEvent]:
        packages = self._info.packages
        stamped: set[Key] = set()
        if self._output is not None:
            for package in packages:
                stamped.update((step, package.name) for step in package.stamped(self._output / "build"))
        seen = {phase for phase, _ in self._log.done}

        def is_wanted(key: Key) -> bool:
            if key in session.done or key in session.open or key in session.failed:
                return True
            if key[0] == "download" and seen and "download" not in seen:
                # older trees do not log it
                return False
            return key not in self._log.done and key not in stamped

        steps = planned_steps(packages, is_wanted, lambda key: self._log.expected(key, session.mark))
        if steps:
            yield SourceEvent(session.start, Plan(time=session.start, build=self.build, steps=steps))


def _defconfig(output: Path | None) -> str:
    """Return the name in `.config`: without `O=` that is not in the output directory, but in Buildroot's own."""
    if output is None:
        return ""
    for directory in (output, output.parent) if output.name == "output" else (output,):
        with suppress(OSError):
            found = _DEFCONFIG.search(read_ends(directory / ".config", 1024 * 1024, 0).head)
            if found is not None:
                return found[1]
    return ""


def _build_name(output: Path | None, defconfig: str) -> str:
    if defconfig:
        return build_name_from(f"buildroot-{defconfig}")
    names = (output.name, output.parent.name) if output is not None else ()
    return build_name_from(next((name for name in names if name.startswith("buildroot")), "buildroot"))


def _consoles(settings: Settings, output: Path | None) -> list[Path]:
    """Return where the output of make may be: the path given, or as `utils/brmake` calls it."""
    if given := settings.options.get("console"):
        return [Path(str(given))]
    return [output / CONSOLE_NAME, output.parent / CONSOLE_NAME] if output is not None else []


def _watch(output: Path | None) -> MakeWatch | None:
    """Return a watch on the directory Buildroot's make works in; None where that is not certain."""
    if output is None:
        return None
    tops = [output.parent]
    # an output directory elsewhere holds a Makefile that leads back
    with suppress(OSError):
        tops[:0] = [Path(top) for top in _WRAPPED.findall(read_ends(output / "Makefile", 65536, 0).head)]
    found = next((top for top in tops if (top / "Config.in").is_file() and (top / "package").is_dir()), None)
    return MakeWatch(found, accepts=lambda words: _builds(words, found, output)) if found is not None else None


def _builds(words: list[bytes], top: Path, output: Path) -> bool:
    """Return whether a make called in Buildroot's directory with these words builds in the output directory."""
    given = [Path(os.fsdecode(word[2:])) for word in words if word.startswith(b"O=")]
    return os.path.realpath(top / (given[-1] if given else "output")) == os.path.realpath(output)
