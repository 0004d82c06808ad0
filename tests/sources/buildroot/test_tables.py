"""Tables of Buildroot's build-time.log: lines by hand, and the runs and steps that they must become."""

from __future__ import annotations

import pytest

from build_exporter.model.events import BuildFinished, BuildStarted, StepFinished, StepStarted
from build_exporter.sources.buildroot.log import KEPT, NOT_ENDED, BuildTimeLog, Entry, read_line

X, Y = ("build", "x"), ("build", "y")


def told(rows: list[tuple[float, str, str]]) -> list[str]:
    """Return the events of lines `(second, start or end, package)` and of the log's end, as short words."""
    log = BuildTimeLog("b")
    for second, what, package in rows:
        log.feed(Entry(1000.0 + second, what == "start", ("build", package)))
    log.end()
    found = []
    for _, event in log.out:
        word = f"{event.time - 1000:g}"
        if isinstance(event, BuildStarted | BuildFinished):
            word += f" {event.status if isinstance(event, BuildFinished) else 'run'}"
        elif isinstance(event, StepStarted | StepFinished):
            word += f" {event.step} {event.status if isinstance(event, StepFinished) else 'starts'}"
            if isinstance(event, StepFinished):
                assert (event.message == NOT_ENDED) is (event.status == "failed")
                word += f" {event.seconds:g}" if event.seconds is not None else ""
        found.append(word)
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, "end", "x")], []),
        ([(0, "start", "x"), (5, "end", "x")], ["0 run", "0 x starts", "5 x succeeded", "5 succeeded"]),
        ([(0, "start", "x"), (0, "end", "x")], ["0 run", "0 x starts", "0 x succeeded", "0 succeeded"]),
        ([(0, "start", "x"), (-4, "end", "x"), (-3, "start", "y"), (-1, "end", "y")],
         ["0 run", "0 x starts", "0.001 x succeeded 0", "0.002 y starts", "0.003 y succeeded 2", "0.003 succeeded"]),
        ([(0, "start", "x"), (5, "end", "x"), (905, "start", "y"), (906, "end", "y")],
         ["0 run", "0 x starts", "5 x succeeded", "905 y starts", "906 y succeeded", "906 succeeded"]),
        ([(0, "start", "x"), (5, "end", "x"), (906, "start", "y"), (907, "end", "y")],
         ["0 run", "0 x starts", "5 x succeeded", "5 succeeded", "906 run", "906 y starts", "907 y succeeded",
          "907 succeeded"]),
        ([(0, "start", "x"), (2000, "end", "x")], ["0 run", "0 x starts", "2000 x succeeded", "2000 succeeded"]),
        ([(0, "start", "x"), (2000, "start", "y")],
         ["0 run", "0 x starts", "0 x failed", "0 failed", "2000 run", "2000 y starts", "2000 y failed",
          "2000 failed"]),
        ([(0, "start", "x"), (1, "start", "y"), (9, "end", "y"), (2000, "end", "x")],
         ["0 run", "0 x starts", "1 y starts", "9 y succeeded", "2000 x succeeded", "2000 succeeded"]),
        ([(0, "start", "x"), (60, "start", "x"), (5060, "start", "x"), (10_060, "end", "x")],
         ["0 run", "0 x starts", "0 x failed", "60 x starts", "60 x failed", "60 failed", "5060 run", "5060 x starts",
          "10060 x succeeded", "10060 succeeded"]),
        ([(0, "start", "x"), (1, "start", "x"), (9, "end", "x")],
         ["0 run", "0 x starts", "0 x failed", "1 x starts", "9 x succeeded", "9 succeeded"]),
        ([(0, "start", "x"), (1, "end", "x"), (2, "start", "y"), (4, "start", "x"), (5, "end", "x")],
         ["0 run", "0 x starts", "1 x succeeded", "2 y starts", "2 y failed", "4 x starts", "5 x succeeded",
          "5 failed"]),
        ([(0, "start", "x"), (1, "start", "y"), (3, "end", "x"), (50_000, "start", "z"), (50_001, "end", "z")],
         ["0 run", "0 x starts", "1 y starts", "3 x succeeded", "3 y failed", "3 failed", "50000 run",
          "50000 z starts", "50001 z succeeded", "50001 succeeded"]),
    ],
)  # fmt: skip
def test_lines_become_runs(rows: list[tuple[float, str, str]], expected: list[str]) -> None:
    """A pause over 15 minutes with nothing open parts runs; what begins and does not end has failed."""
    assert told(rows) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("12.345678901:start:build               : zlib", Entry(12.346, True, ("build", "zlib"))),
        ("12.5:end  :install-target: a+b", Entry(12.5, False, ("install-target", "a+b"))),
        ("12:end  :x: y", Entry(12.0, False, ("x", "y"))), ("12345678901:end  :x: y", None),
        ("12:end   :x: y", None), ("12:end  :X: y", None), ("12:end  :x: y z", None), ("12.:end  :x: y", None),
    ],
)  # fmt: skip
def test_lines_are_read(line: str, expected: Entry | None) -> None:
    """A line has its time to the millisecond, whether it is a start, the action and the package; damage is none."""
    assert read_line(line) == expected


def test_the_newest_durations_count() -> None:
    """What a step is expected to take is the median of its fifteen newest durations up to then."""
    log, clock = BuildTimeLog("b"), 1000.0
    for seconds in [500.0] * 8 + [float(each) for each in range(1, KEPT + 1)]:
        log.feed(Entry(clock, True, X))
        log.feed(Entry(clock + seconds, False, X))
        clock += seconds
    assert [log.expected(X, mark) for mark in (0, 8, 11, 8 + KEPT)] == [None, 500.0, 500.0, 8.0]
    assert log.expected(Y, 99) is None
    for starts in (True, False):
        log.feed(Entry(clock, starts, Y))
    assert log.expected(Y, 99) == 0.0, "one of no time at all is one"
    assert log.done == {X, Y}
