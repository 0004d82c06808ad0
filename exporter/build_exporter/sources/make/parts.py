"""The parts of a build at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from build_exporter.sources.make.limits import IDLE_LINES, MAX_STEPS
from build_exporter.sources.step_logs.counters import Counters
from build_exporter.sources.step_logs.growth import is_task
from build_exporter.sources.step_logs.suites.reader import SuiteReader
from build_exporter.sources.step_logs.warnings import WarningReader

Key = tuple[str, str]
Status = Literal["succeeded", "failed", "interrupted"]


@dataclass(slots=True)
class Part:
    """A step at work: its phase and name, the time of its last line, how many there were, and what they said.

    `line` is the number of the last line that was its own, None where its end is known otherwise. `size` are
    the characters of its lines, `tasks` how many stand for a compiler's run or a test: of a line that may be of several
    parts each has a share.
    """

    key: Key
    last: float
    touched: int = 0
    line: int | None = None
    progress: Counters = field(default_factory=Counters)
    suites: SuiteReader | None = None
    warnings: WarningReader = field(default_factory=WarningReader)
    size: int = 0
    tasks: float = 0.0

    def count(self, text: str, share: float) -> None:
        """Take a line into account that is this part's to a share."""
        self.size += len(text) + 1
        if is_task(text):
            self.tasks += share


class Visits:
    """Names parts: one that is done again within a stage is numbered, and of very many the rest are one."""

    def __init__(self) -> None:
        self._steps = 0
        self._visits: Counter[Key] = Counter()

    def clear(self) -> None:
        """Begin anew with the numbers."""
        self._visits.clear()

    @property
    def are_many(self) -> bool:
        """Whether no further part has a name of its own."""
        return self._steps >= MAX_STEPS

    def key(self, stage: str, name: str) -> Key:
        """Return the step of a part that begins."""
        if self.are_many:
            return stage, name
        self._steps += 1
        self._visits[stage, name] += 1
        visit = self._visits[stage, name]
        return stage, name if visit == 1 else f"{name}#{visit}"


def idle(parts: Mapping[str, Part], lines: int, tool: str) -> list[str]:
    """Return the names of parts without one of the last lines, when their make prints no leaving."""
    silence = {name: lines - part.line for name, part in parts.items() if part.line is not None and name != tool}
    return [name for name, count in silence.items() if count > IDLE_LINES]
