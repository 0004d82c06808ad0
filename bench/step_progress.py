"""How well the bar of a running step follows its time: real builds, each measured by a recording of an earlier one.

python bench/step_progress.py record DIRECTORY/NAME -- COMMAND…
python bench/step_progress.py compare EARLIER LATER [EARLIER LATER …]

`record` runs a command and keeps its log, with its size each tenth of a second. `compare` takes the earlier of two
recordings as the last run and shows, for each way of estimating, the mean error over the later one: how far its
ratio was from the share of the time that had really passed, in hundredths of the step.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from build_exporter.model.events import StepProgress
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.counters import Counters
from build_exporter.sources.step_logs.fusion import by_log
from build_exporter.sources.step_logs.growth import Growth, is_task
from build_exporter.sources.step_logs.progress import LogProgress
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.tracker import LogShape, Run, Step, approach, step_progress

POLL_SECONDS = 0.1
"""Between two reads the size while recording."""


class Recording(NamedTuple):
    """A command's log and how it grew: seconds since its start, and bytes."""

    name: str
    seconds: float
    times: list[float]
    sizes: list[int]
    log: bytes

    def size_at(self, elapsed: float) -> int:
        """Return the log's size after some seconds."""
        found = bisect_right(self.times, elapsed)
        return self.sizes[found - 1] if found else 0


def record(path: Path, command: list[str]) -> int:
    """Run a command, keep its log in `path`.log and how that grew in `path`.json; return its exit code."""
    points: list[tuple[float, int]] = []
    log = path.with_name(path.name + ".log")
    with log.open("wb") as stream:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
        code = None
        while code is None:
            code = process.poll()
            size = os.fstat(stream.fileno()).st_size
            if not points or size != points[-1][1]:
                points.append((round(time.monotonic() - began, 3), size))
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
    document = {"seconds": round(seconds, 3), "points": points}
    path.with_name(path.name + ".json").write_text(json.dumps(document), encoding="ascii")
    return code


def load(path: Path) -> Recording:
    """Return a recording that was kept under a path."""
    document = json.loads(path.with_name(path.name + ".json").read_text(encoding="ascii"))
    times, sizes = [point[0] for point in document["points"]], [point[1] for point in document["points"]]
    return Recording(path.name, document["seconds"], times, sizes, path.with_name(path.name + ".log").read_bytes())


def shape_of(recording: Recording) -> LogShape:
    """Return what the exporter remembers of a recording it watched, a poll each second."""
    size, growth = len(recording.log), Growth()
    for elapsed, seen, tasks in grown(recording):
        growth.see(elapsed, seen, tasks)
    tasks = sum(map(is_task, lines_between(recording, 0, size)))
    growth.see(recording.seconds, size, tasks)
    return LogShape(recording.seconds, size, tasks, array("f", growth.curve(recording.seconds) or ()), None)


def grown(recording: Recording) -> Iterator[tuple[float, int, int]]:
    """Yield each second of a recording with the log's size and its tasks."""
    before = tasks = 0
    for elapsed, size in polls(recording):
        tasks += sum(map(is_task, lines_between(recording, before, size)))
        before = size
        yield elapsed, size, tasks


def polls(recording: Recording) -> Iterator[tuple[float, int]]:
    """Yield each second of a recording with the log's size."""
    for second in range(int(recording.seconds) + 1):
        yield float(second), recording.size_at(second)


def lines_between(recording: Recording, start: int, end: int) -> list[str]:
    """Return the lines of a piece of a log; a torn one counts to where it ends."""
    begin = recording.log.rfind(b"\n", 0, start) + 1
    return recording.log[begin : recording.log.rfind(b"\n", 0, end) + 1].decode("utf-8", "replace").splitlines()


def counted(last: LogShape, recording: Recording) -> Iterator[float]:
    """Yield the ratio by counters alone."""
    counters, before = Counters(), 0
    for _, size in polls(recording):
        for line in lines_between(recording, before, size):
            counters.feed(line)
        before = size
        yield counters.share or 0.0


def timed(last: LogShape, recording: Recording) -> Iterator[float]:
    """Yield the ratio by the clock and what the last run took."""
    for elapsed, _ in polls(recording):
        yield approach(elapsed / last.seconds)


def sized(last: LogShape, recording: Recording) -> Iterator[float]:
    """Yield the ratio by the log's size against the last one's."""
    for _, size in polls(recording):
        yield approach(size / last.size)


def curved(last: LogShape, recording: Recording) -> Iterator[float]:
    """Yield the ratio by how the last log grew."""
    growth = Growth()
    for elapsed, size, tasks in grown(recording):
        growth.see(elapsed, size, tasks)
        yield approach(by_log(last, growth, elapsed, same_version=True).share)


def fused(last: LogShape | None, recording: Recording, planned: float | None = None) -> Iterator[float]:
    """Yield the ratio that is shown: what the exporter shows, in the steps in which it does; before that the clock."""
    reader, before = LogProgress(), 0
    run = Run("measured", "20260101T000000Z")
    step = Step("measured", recording.name, 0, state=StepState.RUNNING, start=0.0, expected_seconds=planned)
    for elapsed, size in polls(recording):
        for line in lines_between(recording, before, size):
            reader.feed(line)
        before = size
        context = StepContext(elapsed, run, step, size, over=False, last=last)
        result = [e.ratio for e in reader.emit(context) if isinstance(e, StepProgress) and e.ratio is not None]
        if result and step.ratio is None:
            step.floor = step_progress(run, step, elapsed) or 0.0
        step.ratio = max(step.ratio or 0.0, *result) if result else step.ratio
        yield step_progress(run, step, elapsed) or 0.0


WAYS: dict[str, Callable[[LogShape, Recording], Iterator[float]]] = {
    "time": timed,
    "counter": counted,
    "bytes": sized,
    "curve": curved,
    "fused": fused,
}


def mean_error(recording: Recording, ratios: Iterator[float]) -> float:
    """Return the mean distance of a bar from the time's true share, in hundredths."""
    true = [elapsed / recording.seconds for elapsed, _ in polls(recording)]
    return 100.0 * sum(abs(ratio - share) for ratio, share in zip(ratios, true, strict=True)) / len(true)


def compare(paths: list[Path]) -> None:
    """Print a table: a row a pair of recordings, the mean error of each way."""
    names = [*WAYS, "first run"]
    print("| measured by | build | seconds | log bytes | tasks | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 5) + "|")
    for earlier, later in zip(paths[::2], paths[1::2], strict=True):
        last, recording = load(earlier), load(later)
        shape = shape_of(last)
        errors: dict[str, float | None] = {
            name: mean_error(recording, way(shape, recording)) for name, way in WAYS.items()
        }
        if not any(counted(shape, recording)):
            errors["counter"] = None
        errors["first run"] = mean_error(recording, fused(None, recording, planned=last.seconds))
        figures = " | ".join("none" if error is None else f"{error:.1f}" for error in errors.values())
        seconds = f"{last.seconds:.0f} → {recording.seconds:.0f}"
        log = f"{len(recording.log)} | {shape.tasks}"
        print(f"| {last.name} | {recording.name} | {seconds} | {log} | {figures} |")


def main() -> int:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description="Measure how well a step's bar follows its time.")
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("paths", nargs="+", metavar="PATH")
    arguments = parser.parse_args()
    if arguments.what == "record":
        return record(Path(arguments.paths[0]), arguments.paths[1:])
    compare([Path(path) for path in arguments.paths])
    return 0


if __name__ == "__main__":
    sys.exit(main())
