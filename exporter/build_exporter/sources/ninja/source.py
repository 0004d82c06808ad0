"""Ninja: runs from .ninja_log. One step per run, with the number of finished edges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import psutil

from build_exporter.model import events as e
from build_exporter.model.names import build_name_from
from build_exporter.sources.files import Limits, TailFile, read_ends
from build_exporter.sources.history import left_out_runs
from build_exporter.sources.idle import IdleTimer
from build_exporter.sources.implausible import EARLIEST, ImplausibleLines
from build_exporter.sources.ninja.log import (
    HEADER,
    NinjaRun,
    Row,
    group_runs,
    has_starts,
    is_another_run,
    is_undated_run,
    outputs,
    read_row,
)
from build_exporter.sources.ninja.plan import needed_outputs
from build_exporter.sources.protocol import Settings, SourceError, SourceEvent, WithJournal

LOG_NAME: Final = ".ninja_log"
PHASE: Final = "ninja"
STEP: Final = "ninja"

LAST_BYTES: Final = 64 * 1024 * 1024
"""Bytes read of a log, from its end; LLVM's has 1 MB."""

GONE_SECONDS: Final = 5.0
"""A run is over when no one has had the log open for this long, after somebody had."""

QUIET_SECONDS: Final = 3.0
"""A log written this recently is not searched for among open files, which is the most expensive check."""

FIRST_SCAN_SECONDS: Final = 5.0
LONGEST_SCAN_SECONDS: Final = 60.0
"""Between scans of the process table while no ninja was seen at the log: begins short, doubles."""

IDLE_SECONDS: Final = 3600.0
"""The same where it can't be seen who has it open, as in a container: linking may take long."""

MIN_RATIO: Final = 0.05
"""Least share of the edges that was never run where the rest of them is taken for what this run will do."""

NOT_DONE: Final = "it failed, was interrupted or was asked for less; the log does not say which"


def find_log(path: Path) -> Path:
    """Return the log that a path means: itself, or that of a build directory, or of the one inside a source tree."""
    for candidate in (path / LOG_NAME, path / "build" / LOG_NAME, path / "out" / LOG_NAME):
        if candidate.is_file():
            return candidate
    return path / LOG_NAME if path.is_dir() else path


class Ninja(WithJournal):
    """Follows one .ninja_log; see `docs/sources/ninja.md`.

    Attributes:
        tail: the log's reader.
    """

    kind = "ninja"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._locate()
        self._run: NinjaRun | None = None
        self._built: set[str] = set()
        self._total: int | None = None
        self._is_begun = False
        self._is_over = False
        self._was_held = False
        self._free_since: float | None = None
        self._emitted_until = -1.0
        self._holder: int | None = None
        self._next_scan = 0.0
        self._scan_seconds = FIRST_SCAN_SECONDS
        self._left_out = ImplausibleLines()
        self._has_starts = False

    def _locate(self) -> None:
        self._log = find_log(self._settings.path).absolute()
        self.build = self._settings.build or _build_name(self._log)
        self.tail = TailFile(self._log, Limits(last=LAST_BYTES))
        self._idle = IdleTimer()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is, or has, a log of ninja's."""
        try:
            return read_ends(find_log(path), 64, 0).head.startswith(HEADER)
        except OSError:
            return False

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Return what is new; see `Source`.

        Raises:
            SourceError: the log can't be read, or is none of ninja's.
        """
        if self._run is None and not self._log.is_file():
            # the directory was not there yet, or ninja has not begun
            self._locate()
        rows, from_start = self._read(now)
        if from_start:
            yield from self._restart(rows, over=over)
        else:
            for row in rows:
                yield from self._take_row(row)
        if self._run is None:
            return
        if rows:
            self._next_scan, self._scan_seconds = 0.0, FIRST_SCAN_SECONDS
        if rows and self._is_over and self._run.end > self._emitted_until:
            # it had been silent for long, and continues
            self._is_begun = self._is_over = False
        if rows:
            yield from self._emit()
        if not self._is_over and (over or self._has_ended(now)):
            yield from self._end()

    def _take_row(self, row: Row) -> Iterator[SourceEvent]:
        run = self._run
        if row.time < EARLIEST:
            if run is not None and row.end >= run.last:
                run.add(row)
            else:
                self._leave_out_undated([row])
            return
        if run is None or is_another_run(run, row, has_starts=self._has_starts):
            yield from self._take(NinjaRun(round(row.began(has_starts=self._has_starts), 3)))
        if self._run is not None:
            self._run.add(row)

    def _leave_out_undated(self, rows: list[Row]) -> None:
        if rows:
            edges = len({row.edge for row in rows})
            longest = max(rows, key=lambda row: row.end - row.start)
            words = f"{longest.output[-100:]} {longest.end - longest.start:.1f} s"
            self._left_out.report(f"edges of a run that the log has no time of are left out: {edges}, {words}")

    def _read(self, now: float) -> tuple[list[Row], bool]:
        rows: list[Row] = []
        from_start, more = False, True
        while more:
            try:
                found = self.tail.read()
            except OSError as error:
                raise SourceError(f"{self._log}: {error.strerror or error}") from error
            if found.from_start:
                rows, from_start = [], True
                if found.lines and not found.skipped and not found.lines[0].startswith(HEADER):
                    self.tail = TailFile(self._log, Limits(last=LAST_BYTES))
                    raise SourceError(f"{self._log}: not a log of ninja's")
                if found.lines:
                    self._has_starts = has_starts(found.lines[0])
            rows += [row for line in found.lines if (row := read_row(line)) is not None]
            more = found.more
        latest = self.tail.latest(now)
        for row in rows:
            if row.time > latest or 0 < row.time < EARLIEST:
                self._left_out.add(row.time)
        return [row for row in rows if row.time == 0 or EARLIEST <= row.time <= latest], from_start

    def _restart(self, rows: list[Row], *, over: bool) -> Iterator[SourceEvent]:
        """Take a log as a whole: read for the first time, or written anew by ninja, which does so before it begins."""
        runs = group_runs(rows, has_starts=self._has_starts)
        if not runs:
            return
        newest = runs[-1]
        recorded_run = self._run
        if recorded_run is not None:
            if newest.start <= recorded_run.end:
                # no run since: what is known of it is more than what was kept
                self._is_begun = True
                return
            yield from self._take(newest)
        else:
            # of a log that is watched past runs are of no matter, as rows of theirs are lost with each later run;
            # but the last of them may have been left without an end
            waiting = len(runs) - len(left_out_runs(((run.start, run) for run in runs), 2, self._journal, self.build))
            for run in runs if over else runs[-max(2, waiting) :]:
                for each in self._take(run):
                    yield each._replace(closes=not over)
                if run is not newest:
                    # rows of it may be lost, so that it can't be measured
                    self._total = 0
                    for each in self._emit():
                        yield each._replace(closes=not over)
        self._leave_out_undated([row for index, row in enumerate(rows) if is_undated_run(rows, index)])
        mine = set(newest.edges)
        self._built = outputs(row for row in rows if row.edge not in mine)

    def _take(self, run: NinjaRun) -> Iterator[SourceEvent]:
        if self._run is not None:
            yield from self._end()
            self._built.update(self._run.edges.values())
        self._run, self._total = run, None
        self._is_begun = self._is_over = self._was_held = False
        self._free_since = None

    def _emit(self) -> Iterator[SourceEvent]:
        run = self._run
        if run is None or self._is_over:
            return
        if not self._is_begun:
            self._is_begun = True
            yield SourceEvent(run.start, e.BuildStarted(time=run.start, build=self.build, source=self.kind))
            yield SourceEvent(run.start, e.StepStarted(time=run.start, build=self.build, phase=PHASE, step=STEP))
        if self._total is None:
            self._total = self._count()
        done = len(run.edges)
        if self._total >= done:
            newest = next(reversed(run.edges.values()))
            yield SourceEvent(
                run.start,
                e.StepProgress(
                    time=run.end,
                    build=self.build,
                    phase=PHASE,
                    step=STEP,
                    done=done,
                    total=self._total,
                    message=newest[-200:],
                ),
            )

    def _count(self) -> int:
        """Return how many edges this run has to run, 0 where that is unknown: those that never ran before."""
        edges = needed_outputs(self._log.with_name("build.ninja"))
        never = sum(output not in self._built for output in edges)
        return never if edges and never >= MIN_RATIO * len(edges) else 0

    def _end(self) -> Iterator[SourceEvent]:
        run = self._run
        if run is None or self._is_over:
            return
        if not self._is_begun:
            yield from self._emit()
        self._is_over = True
        self._emitted_until = run.end
        slowest = ", ".join(f"{output[-100:]} {seconds:.1f} s" for seconds, output in run.slowest())
        words = f"{len(run.edges)} edges" + (f"; the slowest: {slowest}" if slowest else "")
        build, left = self.build, (self._total or 0) - len(run.edges)
        status: Literal["succeeded", "interrupted"] = "interrupted" if left > 0 else "succeeded"
        message = f"{left} edges of the default targets left: {NOT_DONE}" if left > 0 else None
        yield SourceEvent(
            run.start,
            e.StepFinished(time=run.end, build=build, phase=PHASE, step=STEP, status=status, message=message),
        )
        yield SourceEvent(run.start, e.Note(time=run.end, build=build, message=words))
        for note in self._left_out.notes(build, run.end):
            yield SourceEvent(run.start, note)
        yield SourceEvent(run.start, e.BuildFinished(time=run.end, build=build, status=status))

    def _has_ended(self, now: float) -> bool:
        """Return whether ninja is gone: no one has the log open any more, or it has been silent for long."""
        try:
            found = self._log.stat()
        except OSError:
            return False
        silent = self._idle.seconds(now, found.st_mtime)
        if self._was_held and silent < QUIET_SECONDS:
            return False
        if self._is_held(found, now):
            self._was_held, self._free_since = True, None
            return False
        if self._free_since is None:
            self._free_since = now
        return (self._was_held and now - self._free_since >= GONE_SECONDS) or silent > IDLE_SECONDS

    def _is_held(self, log: os.stat_result, now: float) -> bool:
        """Return whether a ninja has the log open; goes through all processes only where that may be news."""
        if self._holder is not None and _holds(self._holder, log):
            return True
        if not self._was_held and 0 <= self._next_scan - now <= LONGEST_SCAN_SECONDS:
            return False
        self._holder = _holder_of(log)
        self._next_scan = now + self._scan_seconds
        self._scan_seconds = min(2 * self._scan_seconds, LONGEST_SCAN_SECONDS)
        return self._holder is not None


def _holds(pid: int, log: os.stat_result) -> bool:
    """Return whether a process has the log open."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(os.path.samestat(entry.stat(), log) for entry in entries)
    except OSError:
        return False


def _holder_of(log: os.stat_result) -> int | None:
    """Return the process called ninja, or samu, which does the same, that has the log open; None without one."""
    for process in psutil.process_iter(["name"]):
        name = process.info["name"] or ""
        if ("ninja" in name or name == "samu") and _holds(process.pid, log):
            return int(process.pid)
    return None


def _build_name(log: Path) -> str:
    directory = log.parent
    if directory.name in ("build", "out", "_build", "builddir", "Release", "Debug", "Default"):
        directory = directory.parent
    stem = log.name if log.name != LOG_NAME else directory.name
    return build_name_from(f"ninja-{stem}" if stem else "ninja")
