"""`failing-steps`: which steps fail over the runs of a build, of what, and how they come right again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from build_exporter.model.states import FailureClass
from build_exporter.queries.attempts import Attempt, attempts
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Key, Run

MAX_RUNS: Final = 50
"""Runs of a build that are looked at, the newest."""

Pattern = Literal["repeating", "flaky", "once"]


class FailingStepRow(Answer, frozen=True):
    """A step's failures of one class over the runs in which it was tried.

    `recovered` counts the runs in which a later attempt succeeded, `recovery_seconds` is the median time that took.
    `pattern`: `repeating` in each of the last two runs that tried the step, or more; `flaky` where it failed and
    recovered in two runs or more; else `once`. `open`: it fails now.
    """

    build: str
    phase: str
    step: str
    error_class: str
    failures: int
    runs_failed: int
    runs: int
    recovered: int
    recovery_seconds: float | None
    pattern: Pattern
    open: bool


@dataclass(slots=True)
class _Failures:
    """A step's failures of one class: how many by run, and how long each recovery took by run."""

    by_run: dict[str, int] = field(default_factory=dict)
    recoveries: dict[str, float] = field(default_factory=dict)


def failing_steps(request: Request) -> Reply:
    """Return the failures of each build's runs by phase, step and class, the most frequent first."""
    rows = [row for newest in request.newest() for row in _rows(request, newest)]
    wanted = request.filter("class")
    rows = [row for row in rows if wanted in (None, row.error_class)]
    rows.sort(key=lambda row: (-row.failures, row.build, row.phase, row.step))
    return Reply(rows, bad=any(row.open or row.pattern != "once" for row in rows))


def _rows(request: Request, newest: Run) -> Iterator[FailingStepRow]:
    tried: dict[Key, list[str]] = {}
    found: dict[tuple[Key, str], _Failures] = {}
    for run in reversed(request.latest(newest, MAX_RUNS)):
        failed: dict[Key, list[Attempt]] = {}
        for each in attempts(request, run):
            key = (each.phase, each.step)
            if each.status not in ("failed", "succeeded") or not request.in_window(each.end):
                continue
            names = tried.setdefault(key, [])
            if names[-1:] != [run.run]:
                names.append(run.run)
            if each.status == "failed":
                failed.setdefault(key, []).append(each)
                by_run = found.setdefault((key, each.error_class or FailureClass.OTHER), _Failures()).by_run
                by_run[run.run] = by_run.get(run.run, 0) + 1
            else:
                for earlier in failed.pop(key, ()):
                    known = found[key, earlier.error_class or FailureClass.OTHER].recoveries
                    known.setdefault(run.run, each.end - earlier.end)
    for (key, kind), failures in found.items():
        yield _row(newest, key, kind, failures, tried[key])


def _row(newest: Run, key: Key, kind: str, failures: _Failures, runs: list[str]) -> FailingStepRow:
    step = newest.failed.get(key)
    return FailingStepRow(
        build=newest.build,
        phase=shown(key[0]),
        step=shown(key[1]),
        error_class=kind,
        failures=sum(failures.by_run.values()),
        runs_failed=len(failures.by_run),
        runs=len(runs),
        recovered=len(failures.recoveries),
        recovery_seconds=median(failures.recoveries.values()) if failures.recoveries else None,
        pattern=_pattern(failures, runs),
        open=step is not None and (step.error_class or FailureClass.OTHER) == kind,
    )


def _pattern(failures: _Failures, runs: list[str]) -> Pattern:
    if len(failures.recoveries) > 1:
        return "flaky"
    return "repeating" if len(runs) > 1 and all(run in failures.by_run for run in runs[-2:]) else "once"


QUERY = Query(
    failing_steps,
    FailingStepRow,
    "Show which steps fail over all runs, of what, and whether they are flaky or fail again and again.",
    filters=("class", "limit"),
    example="--class test-failure",
    not_fine="a step fails now, fails again and again, or is flaky",
)
