"""Replay a recorded run: its lines with times shifted to now and, at a speed, compressed, and its logs with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
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
    """A recorded run: its lines as objects in their order, and how many lines were none.

    `logs` has where logs of the steps are today, by the recorded paths.
    """

    lines: list[dict[str, Any]]
    unreadable: int
    logs: Mapping[str, Path] = field(default_factory=dict)

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


@dataclass(slots=True)
class Log:
    """A recorded log and its copy, which grows evenly from `begin` to `end`: seconds after the begin of the replay."""

    recorded: Path
    copy: Path
    begin: float
    end: float
    written: int = 0
    is_whole: bool = False

    def grow(self, now: float) -> None:
        """Write what there is of the copy at a time, in whole lines until it is whole.

        Raises:
            OSError: it can't be written, or the recorded one not be read.
        """
        if self.is_whole or now < self.begin:
            return
        self.copy.parent.mkdir(parents=True, exist_ok=True)
        self.is_whole = now >= self.end
        with self.recorded.open("rb") as source, self.copy.open("ab") as target:
            size = source.seek(0, 2)
            length = size if self.is_whole else int(size * (now - self.begin) / (self.end - self.begin))
            source.seek(self.written)
            part = source.read(max(0, length - self.written))
            self.written += target.write(part if self.is_whole else part[: part.rfind(b"\n") + 1])


def logs_of(recording: Recording, directory: Path, copies: Path, speed: float) -> dict[str, Log]:
    """Return the logs of a recording that a directory holds, by their paths as recorded, to be copied into another.

    A log is there under the longest end of that path: `/mnt/lfs/logs/1/a.log` may be `1/a.log` or `a.log`.
    """
    found: dict[str, Log] = {}
    written: dict[tuple[object, object], Log] = {}
    for line in recording.lines:
        due = max(0.0, float(line["time"]) - recording.start) / speed
        key, name = (line.get("phase"), line.get("step")), str(line.get("log") or "")
        if line.get("event") in ("step_finished", "build_finished"):
            for log in [written[key]] if key in written else [] if key[1] else written.values():
                log.end = due
        if name and name not in found and (path := _find(name, directory)) is not None:
            found[name] = Log(path, copies / path.relative_to(directory), due, due)
        if name in found:
            written[key] = found[name]
    return found


def _find(name: str, directory: Path) -> Path | None:
    parts = PurePosixPath(name).parts
    ends = (directory.joinpath(*parts[at:]) for at in range(1, len(parts)) if ".." not in parts)
    return next((each for each in ends if each.is_file()), None)


def replayed(recording: Recording, build: str, run: str, begin: float, speed: float) -> Iterator[tuple[float, bytes]]:
    """Yield (seconds after the begin, line) for each recorded line, as lines of `run` of `build`.

    `begin` is the Unix time the first event is moved to; durations are divided by `speed` like the times between.
    A log is named where it is today, and left out where it is not known to be anywhere.
    """
    for recorded in recording.lines:
        line = dict(recorded)
        due = max(0.0, float(line["time"]) - recording.start) / speed
        line["time"] = round(begin + due, _DIGITS)
        line["build"] = build
        for name in _FOREIGN:
            line.pop(name, None)
        if (log := str(line.get("log") or "")) in recording.logs:
            line["log"] = str(recording.logs[log])
        elif not Path(log).is_file():
            line.pop("log", None)
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
