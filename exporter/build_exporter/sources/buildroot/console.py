"""What make printed beside build-time.log, where it was kept: why a step failed, and that one did.

`utils/brmake` keeps it in `br.log`. With packages built side by side their lines are mixed, but make names the stamp of
the step it gave up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from build_exporter.diagnostics.diagnosis import Diagnosis
from build_exporter.diagnostics.terminal import shown
from build_exporter.model.events import BuildFinished, Event, StepFinished, StepStarted
from build_exporter.model.states import FailureClass
from build_exporter.sources.buildroot.log import AFTERWARDS, Key, WorkSession
from build_exporter.sources.buildroot.plan import STAMPS
from build_exporter.sources.files import Limits, TailFile
from build_exporter.sources.make.failures import Reasons
from build_exporter.sources.make.patterns import Failure, failure_of
from build_exporter.sources.make.text import stamped

LAST_BYTES: Final = 16 * 1024 * 1024
"""Bytes read of what was printed before, from its end."""

MAX_CAUSES: Final = 200
_ACTIONS: Final = {f".stamp_{stamp}": action for action, stamp in STAMPS.items()}
_PHASES: Final = {**_ACTIONS, ".stamp_rsynced": "rsync", ".stamp_actual_downloaded": "actual-download"}
_UNFINISHED: Final = re.compile(
    r"^checking .*?\.\.\. ?(?=\S+:\d+:(?:\d+:)? (?:fatal )?error: |make(?:\[\d+\])?: \*\*\* \[)"
)
"""What a configure beside it had printed so far of its line when another package failed."""

_TITLE: Final = re.compile(r"^>>> (\S*) \S* \w")
_FINISHING: Final = frozenset({"host-finalize", "staging-finalize", "target-finalize", "target-post-image"})


@dataclass(slots=True)
class Cause:
    """Why make gave up a step.

    Attributes:
        phase: what was done, `AFTERWARDS` for what is in no step.
        directory: the package's in `output/build`; for what is in no step the name of the target.
        time: Unix seconds, None where it is not known.
        status: `interrupted` where somebody ended make.
        reason: the line that says best why.
        error_class: its class.
        exit_code: of the command, None where unknown.
    """

    phase: str
    directory: str
    time: float | None
    status: Literal["failed", "interrupted"]
    reason: str
    error_class: str
    exit_code: int | None

    def is_of(self, key: Key) -> bool:
        """Return whether it is about a step."""
        phase, package = key
        return phase == self.phase and (self.directory == package or self.directory.startswith(f"{package}-"))

    def step_of(self, keys: Iterable[Key]) -> Key | None:
        """Return which of several steps it is about: of packages whose names begin alike the longest."""
        return max(filter(self.is_of, keys), key=lambda key: len(key[1]), default=None)


class Console:
    """Follows what make printed: the first of several files that is there."""

    def __init__(self, candidates: Sequence[Path]) -> None:
        self._candidates = candidates
        self._tail: TailFile | None = None
        self._reasons = Reasons()
        self._package = ""
        self._before: set[str] = set()
        self._failed: list[Cause] = []
        self._is_parallel = False
        self._has_gone_on = False
        self._since = math.inf
        self._starts: dict[Key, float] = {}

    def start_of(self, event: Event) -> float:
        """Remember when a step began; return it at its end, in Unix seconds."""
        if isinstance(event, StepStarted):
            self._starts[event.phase, event.step] = event.time
        return self._starts.get((event.phase, event.step), 0.0) if isinstance(event, StepFinished) else 0.0

    def covers(self, start: float) -> bool:
        """Return whether what make printed of a step that began then is here: it is not from before, nor from after."""
        return self._tail is not None and self._since <= start <= self._tail.changed

    def poll(self) -> list[Cause]:
        """Return why steps failed, as far as it was printed since the last poll; nothing where it can't be read."""
        is_first = self._tail is None
        if self._tail is None:
            found = next((path for path in self._candidates if path.is_file()), None)
            if found is None:
                return []
            self._tail = TailFile(found, Limits(last=LAST_BYTES))
        causes: list[Cause] = []
        more = True
        while more:
            try:
                read = self._tail.read()
            except OSError:
                break
            more = read.more
            for raw in read.lines:
                for piece in shown(raw):
                    self._take(piece, causes)
        # what comes from now on is seen, as is all that is dated
        self._since = min(self._since, self._tail.changed)
        for cause in causes:
            # of what was there before anybody watched only the last is as old as the file's last change
            if cause.time is None and (not is_first or cause is causes[-1]) and not self._has_gone_on:
                cause.time = self._tail.changed
        return causes[-MAX_CAUSES:]

    def _take(self, piece: str, causes: list[Cause]) -> None:
        text, date = stamped(piece, self._tail.changed if self._tail is not None else 0.0)
        self._since = min(self._since, date if date is not None else math.inf)
        text = _UNFINISHED.sub("", text) if text.startswith("checking ") else text
        if title := _TITLE.match(text):
            self._begin(title[1])
        self._reasons.keep(text)
        failure = failure_of(text) if "***" in text else None
        if failure is not None and _is_own(failure):
            self._has_gone_on = False
            causes.append(self._cause(failure, date))
            self._failed.append(causes[-1])
            if not self._is_parallel:
                self._reasons.forget()

    def _begin(self, package: str) -> None:
        """Note a title: what was printed before is another step's, unless packages are built side by side."""
        self._has_gone_on = True
        if any(cause.is_of((cause.phase, package)) for cause in self._failed):
            # make was called again
            self._failed.clear()
            self._before.clear()
            self._is_parallel = False
        if package != self._package:
            # one after the other, none is taken up again
            self._is_parallel = self._is_parallel or package in self._before
            self._before.add(self._package)
            self._package = package
        if not self._is_parallel:
            self._reasons.forget()

    def _cause(self, failure: Failure, date: float | None) -> Cause:
        path, _, name = failure.target.rpartition("/")
        directory = path.rpartition("/")[2]
        phase = _PHASES.get(name, AFTERWARDS)
        found = self._reasons.cause(failure, is_known=False)
        return Cause(
            phase,
            directory if name.startswith(".stamp_") else name,
            date,
            "interrupted" if failure.stopped else "failed",
            found.reason if found is not None else failure.target,
            _class(phase, found),
            failure.exit_code,
        )


def _class(phase: str, found: Diagnosis | None) -> str:
    """Return the class of a failure; a file that a mirror in a directory lacks is a download that failed."""
    if found is None:
        return FailureClass.OTHER
    is_absent = phase.endswith("download") and found.error_class == FailureClass.MISSING_FILE
    return FailureClass.DOWNLOAD_FAILED if is_absent else found.error_class


def _is_own(failure: Failure) -> bool:
    """Return whether Buildroot's make gave something of its own up: a step, or what comes after them."""
    if "/.stamp_" in failure.target:
        return True
    is_last = failure.target in _FINISHING or "/images/" in failure.target
    return is_last and (failure.exit_code is not None or failure.stopped)


def explain(out: Iterable[tuple[WorkSession, Event]], causes: list[Cause], console: Console) -> list[Cause]:
    """Put causes into the failures among new events, the newest first; return the causes that are of none of them.

    A console kept of the last make only, or of all of them, ends alike. Where it was kept and make gave nothing up in
    it, somebody ended make.
    """
    events = list(out)
    starts = [console.start_of(event) for _, event in events]
    ended: dict[WorkSession, BuildFinished] = {}
    left = list(causes)
    for (session, event), start in zip(reversed(events), reversed(starts), strict=True):
        if isinstance(event, BuildFinished):
            ended[session] = event
        if not isinstance(event, StepFinished) or event.status != "failed":
            continue
        key = (event.phase, event.step)
        found = next((cause for cause in reversed(left) if cause.is_of(key)), None)
        if found is not None:
            left.remove(found)
            session.lost.discard(key)
            event.status, event.exit_code = found.status, found.exit_code
            event.message, event.error_class = found.reason, found.error_class
        elif console.covers(start):
            event.status, event.message = "interrupted", None
        if event.status == "interrupted":
            session.failed.discard(key)
            if session in ended and not session.failed:
                ended[session].status = "interrupted"
    return left[-MAX_CAUSES:]
