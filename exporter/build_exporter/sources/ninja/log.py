"""Parse Ninja's .ninja_log: rows, and the run each belongs to. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

HEADER: Final = "# ninja log v"

GAP_SECONDS: Final = 0.5
"""Rows of one run tell its beginning alike within this, but where an output keeps an older time."""

SLACK_SECONDS: Final = 1.0
EARLIEST: Final = 946684800.0
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
        """What the outputs of one edge have in common."""
        return (self.start, self.end, self.command)

    @property
    def began(self) -> float:
        """When its run began: since 1.11 ninja writes down the time at which the command was started."""
        return self.time - self.start


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


def group_runs(rows: list[Row]) -> list[NinjaRun]:
    """Return the runs that the rows of a whole log are of, oldest first.

    Ninja rewrites the log from time to time, in no order, so runs are distinguished by the start that each row
    implies. Rows within another run's time belong to that run: an output that a command left unchanged keeps its
    older time.
    """
    dated = sorted((row.began, index) for index, row in enumerate(rows) if row.began >= EARLIEST)
    groups: list[list[int]] = []
    newest = until = -1.0
    for began, index in dated:
        if groups and (began - newest <= GAP_SECONDS or began <= until):
            groups[-1].append(index)
            if began - newest <= GAP_SECONDS:
                newest = began
        else:
            groups.append([index])
            newest, until = began, -1.0
        until = max(until, newest + rows[index].end)
    return [_run(rows, sorted(group)) for group in groups]


def _run(rows: list[Row], group: list[int]) -> NinjaRun:
    run = NinjaRun(round(rows[group[0]].began, 3))
    for index in group:
        run.add(rows[index])
    return run


def is_another_run(run: NinjaRun, row: Row) -> bool:
    """Return whether a row appended to the log is of a later run than the newest: it began after that one's end."""
    if row.began < EARLIEST:
        return False
    after = run.end + SLACK_SECONDS
    # a shorter time since the run's beginning than the row before it: another beginning
    return row.began > after or (row.end < run.last - SLACK_SECONDS and row.began > run.start + SLACK_SECONDS)


def outputs(rows: Iterable[Row]) -> set[str]:
    """Return the outputs of rows."""
    return {row.output for row in rows}
