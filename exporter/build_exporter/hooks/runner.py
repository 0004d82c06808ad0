"""Runs the hooks of a directory, and the event handlers of plug-ins, on live events: in threads, bounded, counted."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from build_exporter.config.schema import Hooks
from build_exporter.entry_points import entry_points
from build_exporter.hooks.process import hooks_in, run_hook
from build_exporter.model.events import Event, MilestoneReached, event_name
from build_exporter.model.redaction import redact
from build_exporter.model.text import plain, plain_line
from build_exporter.monitor import Monitor
from build_exporter.sources.isolation import PluginError
from build_exporter.sources.plugins import origin, with_timeout

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

GROUP: Final = "build_exporter.event_handlers"
MAX_WAITING: Final = 1000
"""Runs that wait for a free place; the next ones are dropped and counted."""
MAX_HOOKS: Final = 50
"""Hooks of a directory: each is some series."""
MAX_VALUE: Final = 1024
"""Characters of a value in the environment; standard input has the whole event."""
_VARIABLES: Final = (
    "phase",
    "step",
    "status",
    "exit_code",
    "error_class",
    "message",
    "milestone",
    "package",
    "version",
)


class HookRunner:
    """Starts hooks on live events; `configure` may be called at any time.

    `counts` holds runs by (hook, result).
    """

    def __init__(self, monitor: Monitor, config: Hooks) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._monitor = monitor
        self._config = config
        self._waiting: queue.Queue[tuple[Path | EntryPoint, dict[str, Any]]] = queue.Queue(MAX_WAITING)
        self._milestones: dict[str, tuple[str, set[str]]] = {}
        self._workers = 0
        self._refused: set[Path] = set()
        self._handlers = list(entry_points(group=GROUP))
        self._lock = threading.Lock()
        monitor.listeners.append(self.on_events)

    def configure(self, config: Hooks) -> None:
        """Take another configuration for events from now on."""
        self._config = config

    def stop(self) -> None:
        """Forget what waits; what runs goes on to its end."""
        while not self._waiting.empty():
            with contextlib.suppress(queue.Empty):
                self._waiting.get_nowait()

    def on_events(self, build: str, run: str, events: Sequence[Event], live: bool) -> None:
        """Queue the hooks of live events, and of milestones reached by them; returns at once."""
        reached = list(self._reached(build, run, events))
        if not live or not (self._config.directory or self._handlers):
            return
        wanted = [each for each in events if type(each) is not MilestoneReached] + reached
        wanted = [each for each in wanted if event_name(each) in self._config.events]
        if not wanted:
            return
        programs: list[Path | EntryPoint] = [*self._programs(), *self._handlers]
        for event in wanted:
            payload = msgspec.to_builtins(event) | {"run": run}
            for program in programs:
                self._queue(program, payload)

    def _reached(self, build: str, run: str, events: Sequence[Event]) -> Iterator[MilestoneReached]:
        """Yield the milestones reached since, whether an event says so or the plan does."""
        known = self._monitor.tracker.builds.get(build)
        current = known.current if known is not None else None
        if current is None or current.run != run:
            return
        before = self._milestones.get(build)
        seen = before[1] if before is not None and before[0] == run else set()
        fresh = [name for name in current.milestones if name not in seen]
        self._milestones[build] = (run, seen | set(fresh))
        for name in fresh:
            yield MilestoneReached(time=current.milestones[name], build=build, milestone=name)

    def _programs(self) -> list[Path]:
        if self._config.directory is None:
            return []
        try:
            found, refused = hooks_in(Path(self._config.directory))
        except OSError as error:
            log.warning("hooks cannot be read", extra={"directory": self._config.directory, "error": error.strerror})
            return []
        for path, reason in refused:
            if path not in self._refused:
                self._refused.add(path)
                log.warning("hook not run", extra={"hook": str(path), "reason": reason})
        return found[:MAX_HOOKS]

    def _queue(self, program: Path | EntryPoint, payload: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait((program, payload))
        except queue.Full:
            self._count(program, "dropped")
            return
        with self._lock:
            if self._workers < self._config.parallel:
                self._workers += 1
                threading.Thread(target=self._work, name="hooks", daemon=True).start()

    def _work(self) -> None:
        """Run what waits, and end when nothing does."""
        while True:
            with self._lock:
                try:
                    program, payload = self._waiting.get_nowait()
                except queue.Empty:
                    self._workers -= 1
                    return
            try:
                self._run(program, payload)
            except Exception:
                # one hook that can't be run must cost no other
                log.exception("hook failed", extra={"hook": program.name})
                self._count(program, "failed")

    def _run(self, program: Path | EntryPoint, payload: dict[str, Any]) -> None:
        if not isinstance(program, Path):
            self._handle(program, payload)
            return
        try:
            done = run_hook(program, msgspec.json.encode(payload) + b"\n", environment(payload), self._config.timeout)
        except OSError as error:
            log.warning("hook cannot be started", extra={"hook": program.name, "error": error.strerror})
            self._count(program, "failed")
            return
        self._count(program, done.result)
        level = logging.INFO if done.result == "succeeded" else logging.WARNING
        result = {"hook": program.name, "event": payload["event"], "result": done.result, "exit_code": done.code}
        log.log(level, "hook ended", extra=result | {"output": redact(plain(done.output)).strip()})

    def _handle(self, point: EntryPoint, payload: dict[str, Any]) -> None:
        """Call a plug-in's handler with the event; whatever it does, only that call is lost."""
        try:
            with_timeout(lambda: point.load()(dict(payload)))
        except PluginError as error:
            log.warning("event handler failed", extra={"handler": point.name, "by": origin(point), "error": str(error)})
            self._count(point, "failed")
        else:
            self._count(point, "succeeded")

    def _count(self, program: Path | EntryPoint, result: str) -> None:
        self.counts[plain_line(program.name)[:100], result] += 1


def environment(payload: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a hook finds its event in; texts are one plain line each, without secrets."""
    found = {
        "BUILD_EXPORTER_EVENT": payload["event"],
        "BUILD_EXPORTER_BUILD": payload["build"],
        "BUILD_EXPORTER_RUN": payload["run"],
        "BUILD_EXPORTER_TIME": f"{payload['time']:.6f}",
    }
    for name in _VARIABLES:
        value = payload.get(name)
        if value is not None:
            found[f"BUILD_EXPORTER_{name.upper()}"] = redact(plain_line(str(value)))[:MAX_VALUE]
    return found
