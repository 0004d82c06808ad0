"""Convert one BitBake build to events, from its buildstats and its console log if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from build_exporter.diagnostics.diagnosis import first_error
from build_exporter.model import events as e
from build_exporter.sources.bitbake.console import Console
from build_exporter.sources.bitbake.stats import SETSCENE, BuildStats, Key, Task
from build_exporter.sources.files import FUTURE_SECONDS, TailFile, read_ends
from build_exporter.sources.protocol import SourceEvent
from build_exporter.tracker.step import UNKNOWN_WEIGHT

TASKS: Final = "tasks"
NOT_BEGUN: Final = "tasks-not-begun-yet"
"""Phase and step that stand for what is to come: BitBake gives the number of tasks, not their names."""

SETSCENE_PHASE: Final = "setscene"

SETTLE_SECONDS: Final = 2.0
"""Tasks begun at once have their files within this."""

LAG_SECONDS: Final = 5.0
"""The console log may report what the buildstats hold so much later."""

HEARTBEAT_SECONDS: Final = 300.0
"""A BitBake at work writes its heartbeat every ten seconds or so; one silent for this long is gone."""

IDLE_SECONDS: Final = 86400.0
"""The same where it writes none: a task may take hours."""

UNSEEN_SECONDS: Final = 60.0
"""Silence must be seen for this long: after this machine has slept everything seems old."""

LOG_TAIL_BYTES: Final = 256 * 1024
MAX_ARCHITECTURES: Final = 30

_RECIPE: Final = re.compile(r"(?P<name>.+?)-(?P<version>(?:\d+_)?\d[^-]*(?:-[\d.]+)?)-(?P<revision>r\d\S*)\Z")

Status = Literal["succeeded", "failed", "interrupted"]


def split_recipe(recipe: str) -> tuple[str, str | None]:
    """Return package and version that `zlib-native-1.3.1-r0` names; no version where it is unknown."""
    found = _RECIPE.match(recipe)
    if found is not None:
        return found["name"], found["version"]
    name, *rest = recipe.rsplit("-", 2)
    return (name, rest[0]) if len(rest) == 2 else (recipe, None)


def unbegun(console: Console) -> list[e.PlannedStep]:
    """Return the plan: one step for all tasks not begun yet, in hundredths of the total so that it seldom changes."""
    left = max(0, console.total - console.index)
    grain = max(1, console.total // 100)
    seconds = -(-left // grain) * grain * UNKNOWN_WEIGHT
    return [e.PlannedStep(phase=TASKS, step=NOT_BEGUN, expected_seconds=seconds)] if left else []


class BuildRun:
    """One build, followed.

    Attributes:
        start: Unix seconds it is named by.
        stats: its buildstats.
        is_over: its end was emitted.
    """

    def __init__(self, build: str, start: float, stats: BuildStats, log: Path | None, target: str | None) -> None:
        self.start = start
        self.stats = stats
        self.is_over = False
        self._build = build
        self._target = target
        self._tail = TailFile(log) if log is not None else None
        self._console = Console()
        self._has_begun = False
        self._reported: dict[Key, str] = {}
        self._plan: list[e.PlannedStep] | None = None
        self._restored: list[str] = []
        self._waiting: dict[Key, Task] = {}
        self._idle_since: float | None = None
        self._work = stats.path.parent.parent / "work"

    @property
    def bytes_read(self) -> int:
        """Bytes read of the build's files."""
        return self.stats.bytes_read + (self._tail.bytes_read if self._tail is not None else 0)

    def poll(self, now: float, *, over: bool) -> Iterator[SourceEvent]:
        """Yield what is new; see `Source`.

        Raises:
            OSError: the buildstats can't be read.
        """
        self._read_console(over=over)
        # this machine's clock may be behind: one without a battery starts in another year
        changed = self.stats.poll(max(now, self.stats.touched()[0]) + FUTURE_SECONDS)
        if not self._has_begun:
            self._has_begun = True
            started = e.BuildStarted(time=self.start, build=self._build, source="bitbake", target=self._target)
            yield SourceEvent(self.start, started)
        if self.is_over and changed:
            # its end was emitted because it had been silent
            self.is_over = False
        yield from self._emit_setscene(now, over=over)
        for event in sorted(self._emit_tasks(changed, now, over=over), key=lambda event: event.time):
            yield SourceEvent(self.start, event)
        if self._console.total and (plan := unbegun(self._console)) != self._plan:
            self._plan = plan
            yield SourceEvent(self.start, e.Plan(time=self.stats.newest(), build=self._build, steps=plan))
        if not self.is_over and self._is_over(now, over=over):
            yield from self._end()

    def _read_console(self, *, over: bool) -> None:
        if self._tail is None:
            return
        more = True
        while more:
            try:
                found = self._tail.read(over=over)
            except OSError:
                # buildstats alone hold what matters most
                return
            if found.from_start:
                self._console = Console()
            for line in found.lines:
                self._console.feed(line)
            more = found.more

    def _emit_tasks(self, changed: list[Task], now: float, *, over: bool) -> Iterator[e.Event]:
        self._waiting.update((task.key, task) for task in changed if not task.key[0].endswith(SETSCENE))
        for key, task in list(self._waiting.items()):
            if key not in self._reported:
                self._reported[key] = "started"
                yield self._started(task)
            if task.end is not None and task.status == "failed" and not over and self._may_explain(task, now):
                continue
            del self._waiting[key]
            if task.end is not None and task.status is not None:
                self._reported[key] = task.status
                message = self._message(task) if task.status == "failed" else None
                yield e.StepFinished(
                    time=task.end,
                    build=self._build,
                    phase=key[0],
                    step=key[1],
                    status=task.status,
                    message=message,
                    **task.used,
                )

    def _started(self, task: Task) -> e.StepStarted:
        phase, step = task.key
        package, version = split_recipe(step)
        log = self._log(task.key)
        return e.StepStarted(
            time=task.start,
            build=self._build,
            phase=phase,
            step=step,
            package=package,
            version=version,
            log=str(log) if log is not None else None,
        )

    def _may_explain(self, task: Task, now: float) -> bool:
        """Return whether the console log may still say why a task has failed."""
        if self._tail is None or task.key in self._console.messages:
            return False
        return task.end is not None and now - task.end < LAG_SECONDS

    def _message(self, task: Task) -> str | None:
        message = self._console.messages.get(task.key)
        if not message and (log := self._log(task.key)) is not None:
            try:
                message = first_error(read_ends(log, 0, LOG_TAIL_BYTES).tail.splitlines())
            except OSError:
                return None
        return message or None

    def _log(self, key: Key) -> Path | None:
        """Return the task's log, where it is still there."""
        package, version = split_recipe(key[1])
        if version is None or "/" in package:
            return None
        epochless = version.partition("_")[2] or version
        revised = key[1][len(package) + 1 :]
        try:
            architectures = sorted(self._work.iterdir())[:MAX_ARCHITECTURES]
        except OSError:
            return None
        for architecture in architectures:
            for directory in (epochless, revised, version):
                log = architecture / package / directory / "temp" / f"log.{key[0]}"
                if log.is_file():
                    return log
        return None

    def _emit_setscene(self, now: float, *, over: bool) -> Iterator[SourceEvent]:
        tasks = [task for key, task in self.stats.tasks.items() if key[0].endswith(SETSCENE)]
        if not tasks:
            return
        *closed, _ = self._console.batches
        of_closed = set().union(*closed)
        groups = [[task for task in tasks if task.key in batch] for batch in closed]
        groups.append([task for task in tasks if task.key not in of_closed])
        for number, group in enumerate(groups):
            is_closed = number < len(closed)
            if group and (is_closed or over or now - min(task.start for task in group) >= SETTLE_SECONDS):
                yield from self._emit_group(number, group, is_closed=is_closed)

    def _emit_group(self, number: int, group: list[Task], *, is_closed: bool) -> Iterator[SourceEvent]:
        while len(self._restored) <= number:
            self._restored.append("")
        started = self._restored[number]
        if started == "ended":
            return
        if not started:
            self._restored[number] = "started"
            first = min(task.start for task in group)
            step = e.StepStarted(time=first, build=self._build, phase=SETSCENE_PHASE, step=SETSCENE_PHASE)
            yield SourceEvent(self.start, step)
        ends = [task.end for task in group if task.end is not None]
        total = self._console.setscene_total
        if total and ends:
            yield SourceEvent(
                self.start,
                e.StepProgress(
                    time=max(ends),
                    build=self._build,
                    phase=SETSCENE_PHASE,
                    step=SETSCENE_PHASE,
                    done=min(self._console.setscene_index, total),
                    total=total,
                ),
            )
        if is_closed and len(ends) == len(group):
            self._restored[number] = "ended"
            yield SourceEvent(self.start, self._restoring_ended(group, "succeeded", max(ends)))

    def _restoring_ended(self, group: list[Task], status: Status, time: float) -> e.StepFinished:
        cpu = [task.used["cpu_seconds"] for task in group if "cpu_seconds" in task.used]
        read = [task.used["read_bytes"] for task in group if "read_bytes" in task.used]
        written = [task.used["written_bytes"] for task in group if "written_bytes" in task.used]
        failed = sum(task.status == "failed" for task in group)
        return e.StepFinished(
            time=time,
            build=self._build,
            phase=SETSCENE_PHASE,
            step=SETSCENE_PHASE,
            status=status,
            cpu_seconds=round(sum(cpu), 6) if cpu else None,
            max_rss_bytes=max((task.used.get("max_rss_bytes", 0) for task in group), default=0) or None,
            read_bytes=sum(read) if read else None,
            written_bytes=sum(written) if written else None,
            message=f"{failed} of {len(group)} could not be restored: they are run" if failed else None,
        )

    def _is_over(self, now: float, *, over: bool) -> bool:
        if over:
            return True
        touched, beats = self.stats.touched()
        if self.stats.ended is not None:
            # the console log says last what the disk monitor did, and why tasks failed
            is_reported = self._tail is None or self._console.summary is not None or now - touched > LAG_SECONDS
            return is_reported and not self._waiting
        if now - touched <= (HEARTBEAT_SECONDS if beats else IDLE_SECONDS):
            self._idle_since = None
            return False
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since >= UNSEEN_SECONDS

    def _end(self) -> Iterator[SourceEvent]:
        self.is_over = True
        time = max(self.stats.newest(), self.stats.ended or 0.0)
        status = self._status()
        open_groups = [number for number, state in enumerate(self._restored) if state == "started"]
        for number in open_groups:
            self._restored[number] = "ended"
            closed: set[Key] = set().union(*self._console.batches[:-1])
            group = [t for key, t in self.stats.tasks.items() if key[0].endswith(SETSCENE) and key not in closed]
            is_cut = self.stats.ended is None or self._console.disk != "" or self._console.interrupted
            ends = [task.end for task in group if task.end is not None]
            last = max(ends) if ends and len(ends) == len(group) else time
            yield SourceEvent(self.start, self._restoring_ended(group, "interrupted" if is_cut else "succeeded", last))
        for key, state in self._reported.items():
            if state == "started":
                self._reported[key] = "interrupted"
                phase, step = key
                gone = e.StepFinished(time=time, build=self._build, phase=phase, step=step, status="interrupted")
                yield SourceEvent(self.start, gone)
        if self._console.disk:
            words = f"BitBake's disk monitor let no more tasks begin: {self._console.disk}"
            yield SourceEvent(self.start, e.Note(time=time, build=self._build, message=words, level="warning"))
        yield SourceEvent(self.start, e.BuildFinished(time=time, build=self._build, status=status))

    def _status(self) -> Status:
        if self.stats.failed or "failed" in self._reported.values() or self._console.disk:
            return "failed"
        if self.stats.ended is None or self._console.interrupted:
            return "interrupted"
        return "failed" if self._console.summary == "failed" else "succeeded"
