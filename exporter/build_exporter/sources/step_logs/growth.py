"""Growth of a step's log, compared with the last time the step succeeded.

A log does not grow evenly. Configure writes much in little time, a compiler run by quiet make rules a word in much: a
line that stands for a task, an object compiled or a test, counts as much as a thousand bytes. And what is remembered
is a curve: the share of the log that was written by the end of each twentieth of the attempt's time.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

from build_exporter.tracker import LogShape

PARTS: Final = 20
"""Points of an attempt's time for which the curve holds the bytes written."""

MAX_POINTS: Final = 512
"""Points kept of a log that grows; of more each second one is dropped, and those to come lie as far apart."""

MAX_GAP: Final = 0.1
"""Without a curve stays what no one looked at for more than this share of its time and of its bytes."""

MIN_SECONDS: Final = 10.0
"""An attempt shorter than this needs no bar, and its log is not remembered."""

TASK_BYTES: Final = 1000
"""Bytes of other output a task counts for: measured, see docs/guide/progress.md; 300 or 3000 are nearly as good."""

TOLERANCE: Final = 0.02
"""Share of what was written so far by which the same place may differ between attempts: other numbers, other paths."""

_QUIET: Final = re.compile(r" {1,4}[A-Z][A-Z0-9_]{1,11}(?: \[M\])? +\S+$")
"""A command as automake's quiet rules and the kernel show it."""

_TASK: Final = re.compile(
    r"(?:PASS|FAIL|XFAIL|XPASS|SKIP|ERROR): |(?:not )?ok \d|\[\s*\d+(?:/\d+\]|%\])|\s*\d+/\d+ |\s*\d+: .* ok$"
)
TASK_WORDS: Final = (
    b" -c ",
    *(f"\n  {tag}".encode() for tag in ("CC", "CXX", "LD", "AR", "AS", "GEN", "HOST")),
    *(f"\n[{first}".encode() for first in " 0123456789"),
    *(b"\nPASS: ", b"\nFAIL: ", b"\nXFAIL: ", b"\nSKIP: ", b"\nok ", b"\nnot ok "),
)
"""Text in most of these lines, for counting without reading them; see `scan`."""

TASK_BEGINS: Final = frozenset("PFXSEno[0123456789 ")


class Span(NamedTuple):
    """The share of the attempt's time that a size stands for, and the earliest and the latest that it may."""

    earliest: float
    likely: float
    latest: float


def is_task(line: str) -> bool:
    """Return whether a line stands for a compiler's run, a link or a test."""
    if line[:1] in TASK_BEGINS and _TASK.match(line) is not None:
        return True
    return " -c " in line or (line[:1] == " " and _QUIET.match(line) is not None)


class Growth:
    """Observations of a growing log.

    Attributes:
        size: bytes at the last poll.
        tasks: lines among them that stand for a task.
        still_since: seconds from the attempt's beginning at which it was last seen to have grown.
    """

    def __init__(self) -> None:
        self.size = 0
        self.tasks = 0
        self.still_since = 0.0
        self._points: list[tuple[float, int]] = [(0.0, 0)]
        self._spacing = 0.0

    @property
    def amount(self) -> int:
        """Bytes, a task counting as many as it does."""
        return self.size + TASK_BYTES * self.tasks

    def see(self, elapsed: float, size: int, tasks: int = 0) -> None:
        """Take note of the log's size in bytes, and its tasks, some seconds after the attempt's beginning."""
        elapsed = max(elapsed, self._points[-1][0])
        if size > self.size:
            self.still_since = elapsed
        self.size, self.tasks = max(self.size, size), max(self.tasks, tasks)
        if elapsed - self._points[-1][0] < self._spacing:
            return
        self._points.append((elapsed, self.amount))
        if len(self._points) > MAX_POINTS:
            del self._points[1::2]
            self._spacing = elapsed / len(self._points)

    def curve(self, seconds: float) -> list[float] | None:
        """Return the curve of an attempt that took so long; None where too little of its log was seen to grow."""
        if seconds <= 0 or self.size <= 0:
            return None
        points = [(min(1.0, elapsed / seconds), amount / self.amount) for elapsed, amount in self._points]
        points.append((1.0, 1.0))
        gaps = ((later - earlier, more - less) for (earlier, less), (later, more) in itertools.pairwise(points))
        if any(time > MAX_GAP and written > MAX_GAP for time, written in gaps):
            return None
        return [round(_at(points, (part + 1) / PARTS), 4) for part in range(PARTS)]


def place(shape: LogShape, growth: Growth) -> Span:
    """Return which share of the attempt's time a log that has grown so far stands for; beyond 1 where it is larger."""
    whole = shape.size + TASK_BYTES * shape.tasks
    share = (growth.amount if shape.tasks else growth.size) / whole
    if share > 1.0 or not shape.curve:
        return Span(share, share, share)
    less, more = share * (1.0 - TOLERANCE), share * (1.0 + TOLERANCE)
    return Span(_when(shape, less), _when(shape, share), _when(shape, more))


def _when(shape: LogShape, share: float) -> float:
    """Return the share of the time by which that share of the log was written."""
    if share <= 0.0:
        return 0.0
    curve = shape.curve
    # whoever wrote it may have written anything: only what rises is looked up right, and what comes is within 0 to 1
    part = bisect_left(curve, share)
    if part >= len(curve):
        return 1.0
    before = curve[part - 1] if part else 0.0
    rise = curve[part] - before
    within = min(1.0, max(0.0, (share - before) / rise)) if rise > 0 else 1.0
    return (part + within) / len(curve)


def _at(points: list[tuple[float, float]], time: float) -> float:
    """Return the share written by a share of the time, on the line between the points about it."""
    after = bisect_right(points, (time, math.inf))
    if after >= len(points):
        return 1.0
    (earlier, less), (later, more) = points[after - 1], points[after]
    return less + (more - less) * (time - earlier) / (later - earlier)
