"""The series of verdicts: the present one, and those the same attempt had before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.collectors.verdicts import MAX_STEPS, VerdictCollector
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.tracker import Run, Step
from build_exporter.verdicts import Judgement, Verdicts


class Judged(Verdicts):
    """Verdicts as they are set; all else as in the real ones."""

    now: Verdict = Verdict.COMPILING

    def judgement(self, run: Run, step: Step) -> Judgement | None:
        """Return the verdict that is set, of a step that runs."""
        return Judgement(self.now, ()) if super().judgement(run, step) is not None else None


@pytest.fixture
def judged() -> Judged:
    """Verdicts to set."""
    return Judged(list)


@pytest.fixture
def shown(monitor: Monitor, judged: Judged, samples: Callable[..., Any]) -> Callable[..., dict[str, float]]:
    """Set a verdict, and return what a scrape then shows: values by verdict."""
    collector = VerdictCollector(monitor, judged, 10)

    def show(verdict: Verdict) -> dict[str, float]:
        judged.now = verdict
        monitor.poll()
        return {dict(labels)["verdict"]: value for (_, labels), value in samples(collector.collect()).items()}

    return show


def test_a_step_has_series_of_the_verdicts_it_has_had(
    run_file: Callable[..., Any], shown: Callable[..., dict[str, float]]
) -> None:
    """A running step costs one series, a change of its verdict leaves a 0, and a new attempt begins anew."""
    run = run_file("b", clock=1000.0)
    run.add("step_started", phase="p", step="s")
    assert shown(Verdict.COMPILING) == {"compiling": 1}
    assert shown(Verdict.STUCK) == {"compiling": 0, "stuck": 1}
    assert shown(Verdict.STUCK) == {"compiling": 0, "stuck": 1}
    assert shown(Verdict.COMPILING) == {"compiling": 1, "stuck": 0}
    assert shown(Verdict.IDLE) == {"compiling": 0, "stuck": 0, "idle": 1}
    run.add("step_finished", phase="p", step="s", status="failed")
    run.add("step_started", phase="p", step="s")
    assert shown(Verdict.TESTING) == {"testing": 1}
    run.add("step_finished", phase="p", step="s", status="succeeded")
    assert shown(Verdict.TESTING) == {}
    run_file("b", "20990101T000000Z", clock=1.78e9).add("step_started", phase="p", step="s")
    assert shown(Verdict.LINKING) == {"linking": 1}
    run_file("b", "20990102T000000Z", clock=1.79e9).add("step_started", phase="p", step="s")
    assert shown(Verdict.IDLE) == {"idle": 1}, "of the same attempt at the same step of the run before nothing is left"


def test_series_are_bounded(
    monitor: Monitor, judged: Judged, run_file: Callable[..., Any], samples: Callable[..., Any]
) -> None:
    """However many steps run at once, the series of a build's verdicts have a limit."""
    run = run_file("b", clock=1000.0)
    for number in range(MAX_STEPS + 1):
        run.add("step_started", phase="p", step=str(number))
    monitor.poll()
    found = samples(VerdictCollector(monitor, judged, 10).collect())
    assert [dict(labels)["step"] for _, labels in found] == [str(number) for number in range(MAX_STEPS)]
