"""Debian packages: what `dpkg-buildpackage` prints, followed while it is written into a log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from build_exporter.plugin import (
    Section,
    Settings,
    SourceError,
    SourceEvent,
    TailFile,
    about,
    birth_time,
    build_name_from,
    events,
    first_error,
    read_ends,
)

_SOURCE: Final = re.compile(r"dpkg-buildpackage: info: source (package|version) (\S+)$")
_TARGET: Final = re.compile(r" (?:fakeroot )?debian/rules ([a-z-]+)$")
_HELPER: Final = re.compile(r" {3}(?:debian/rules )?((?:override_|execute_(?:before|after)_)?dh_[a-z0-9_]+)\b")
_TOOL: Final = re.compile(r" (dpkg-(?:source|genbuildinfo|genchanges)) -")
_SUCCEEDED: Final = re.compile(r"dpkg-buildpackage: info: .*\bupload\b")
_FAILED: Final = re.compile(r"dpkg-buildpackage: error: (.*)")

_KEPT_LINES: Final = 500
"""Lines before a failure in which its reason is searched."""

Status = Literal["succeeded", "failed", "interrupted"]


class Options(Section, frozen=True):
    """How long a log may be silent."""

    silence: Annotated[
        float,
        about("Nothing written for so long means that whoever wrote it is gone.", "seconds", within=(60, None)),
    ] = 6 * 3600.0


class Dpkg:
    """Follows the log of one build, `dpkg-buildpackage 2>&1 | tee FILE` in the C locale.

    A phase is a target of debian/rules (`build`, `binary`), or `dpkg` for its own tools; a step is a command of
    debhelper, with a number where a phase runs it again. The log has no times: a step is timed as it is watched, and
    one that began and ended between two looks is known by its end alone.
    """

    kind = "dpkg"
    api_version = 1
    Options = Options

    def __init__(self, settings: Settings) -> None:
        self.build = settings.build or build_name_from(settings.path.stem)
        self._is_named = settings.build is not None
        self._path = settings.path
        self._idle = settings.options["silence"]
        self._file = TailFile(settings.path)
        self._forget()

    def _forget(self) -> None:
        self._package: dict[str, str] = {}
        self._recent: list[str] = []
        self._names: Counter[tuple[str, str]] = Counter()
        self._run_start: float | None = None
        self._phase = "build"
        self._step: tuple[str, str] | None = None
        self._is_waiting = False
        self._is_over = False

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a path is a log that dpkg-buildpackage began."""
        try:
            return read_ends(path, 4096, 0).head.startswith("dpkg-buildpackage: info: source package ")
        except OSError:
            return False

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Yield the events that the log's new lines record."""
        more = True
        while more:
            try:
                read = self._file.read(over=over)
                self._written = round(self._path.stat().st_mtime, 3)
            except OSError as error:
                raise SourceError(f"{self._path}: {error.strerror or error}") from error
            if read.from_start:
                self._forget()
            for line in read.lines:
                yield from self._line(line)
            more = read.more
        yield from self._begin_waiting()
        if over or now - self._written > self._idle:
            yield from self._end("interrupted")

    def _line(self, line: str) -> Iterator[SourceEvent]:
        self._recent = [*self._recent[1 - _KEPT_LINES :], line]
        if found := _SOURCE.match(line):
            self._package[found[1]] = found[2]
            if found[1] == "package" and not self._is_named:
                self.build = build_name_from(found[2])
        elif found := _TARGET.match(line):
            self._phase = found[1]
            yield from self._begin(self._phase, "rules")
        elif found := _HELPER.match(line):
            yield from self._begin(self._phase, found[1])
        elif found := _TOOL.match(line):
            yield from self._begin("dpkg", found[1])
        elif _SUCCEEDED.match(line):
            yield from self._end("succeeded")
        elif found := _FAILED.match(line):
            yield from self._end("failed", first_error(self._recent) or found[1])

    def _begin(self, phase: str, step: str) -> Iterator[SourceEvent]:
        yield from self._finish("succeeded")
        self._names[phase, step] += 1
        count = self._names[phase, step]
        self._step = (phase, step if count == 1 else f"{step}-{count}")
        # emitted at the end of this poll, unless it is over by then and its time not known
        self._is_waiting = True
        self._is_over = False

    def _begin_waiting(self) -> Iterator[SourceEvent]:
        if self._step is not None and self._is_waiting:
            self._is_waiting = False
            phase, step = self._step
            yield from self._emit(
                events.StepStarted(
                    time=self._written,
                    build=self.build,
                    phase=phase,
                    step=step,
                    package=self._package.get("package"),
                    version=self._package.get("version"),
                    log=str(self._path),
                )
            )

    def _finish(self, status: Status, message: str | None = None) -> Iterator[SourceEvent]:
        if self._step is not None:
            (phase, step), self._step, self._is_waiting = self._step, None, False
            yield from self._emit(
                events.StepFinished(
                    time=self._written, build=self.build, phase=phase, step=step, status=status, message=message
                )
            )

    def _end(self, status: Status, message: str | None = None) -> Iterator[SourceEvent]:
        yield from self._finish(status, message)
        if self._run_start is not None and not self._is_over:
            self._is_over = True
            yield from self._emit(events.BuildFinished(time=self._written, build=self.build, status=status))

    def _emit(self, event: events.Event) -> Iterator[SourceEvent]:
        """Yield an event of the run; all are the first of their kind, known by that and not by their times."""
        if self._run_start is None:
            self._run_start = birth_time(self._path) or self._written
            begun = events.BuildStarted(time=self._run_start, build=self.build, source=self.kind)
            yield SourceEvent(self._run_start, begun, nth=1)
        yield SourceEvent(self._run_start, event, nth=1)
