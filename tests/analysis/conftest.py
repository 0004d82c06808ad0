"""Runs for the analysis tests, made from events as any writer makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all

Figures = Mapping[str, float | Mapping[str, Any]]
"""Seconds of steps by name, or the fields of their end beside `seconds`; those of the start with a `start_` before."""
MakeRun = Callable[..., Run]


def _events(figures: Figures, jobs: int | None, start: float, over: bool) -> Iterator[e.Event]:
    yield e.BuildStarted(time=start, build="lfs", jobs=jobs)
    now = start
    for name, given in figures.items():
        fields: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"seconds": given}
        package, version = fields.pop("package", None), fields.pop("version", None)
        status, pause = fields.pop("status", "succeeded"), fields.pop("pause", 0.0)
        phase, _, step = name.partition("/")
        now += pause
        yield e.StepStarted(time=now, build="lfs", phase=phase, step=step, package=package, version=version)
        now += fields["seconds"]
        yield e.StepFinished(time=now, build="lfs", phase=phase, step=step, status=status, **fields)
    if over:
        yield e.BuildFinished(time=now, build="lfs", status="succeeded")


@pytest.fixture
def make_run() -> MakeRun:
    """Return a run whose steps ran one after the other."""

    def make(
        figures: Figures, name: str = "20260101T000000Z", *, jobs: int | None = 4, start: float = 1000.0,
        plan: Sequence[e.PlannedStep] = (), over: bool = True,
    ) -> Run:  # fmt: skip
        run = Run("lfs", name)
        if plan:
            apply_all(run, [e.Plan(time=start, build="lfs", steps=list(plan))])
        apply_all(run, _events(figures, jobs, start, over))
        return run

    return make
