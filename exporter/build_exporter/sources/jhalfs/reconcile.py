"""Reconcile the files of a jhalfs tree into attempts: which steps ran, when, and how they ended.

jhalfs builds one step after the other and stops at the first that fails; it writes nothing when one does. So only
the step begun last can be running, and a step is known to have succeeded by its stamp, or, where no stamps have been
kept, by the end of its log or by a later step's log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final

from build_exporter.diagnostics.diagnosis import diagnose, first_error, was_stopped
from build_exporter.plan.jhalfs_makefile import CUSTOM
from build_exporter.sources.jhalfs.dates import Evidence, Zones
from build_exporter.sources.jhalfs.log import StepLog, read_last_lines
from build_exporter.sources.jhalfs.report import Report, report_beside
from build_exporter.sources.jhalfs.tree import JhalfsTree, StepFiles
from build_exporter.sources.make_process import Closed
from build_exporter.sources.sequence import Attempt, Ending

IN_CHROOT_PARTS: Final = frozenset({"CHROOT", "BOOT", "CUSTOM_TOOLS"})
"""Parts of the build whose dates are printed in the new system."""

UNTIMED: Final = frozenset({"chapter-4", CUSTOM})
"""Phases whose logs have no end of their own."""

STAMP_SECONDS: Final = 1800.0
"""Longest between the end of a log and the stamp: what a step installed is listed or packed in between."""

NEAR_SECONDS: Final = 600.0
"""A log changed this close to its stated end still has its own mtime, not that of a copy."""

LONGEST_SECONDS: Final = 86400.0
"""Seconds after its beginning beyond which a changed log is a copy, when no log has an end yet."""

_SLACK_SECONDS: Final = 5.0
"""Dates have whole seconds, and two steps may begin within one."""

LAST_LINES: Final = 20
"""A log that ends in an error has it among so many lines."""

UNMARKED: Final = "the log is complete, but the step was not marked as done"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """State of the tree.

    Attributes:
        run_start: when the first step began, in Unix seconds; None before.
        attempts: the newest attempt at each step that was tried, in the order of the build.
        newest: what there is of the step begun last.
        current: the attempt at it.
        complete: whether every step of the plan has succeeded.
        pending: the first step that has not been begun.
        open: the steps of which something new may come without a name coming or going.
    """

    run_start: float | None
    attempts: list[Attempt]
    newest: StepFiles | None
    current: Attempt | None
    complete: bool
    pending: str | None
    open: frozenset[str]


class Reconciler:
    """Judges one tree; what it once found out of time zones stays."""

    def __init__(self, tree: JhalfsTree) -> None:
        self._tree = tree
        self._zones = Zones()

    def read(self, closed: Closed | None = None) -> Reconciled:
        """Return what the tree shows now; `closed` where it is known that the step begun last does not continue."""
        self._find_starts()
        return _TreeState(self._tree, closed).reading()

    def _find_starts(self) -> None:
        after: float | None = None
        for files in self._tree.files.values():
            if files.log is None:
                continue
            if files.start is None:
                files.start = self._start(files, files.log, after)
            if files.start is not None:
                after = files.start + (files.log.seconds or 0)

    def _start(self, files: StepFiles, log: StepLog, after: float | None) -> float | None:
        if log.began is None:
            # a date in an unknown form: use the step before
            return after if log.is_begun else None
        inside = files.step.part in IN_CHROOT_PARTS
        zone = self._tree.settings.get("TIMEZONE", "") if inside else ""
        return self._zones.unix(log.began, Evidence(after, log.changed, log.seconds, zone), inside=inside)


class _TreeState:
    """A tree at one moment."""

    def __init__(self, tree: JhalfsTree, closed: Closed | None) -> None:
        self._tree = tree
        self._closed = closed
        self._files = list(tree.files.values())
        self._stamped = tree.is_stamped
        self._times_kept = _times_kept(self._files)
        self._run_start = self._find_run_start()
        begun = sorted((start, index) for index in range(len(self._files)) if (start := self._start(index)) is not None)
        self._newest = begun[-1][1] if begun else -1
        self._furthest = max((index for _, index in begun), default=-1)
        self._next_start = {one[1]: other[0] for one, other in pairwise(begun)}
        self._latest_after = self._find_latest_after()
        # one that is being built has the first step's stamp before the second is begun
        self._is_archive = not self._stamped and len(begun) > 1

    def reading(self) -> Reconciled:
        """Return what it shows."""
        files = self._files
        attempts = [each for index in range(len(files)) if (each := self._attempt(index)) is not None]
        tried = {each.step for each in attempts}
        done = {each.step for each in attempts if each.ending == "succeeded"}
        # what was done in an earlier run and is not built again is done all the same
        done |= {each.step.target for each in files if each.done is not None and each.step.target not in tried}
        left = [each.step.target for each in files if each.step.target not in tried | done]
        newest = files[self._newest] if self._newest >= 0 else None
        return Reconciled(
            run_start=self._run_start,
            attempts=attempts,
            newest=newest,
            current=next((a for a in attempts if newest is not None and a.step == newest.step.target), None),
            complete=bool(files) and len(done) == len(files),
            pending=left[0] if left else None,
            open=self._open(),
        )

    def _open(self) -> frozenset[str]:
        """Return the step begun last, the one after it, and those that lost their stamp to be built again."""
        near = {index for index in (self._newest, self._newest + 1) if 0 <= index < len(self._files)}
        return frozenset(
            files.step.target
            for index, files in enumerate(self._files)
            if index in near or (self._stamped and files.log is not None and files.done is None)
        )

    def _find_run_start(self) -> float | None:
        found = next((each.start for each in self._files if each.start is not None), None)
        if found is not None:
            return found
        # the logs may have been thrown away
        return min((float(int(each.done)) for each in self._files if each.done is not None), default=None)

    def _find_latest_after(self) -> list[float]:
        """Return, for each step, when the last of those behind it in the plan began; -1 where none has."""
        found = [-1.0] * len(self._files)
        for index in range(len(found) - 2, -1, -1):
            found[index] = max(found[index + 1], self._start(index + 1) or -1.0)
        return found

    def _start(self, index: int) -> float | None:
        """Return when a step of this run began; what began before the first step did belongs to an earlier run."""
        start = self._files[index].start
        return start if start is not None and self._run_start is not None and start >= self._run_start else None

    def _attempt(self, index: int) -> Attempt | None:
        files, start = self._files[index], self._start(index)
        if files.log is not None and files.start is not None:
            if start is None:
                return None
            # without a success of this step no later one would have been begun
            if _is_marked(files, start) or self._latest_after[index] >= start:
                return self._succeeded(index, start)
            return self._unfinished(index, start)
        if files.done is not None and files.done >= (self._run_start or 0.0) and self._times_kept:
            return self._as_reported(_attempt(files, None, files.done, "succeeded"))
        is_done = files.done is not None or not self._stamped
        return self._implied(index) if index < self._furthest and is_done else None

    def _succeeded(self, index: int, start: float) -> Attempt:
        files = self._files[index]
        seconds = files.log.seconds if files.log is not None else None
        least = start + (seconds or 0)
        end: float | None = None
        if files.done is not None and self._times_kept and files.done >= least - 2.0:
            end = files.done if seconds is None or files.done <= least + STAMP_SECONDS else least
        elif seconds is not None:
            end = least
        else:
            end = self._next_start.get(index)
            if end is None and self._times_kept:
                end = self._tree.last_write(files)
        if end is None and self._closed is None and index < len(self._files) - 1:
            # the next poll decides
            return _attempt(files, start, start, None)
        if end is None:
            # that it was done is known, how long it took is not
            return _attempt(files, None, start, "succeeded")
        return _attempt(files, start, max(start, end), "succeeded")

    def _implied(self, index: int) -> Attempt | None:
        """Return the attempt at a step without a log between steps that have theirs: each begins where one ends."""
        before, after = self._files[index - 1] if index else None, self._files[index + 1]
        end = next((s for i in range(index + 1, len(self._files)) if (s := self._start(i)) is not None), None)
        if end is None:
            return None
        start = None
        if before is not None and before.log is not None and before.log.seconds is not None and after.start == end:
            start = (before.start or 0.0) + before.log.seconds
        start = start if start is not None and start <= end else None
        return self._as_reported(_attempt(self._files[index], start, end, "succeeded"))

    def _as_reported(self, attempt: Attempt) -> Attempt:
        """Return an attempt without a log, completed from jhalfs' report."""
        reported = self._report.entry(attempt.phase, attempt.step) if self._report is not None else None
        if reported is None:
            return attempt
        return replace(attempt, seconds=float(reported.seconds), disk_bytes=reported.disk_bytes)

    @cached_property
    def _report(self) -> Report | None:
        """The report that jhalfs made of this run at its end: it has steps whose logs are gone."""
        timed = {
            (each.step.phase, each.step.target): each.log.seconds
            for each in self._files
            if each.log is not None and each.log.seconds is not None
        }
        return report_beside(self._tree.path, timed)

    def _unfinished(self, index: int, start: float) -> Attempt:
        files = self._files[index]
        written = self._tree.last_write(files) if self._times_kept else None
        end = max(start, written or start)
        if index != self._newest:
            # an earlier step is being built again: this one's turn will come again
            end = min(end, self._next_start.get(index, end))
            seconds = files.log.seconds if files.log is not None else None
            return _attempt(files, start, end, "failed") if seconds is None else self._succeeded(index, start)
        if self._closed is None:
            return _attempt(files, start, end, None)
        return self._closing(index, start, end, self._closed)

    def _closing(self, index: int, start: float, end: float, closed: Closed) -> Attempt:
        files = self._files[index]
        if files.log is not None and files.log.seconds is not None:
            if self._is_archive or (closed is Closed.OVER and not self._stamped):
                return self._succeeded(index, start)
            return _attempt(files, start, end, "failed", UNMARKED)
        lines = read_last_lines(files.log_path) if files.log_path is not None else []
        broken = first_error(lines[-LAST_LINES:]) is not None
        if self._is_archive and files.step.phase in UNTIMED and not broken:
            return self._succeeded(index, start)
        ending: Ending = "failed" if broken or closed is Closed.GONE else "interrupted"
        if was_stopped(lines[-LAST_LINES:]):
            ending = "interrupted"
        return _attempt(files, start, end, ending, diagnose(lines).reason if ending == "failed" else None)


def _times_kept(files: list[StepFiles]) -> bool:
    """Return whether the times of the files are those of the build, not of a copy made later.

    A file of a step has its last change before the next step begins, and a log near the end that it records itself.
    """
    begun = sorted(((each.start, each) for each in files if each.start is not None), key=lambda each: each[0])
    late = [
        max(each.done or 0.0, each.log.changed if each.log is not None else 0.0) > start + _SLACK_SECONDS
        for (_, each), (start, _) in pairwise(begun)
    ]
    if 2 * sum(late) > len(late):
        return False
    logs = [(each.log, each.start) for each in files if each.log is not None and each.start is not None]
    votes = [abs(log.changed - start - log.seconds) <= NEAR_SECONDS for log, start in logs if log.seconds is not None]
    if not votes:
        return all(start - 5.0 <= log.changed <= start + LONGEST_SECONDS for log, start in logs)
    return 2 * sum(votes) > len(votes)


def _is_marked(files: StepFiles, start: float) -> bool:
    """Return whether the stamp is of this attempt and not of one before."""
    if files.done is None or files.log is None:
        return False
    return files.done >= start - 1.0 or files.done >= files.log.changed


def _attempt(
    files: StepFiles, start: float | None, end: float, ending: Ending | None, message: str | None = None
) -> Attempt:
    step, log = files.step, files.log
    seconds = log.seconds if log is not None and ending == "succeeded" else None
    disk, used = (log.disk_bytes, log.disk_before_bytes) if log is not None and ending == "succeeded" else (None, None)
    return Attempt(
        phase=step.phase,
        step=step.target,
        start=start,
        end=round(end, 3),
        ending=ending,
        seconds=None if seconds is None else float(seconds),
        # less on the disk than before: the step tidied up, and what it needed meanwhile isn't known
        disk_bytes=disk if disk is not None and disk >= 0 else None,
        disk_before_bytes=used,
        message=message,
        package=step.package,
        version=step.version,
        log=None if files.log_path is None else str(files.log_path),
    )
