"""Try each probe again and again, so that one that hangs costs nobody but itself."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, reason_of
from build_exporter.probes.state import ProbeState, Reason, Result

PARALLEL: Final = 8
"""Tries that run at a time; others wait. One past its deadline does not count, whatever its thread still waits for."""


class _Watch:
    """A probe with its schedule: `due` on the monotonic clock, and the try that runs."""

    def __init__(self, probe: Probe, due: float) -> None:
        self.state = ProbeState(probe)
        self.due = due
        self.attempt: Attempt | None = None
        self.thread: threading.Thread | None = None
        self.began = 0.0

    @property
    def hangs(self) -> bool:
        """Whether the thread of an earlier try has not come back."""
        return self.thread is not None and self.thread.is_alive()


class Prober:
    """Tries probes: one thread keeps the schedule, each try has a thread of its own. Without probes there is none.

    A try that is not over at its deadline is counted as timed out and woken up. As long as its thread does not come
    back (a name server or a disk may hang in the kernel) the probe is counted as timed out at each interval, without
    another thread. First tries are spread over `spread` seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time, parallel: int = PARALLEL, spread: float = 1.0) -> None:
        self._clock = clock
        self._spread = spread
        self._parallel = parallel
        self._watches: list[_Watch] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def configure(self, probes: Sequence[Probe]) -> None:
        """Try these probes from now on; those whose settings stay keep their results."""
        now = time.monotonic()
        with self._changed:
            kept = {watch.state.probe: watch for watch in self._watches}
            self._watches = [
                kept.get(probe) or _Watch(probe, now + random.uniform(0, self._spread))  # noqa: S311
                for probe in probes
            ]
            self._changed.notify()
            if self._watches and self._thread is None:
                # daemons: what hangs in the kernel must not keep the exporter from ending
                self._thread = threading.Thread(target=self._keep_schedule, name="probes", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End trying; does not wait for tries that run, but wakes them up."""
        with self._changed:
            running = [watch.attempt for watch in self._watches if watch.attempt is not None]
        self.configure(())
        for attempt in running:
            attempt.stop()

    def states(self) -> list[ProbeState]:
        """Return what each probe has found, in the configuration's order; may be called from any thread."""
        return [watch.state for watch in self._watches]

    def _keep_schedule(self) -> None:
        with self._changed:
            while self._watches:
                expired = self._expire()
                for attempt in expired:
                    attempt.stop()
                self._start_due()
                self._changed.wait(max(0.0, self._next() - time.monotonic()))
            self._thread = None

    def _running(self) -> list[_Watch]:
        return [watch for watch in self._watches if watch.attempt is not None]

    def _expire(self) -> list[Attempt]:
        """Count the tries whose deadline has passed as timed out and return them."""
        now, expired = time.monotonic(), []
        for watch in self._running():
            attempt = watch.attempt
            if attempt is not None and attempt.deadline <= now:
                self._record(watch, attempt, watch.state.probe.timeout, Reason.TIMEOUT, "")
                expired.append(attempt)
        return expired

    def _start_due(self) -> None:
        free = self._parallel - len(self._running())
        now = time.monotonic()
        due = sorted((watch for watch in self._watches if watch.due <= now), key=lambda watch: watch.due)
        for watch in due:
            if watch.attempt is not None or (free <= 0 and not watch.hangs):
                continue
            probe = watch.state.probe
            vary = random.uniform(-probe.jitter, probe.jitter)  # noqa: S311 - no secret
            watch.due = now + probe.interval * (1 + vary)
            watch.began, attempt = self._clock(), Attempt(probe.timeout)
            if watch.hangs:
                self._record(watch, attempt, probe.timeout, Reason.TIMEOUT, "the try before still hangs")
            else:
                self._start(watch, attempt)
                free -= 1

    def _start(self, watch: _Watch, attempt: Attempt) -> None:
        watch.attempt = attempt
        name = f"probe {watch.state.probe.name}"
        watch.thread = threading.Thread(target=self._try, args=(watch, attempt), name=name, daemon=True)
        try:
            watch.thread.start()
        except RuntimeError as error:
            # the system has no thread left
            watch.thread = None
            self._record(watch, attempt, 0.0, *reason_of(error))

    def _next(self) -> float:
        """Return when there is something to do next, on the monotonic clock."""
        running = self._running()
        deadlines = [watch.attempt.deadline for watch in running if watch.attempt is not None]
        # without a free slot a deadline or the end of a try comes first
        dues = [watch.due for watch in self._watches if watch.attempt is None] if len(running) < self._parallel else []
        return min([*deadlines, *dues], default=time.monotonic() + 1.0)

    def _try(self, watch: _Watch, attempt: Attempt) -> None:
        probe, began = watch.state.probe, time.monotonic()
        reason, detail = None, ""
        try:
            kind = import_module(f"build_exporter.probes.{probe.kind}")
            began = time.monotonic()
            kind.probe(probe, attempt)
        except Exception as error:  # noqa: BLE001 - whatever a service makes a library raise is an outcome
            reason, detail = reason_of(error)
        seconds = time.monotonic() - began
        with self._changed:
            if watch.attempt is attempt:
                self._record(watch, attempt, seconds, reason, detail)
                self._changed.notify()

    def _record(self, watch: _Watch, attempt: Attempt, seconds: float, reason: Reason | None, detail: str) -> None:
        watch.attempt = None
        figures, phases = dict(attempt.figures), dict(attempt.phases)
        watch.state.add(Result(watch.began, seconds, reason, detail, phases, figures))
