"""Replay a recorded run: its lines with times shifted to now and, at a speed, compressed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from build_exporter.model.events import Time

_DURATIONS: Final = ("seconds", "cpu_seconds")
_FOREIGN: Final = ("pid", "pid_namespace")
"""Fields that name something of the recorded machine that is not here now."""


_DIGITS: Final = 6
"""Decimals of a second that are kept: events of one step must not fall together, however fast they are replayed."""


class _Timed(msgspec.Struct):
    time: Time


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run: its lines as objects in their order, and how many lines were none."""

    lines: list[dict[str, Any]]
    unreadable: int

    @property
    def start(self) -> float:
        """Time of the first event, Unix seconds."""
        return float(self.lines[0]["time"])

    @property
    def seconds(self) -> float:
        """Time from the first event to the last."""
        return max(float(line["time"]) for line in self.lines) - self.start

    @property
    def build(self) -> str:
        """The build that was recorded."""
        return str(self.lines[0].get("build", "build"))


def read_recording(path: Path) -> Recording:
    """Return a run file's lines.

    Raises:
        OSError: the file can't be read.
        ValueError: it holds no event.
    """
    lines: list[dict[str, Any]] = []
    unreadable = 0
    with path.open("rb") as file:
        for raw in file:
            if not raw.strip():
                continue
            try:
                msgspec.json.decode(raw, type=_Timed)
                line = msgspec.json.decode(raw, type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                unreadable += 1
            else:
                lines.append(line)
    if not lines:
        raise ValueError(f"{path} holds no event")
    return Recording(lines, unreadable)


def replayed(recording: Recording, build: str, run: str, begin: float, speed: float) -> Iterator[tuple[float, bytes]]:
    """Yield (seconds after the begin, line) for each recorded line, as lines of `run` of `build`.

    `begin` is the Unix time the first event is moved to; durations are divided by `speed` like the times between.
    """
    for recorded in recording.lines:
        line = dict(recorded)
        due = max(0.0, float(line["time"]) - recording.start) / speed
        line["time"] = round(begin + due, _DIGITS)
        line["build"] = build
        for name in _FOREIGN:
            line.pop(name, None)
        for name in _DURATIONS:
            if isinstance(line.get(name), int | float):
                line[name] = round(line[name] / speed, _DIGITS)
        if line.get("event") == "build_started":
            line["run"] = run
            if isinstance(line.get("deadline"), int | float):
                line["deadline"] = begin + (line["deadline"] - recording.start) / speed
        if line.get("event") == "plan" and isinstance(line.get("steps"), list):
            line["steps"] = [_faster(planned, speed) for planned in line["steps"]]
        yield due, msgspec.json.encode(line) + b"\n"


def _faster(planned: Any, speed: float) -> Any:
    """Return a planned step with the time expected of it divided by `speed`."""
    if isinstance(planned, dict) and isinstance(planned.get("expected_seconds"), int | float):
        return {**planned, "expected_seconds": planned["expected_seconds"] / speed}
    return planned
