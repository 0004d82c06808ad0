"""Follows the logs of running steps, whoever started them, and emits what happens inside them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from build_exporter.diagnostics.diagnosis import diagnose, with_failed_tests
from build_exporter.diagnostics.rules import own_rules
from build_exporter.journal.append import Writer
from build_exporter.journal.isolation import Isolation
from build_exporter.journal.layout import run_path
from build_exporter.model.events import Event, StepFinished, StepProgress, encode_line
from build_exporter.model.states import FailureClass, StepState
from build_exporter.sources.files import may_be_read_to, read_ends
from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns, ExpectedFailures
from build_exporter.sources.step_logs.memory_kills import MemoryKills
from build_exporter.sources.step_logs.phases import EbuildPhase
from build_exporter.sources.step_logs.progress import LogProgress
from build_exporter.sources.step_logs.reader import Reader, StepContext
from build_exporter.sources.step_logs.suites import SuiteReader
from build_exporter.sources.step_logs.warnings import WarningReader
from build_exporter.tracker import Key, LogShape, Run, Step

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
"""Between looks; after a failure there is one at once, for its reason."""
REST_SECONDS: Final = 0.25
"""Least time between two looks, however many steps fail."""
REST_RATIO: Final = 3.0
"""Rest after a look, as a multiple of the CPU time it took: at most a quarter of a core, whatever is written."""
REASON_BYTES: Final = 512 * 1024
"""Bytes of the end of a failed step's log that are searched for the reason."""

MAX_WATCHED: Final = 64
"""Logs followed at a time."""

POLL_BYTES: Final = 16 * 1024 * 1024
"""Bytes of all logs together read in one poll."""

OVERLAP_SECONDS: Final = 30.0
"""A step that ended so long before the last poll may have become known only after it."""

LEFT_SECONDS: Final = 86400.0
"""A build silent for so long has been abandoned, though its end was not recorded."""

_VAGUE: Final = (FailureClass.OTHER, FailureClass.KILLED)
"""Classes that more evidence can make another of."""

Name = tuple[str, str, Key, int]
"""Build, run, step and attempt."""


def _name(run: Run, step: Step) -> Name:
    return run.build, run.run, step.key, step.attempts


READERS: Final[tuple[Callable[[], Reader], ...]] = (SuiteReader, WarningReader, EbuildPhase, LogProgress)
"""Everything that is read out of logs; the last reports that one was read to its end."""


def new_readers() -> list[Reader]:
    """Return a reader of each kind, for one attempt."""
    return [make() for make in READERS]


def _shipped(step: Step) -> ExpectedFailurePatterns:
    return ExpectedFailures().of(step)


@dataclass(frozen=True, slots=True)
class StepHistory:
    """Facts from outside the logs, looked up when needed.

    Attributes:
        last_log: how the log of a step of a build grew the last time it succeeded.
        known_failures: tests of a step's package that are known to fail.
        earlier_suites: the suites that a step of a build had results of in an earlier run.
    """

    last_log: Callable[[str, Key], LogShape | None] = lambda _build, _key: None
    known_failures: Callable[[Step], ExpectedFailurePatterns] = _shipped
    earlier_suites: Callable[[str, Key], frozenset[str]] = lambda _build, _key: frozenset()


def _is_unread(step: Step, before: float) -> bool:
    """Return whether a step that ended before a time has a log of its own that was not read to its end."""
    return bool(step.log) and not step.shares_log and not step.log_read and step.end is not None and step.end < before


class StepLogWatcher:
    """Reads the logs that running steps name; emits progress, test results and the reason of a failed step.

    A log is read only where it is a plain file of the user whose run it is, or where that is root: an event's writer
    must not get read to him what he may not read himself.
    """

    def __init__(
        self,
        journal: str,
        runs: Callable[[], Iterable[Run]],
        clock: Callable[[], float],
        history: StepHistory | None = None,
        memory_kills: MemoryKills | None = None,
    ) -> None:
        """Read logs for the journal.

        Args:
            journal: where events are appended.
            runs: the newest runs.
            clock: Unix seconds.
            history: what is known beside the logs.
            memory_kills: what the kernel killed for want of memory.
        """
        self.memory_kills = memory_kills or MemoryKills(clock)
        self._journal = journal
        self._history = history or StepHistory()
        self._runs = runs
        self._clock = clock
        self._isolated = Isolation(log, "reading the logs of steps")
        self._watched: dict[Name, AttemptLogs] = {}
        self._over: set[Name] = set()
        self._classified: set[Name] = set()
        self._polled = clock()
        self._ended = threading.Event()
        self._wake = threading.Event()
        # a daemon: a log on a file system that hangs must not keep the exporter from ending
        self._thread = threading.Thread(target=self._run, name="inside-steps", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """End looking soon."""
        self._ended.set()
        self._wake.set()

    def on_events(self, build: str, run: str, events: Sequence[Event], live: bool) -> None:
        """Look at once where a step has failed; called where the journal is read."""
        if live and any(type(event) is StepFinished and event.status == StepState.FAILED.label for event in events):
            self._wake.set()

    def catch_up(self) -> int:
        """Read the logs of steps that ended while nobody looked; return how many events that gave.

        They are those whose log is not known to have been read to its end: an exporter that was killed may have
        reported a part.
        """
        before = self._clock() - OVERLAP_SECONDS
        count = 0
        for run in self._runs():
            if (run.last_event or 0.0) < before - LEFT_SECONDS:
                continue
            for step in [step for step in list(run.steps.values()) if _is_unread(step, before)]:
                if not self._ended.is_set():
                    count += self._append(run, list(self._backfill(run, step)))
        return count

    def poll(self) -> int:
        """Read what is new in the logs, append its events, and return how many."""
        self.memory_kills.poll()
        since, self._polled = self._polled, self._clock()
        attempts = dict(self._attempts(since - OVERLAP_SECONDS))
        count = 0
        share = POLL_BYTES // max(1, sum(len(steps) for _, steps in attempts.values()))
        for run, steps in attempts.values():
            with self._isolated.of(run.build):
                emitted = [event for name, step in steps.items() for event in self._poll_step(name, run, step, share)]
                count += self._append(run, emitted)
        failed: set[Name] = set()
        for run in self._runs():
            if run.failed:
                with self._isolated.of(run.build):
                    count += self._append(run, list(self._classify(run)))
                failed |= {_name(run, step) for step in list(run.failed.values())}
        self._classified &= failed
        wanted = {name for _, steps in attempts.values() for name in steps}
        for name in self._watched.keys() - wanted:
            del self._watched[name]
        self._over &= wanted
        return count

    def _attempts(self, since: float) -> Iterator[tuple[str, tuple[Run, dict[Name, Step]]]]:
        """Yield each build's run with the attempts that run, have ended since a time, or aren't read to the end."""
        behind = {name[:3] for name, logs in self._watched.items() if logs.behind}
        for run in self._runs():
            if not (run.running or behind or (run.last_event or 0.0) >= since):
                continue
            steps = list(run.running.values())
            if (run.last_event or 0.0) >= since:
                steps += [step for step in list(run.steps.values()) if step.end is not None and step.end >= since]
            left = [run.steps.get(key) for build, name, key in behind if (build, name) == (run.build, run.run)]
            steps += [step for step in left if step is not None and step not in steps]
            logged = {_name(run, step): step for step in steps if step.log}
            if logged:
                yield run.build, (run, logged)

    def _poll_step(self, name: Name, run: Run, step: Step, share: int) -> Iterator[Event]:
        if name in self._over or (name not in self._watched and len(self._watched) >= MAX_WATCHED):
            return
        path = Path(step.log or "")
        attempt_logs = self._watched.get(name)
        if attempt_logs is None:
            attempt_logs = self._watched[name] = AttemptLogs(
                new_readers, path, step.step, step.start, skip=step.shares_log
            )
        is_over = step.state is not StepState.RUNNING
        try:
            if not attempt_logs.read(
                partial(may_be_read_to, run_path(self._journal, run.build, run.run)), over=is_over, share=share
            ):
                return
            is_over = is_over and not attempt_logs.behind
            yield from self._emit(attempt_logs, run, step, over=is_over)
            if is_over and step.state is StepState.FAILED:
                yield from self._explain(run, step, path)
        except OSError:
            # a log that is not there yet, or not any more, has nothing to read
            return
        finally:
            if is_over:
                self._over.add(name)

    def _classify(self, run: Run) -> Iterator[StepProgress]:
        """Emit the class of failed steps without a log, from their message or their command's end."""
        for step in list(run.failed.values()):
            name = _name(run, step)
            if step.log or name in self._classified:
                continue
            self._classified.add(name)
            yield from self._classified_by(run, step, (step.message or "").splitlines())

    def _backfill(self, run: Run, step: Step) -> Iterator[Event]:
        logs = AttemptLogs(new_readers, Path(step.log or ""), step.step, None)
        try:
            if logs.read(partial(may_be_read_to, run_path(self._journal, run.build, run.run)), over=True):
                yield from self._emit(logs, run, step, over=True, time=step.end)
        except OSError:
            return

    def _emit(
        self, attempt_logs: AttemptLogs, run: Run, step: Step, *, over: bool, time: float | None = None
    ) -> Iterator[Event]:
        context = StepContext(
            time=round(self._clock(), 3) if time is None else time,
            run=run,
            step=step,
            read_bytes=attempt_logs.read_bytes,
            over=over,
            last=self._history.last_log(run.build, step.key),
            known_failures=self._history.known_failures(step),
            earlier_suites=self._history.earlier_suites(run.build, step.key),
            runs_tests=attempt_logs.runs_tests,
        )
        for reader in attempt_logs.readers:
            yield from reader.emit(context)

    def _explain(self, run: Run, step: Step, path: Path) -> Iterator[StepProgress]:
        """Emit reason and class of a failed step whose writer knew none, or that a user's own rule knows better."""
        is_known = step.message and step.error_class not in (FailureClass.OTHER, FailureClass.KILLED)
        if is_known and not own_rules():
            return
        ends = read_ends(path, 0, REASON_BYTES, follow_links=False)
        # where other steps write to the log as well, the writer's own words are all that is sure
        lines = [step.message] if step.shares_log and step.message else ends.tail.splitlines()
        yield from self._classified_by(run, step, lines)

    def _classified_by(self, run: Run, step: Step, lines: list[str]) -> Iterator[StepProgress]:
        """Emit what lines say of a failure that nobody knew, or that a user's own rule knows better."""
        names = [name for report in step.tests.values() for name in report.failing or ()]
        found = with_failed_tests(diagnose(lines, exit_code=step.exit_code, signal=step.signal), names)
        if found.error_class == FailureClass.KILLED and (said := self.memory_kills.evidence(step.start, step.end)):
            found = found._replace(error_class=FailureClass.OUT_OF_MEMORY.value, reason=f"{found.reason} ({said})")
        is_better = found.error_class not in (step.error_class, FailureClass.OTHER) and step.error_class in _VAGUE
        is_better = is_better or (bool(lines) and not step.message)
        if is_better or (found.is_own and found.error_class != step.error_class):
            progress = StepProgress(
                time=round(self._clock(), 3), build=run.build, phase=step.phase, step=step.step, message=found.reason
            )
            progress.error_class = found.error_class
            yield progress

    def _append(self, run: Run, emitted: list[Event]) -> int:
        if not emitted:
            return 0
        writer = Writer(run_path(self._journal, run.build, run.run))
        try:
            for event in emitted:
                writer.append(encode_line(event))
        except OSError as error:
            log.debug("events of a log can't be written", extra={"build": run.build, "error": str(error)})
            return 0
        finally:
            writer.close()
        return len(emitted)

    def _run(self) -> None:
        try:
            self.catch_up()
        except Exception:
            log.exception("reading the logs of earlier steps failed")
        rest = 0.0
        while not self._ended.wait(rest):
            self._wake.wait(max(0.0, POLL_SECONDS - rest))
            self._wake.clear()
            if self._ended.is_set():
                return
            began = time.thread_time()
            try:
                self.poll()
            except Exception:
                # one odd log must not end the reading of all
                log.exception("reading the logs of steps failed")
            rest = max(REST_SECONDS, (time.thread_time() - began) * REST_RATIO)
