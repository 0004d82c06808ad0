"""Parse Ninja's .ninja_log: rows, and the run each belongs to. Nothing here reads a file."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from build_exporter.sources.implausible import EARLIEST

HEADER: Final = "# ninja log v"

GAP_SECONDS: Final = 0.5
"""Rows of one run imply the same start within this, except unchanged outputs."""

SLACK_SECONDS: Final = 1.0
FIRST_OF_STARTS: Final = 6
"""Version of the log from which on ninja (1.12) writes down when a command began, and before that an output's time."""

SLOWEST: Final = 5
"""Edges named as the slowest of a run."""


class Row(NamedTuple):
    """One output: when its edge began and ended in seconds of its run, its time in Unix seconds, path, command."""

    start: float
    end: float
    time: float
    output: str
    command: str

    @property
    def edge(self) -> tuple[float, float, str]:
        """Key shared by the outputs of one edge."""
        return (self.start, self.end, self.command)

    @property
    def earliest(self) -> float:
        """The earliest its run may have begun: as its output was made no later than its edge ended."""
        return self.time - self.end

    @property
    def latest(self) -> float:
        """The latest its run may have begun: as its output, or the time noted for it, is no older than its edge."""
        return self.time - self.start

    def began(self, *, has_starts: bool) -> float:
        """Return when its run began, by what the log's third column is."""
        return self.latest if has_starts else self.earliest


def has_starts(header: str) -> bool:
    """Return whether the log's third column is the start of commands, by the version in its first line."""
    version = header.removeprefix(HEADER).strip()
    return version.isdecimal() and int(version) >= FIRST_OF_STARTS


def read_row(line: str) -> Row | None:
    """Parse a line; None where it is not a row of the log, or is damaged."""
    parts = line.split("\t")
    if len(parts) != 5 or line.startswith("#"):
        return None
    try:
        start, end, nanoseconds = (int(part) if len(part) < 20 else -1 for part in parts[:3])
    except ValueError:
        return None
    if not 0 <= start <= end < 10**10 or nanoseconds < 0 or not parts[3]:
        return None
    return Row(start / 1e3, end / 1e3, nanoseconds / 1e9, parts[3], parts[4])


@dataclass(slots=True, eq=False)
class NinjaRun:
    """One run of ninja.

    Attributes:
        start: Unix seconds, by its first row.
        last: seconds from there to its newest end.
        edges: the edges it has run, each with its first output.
    """

    start: float
    last: float = 0.0
    edges: dict[tuple[float, float, str], str] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """Unix seconds of its newest end."""
        return round(self.start + self.last, 3)

    def add(self, row: Row) -> None:
        """Take a row of it."""
        self.edges.setdefault(row.edge, row.output)
        self.last = max(self.last, row.end)

    def slowest(self) -> list[tuple[float, str]]:
        """Return the seconds and the output of the edges that took longest, the longest first."""
        found = sorted(((end - start, output) for (start, end, _), output in self.edges.items()), reverse=True)
        return [(seconds, output) for seconds, output in found[:SLOWEST] if seconds > 0]


def group_runs(rows: list[Row], *, has_starts: bool) -> list[NinjaRun]:
    """Return the runs that the rows of a whole log are of, oldest first.

    Ninja writes the log again from time to time, in no order at all, so that it is not the lines' order that shows
    runs apart but the span in which each row's run must have begun: those of one run have a moment in common, whether
    the log holds when commands began or when outputs were made. An output that a command left as it was has an older
    time; where that falls into another run, it counts there.
    """
    dated = sorted((row.latest, index) for index, row in enumerate(rows) if row.time >= EARLIEST)
    moments: list[float] = []
    for latest, index in dated:
        if not moments or rows[index].earliest > moments[-1] + GAP_SECONDS:
            moments.append(latest)
    groups: dict[int, list[int]] = {}
    group = -1
    for index, row in enumerate(rows):
        # a row without a time is of the run of the row before, unless that shows it to be of another
        if row.time >= EARLIEST:
            group = _nearest(moments, row)
        elif is_undated_run(rows, index):
            group = -1
        groups.setdefault(group, []).append(index)
    return [_run(rows, groups[each], has_starts=has_starts) for each in sorted(groups) if each >= 0]


def _nearest(moments: list[float], row: Row) -> int:
    """Return which of the moments in a row's span is nearest to one of its ends: most rows have one of them exactly."""
    first = bisect_left(moments, row.earliest - GAP_SECONDS)
    last = max(first, bisect_right(moments, row.latest + GAP_SECONDS) - 1)
    return last if row.latest - moments[last] <= abs(moments[first] - row.earliest) else first


def _run(rows: list[Row], group: list[int], *, has_starts: bool) -> NinjaRun:
    # by the row that came first, as whoever followed the log named it
    run = NinjaRun(round(rows[group[0]].began(has_starts=has_starts), 3))
    for index in group:
        run.add(rows[index])
    return run


def is_another_run(run: NinjaRun, row: Row, *, has_starts: bool) -> bool:
    """Return whether a row appended to the log is of a later run than the newest."""
    if row.end < run.last - SLACK_SECONDS:
        # a shorter time since the run's beginning than the row before it: another beginning, or an older output
        return row.latest > run.start + SLACK_SECONDS
    distance = min(abs(row.latest - run.start), abs(row.earliest - run.start))
    fits = row.earliest - GAP_SECONDS <= run.start <= row.latest + GAP_SECONDS
    if fits and (not has_starts or distance <= SLACK_SECONDS):
        return False
    return row.latest > run.end + SLACK_SECONDS


def is_undated_run(rows: list[Row], index: int) -> bool:
    """Return whether a row has no time, as its output is not there, and is of another run than the row before it."""
    return rows[index].time < EARLIEST and (not index or rows[index].end < rows[index - 1].end)


def outputs(rows: Iterable[Row]) -> set[str]:
    """Return the outputs of rows."""
    return {row.output for row in rows}
