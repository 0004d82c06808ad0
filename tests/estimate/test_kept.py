"""An estimate is worked out again when what it rests on changes, and not for each of thousands of builds."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from build_exporter.estimate import Estimator
from build_exporter.estimate.outlook import Outlook
from build_exporter.model.events import (
    BuildFinished,
    BuildStarted,
    Event,
    Plan,
    PlannedStep,
    StepFinished,
    StepProgress,
    StepStarted,
    Toolchain,
)
from build_exporter.tracker import Tracker

START = 1.78e9


def events(build: str, seconds: float, *, over: bool) -> list[Event]:
    """Return a run of five steps that each took so long, or its beginning: the first step done, the second begun."""
    steps = [PlannedStep(phase="p", step=f"s{n}") for n in range(5)]
    found: list[Event] = [BuildStarted(time=START, build=build), Plan(time=START, build=build, steps=steps)]
    for n in range(5 if over else 1):
        at = START + n * seconds
        found.append(StepStarted(time=at, build=build, phase="p", step=f"s{n}"))
        found.append(StepFinished(time=at + seconds, build=build, phase="p", step=f"s{n}", status="succeeded"))
    if over:
        return [*found, BuildFinished(time=START + 5 * seconds, build=build, status="succeeded")]
    return [*found, StepStarted(time=START + seconds, build=build, phase="p", step="s1")]


def test_an_estimate_follows_the_earlier_runs_of_every_build() -> None:
    """Another build's running run changes nothing; once it is over it is a measure, until the build is gone."""
    tracker, now = Tracker(), START + 120.0
    run = tracker.feed("lfs", "20260601T000000Z", events("lfs", 100.0, over=False))
    estimator = Estimator(tracker.builds)
    first = estimator.outlook(run, now)
    assert first is not None
    assert first.history.names == {}
    assert estimator.outlook(run, now + 1) is first
    tracker.feed("other", "20260501T000000Z", events("other", 50.0, over=True)[:-1])
    assert (estimator.outlook(run, now) or first).history.names == {}
    tracker.feed("other", "20260501T000000Z", events("other", 50.0, over=True)[-1:])
    second = estimator.outlook(run, now)
    assert second is not None
    assert len(second.history.names) == 5
    assert estimator.outlook(run, now) is second
    tracker.forget("other")
    third = estimator.outlook(run, now)
    assert third is not None
    assert third.history.names == {}


def test_an_estimate_follows_the_machine_as_it_becomes_known() -> None:
    """What an SBU takes is known from another build here as soon as a survey has shown that it is here."""
    tracker, now = Tracker(), START + 120.0
    system: dict[str, Any] = {"kernel": "6.1.0", "libc": "glibc 2.36", "host": "x86_64-linux-gnu"}
    plan = [PlannedStep(phase="p", step=f"s{n}", sbu=1.0) for n in range(5)]
    other = [Plan(time=START, build="other", steps=plan), *events("other", 50.0, over=True)[2:]]
    tracker.feed("other", "20260501T000000Z", [*other, Toolchain(time=START, build="other", **system)])
    run = tracker.feed("b", "20260601T000000Z", [Plan(time=START, build="b", steps=plan)])
    tracker.feed("b", run.run, [StepStarted(time=now, build="b", phase="p", step="s0")])
    estimator = Estimator(tracker.builds)
    found = estimator.outlook(run, now)
    assert found is not None
    assert found.is_of_unknown_machine
    tracker.feed("b", run.run, [Toolchain(time=now, build="b", **system)])
    found = estimator.outlook(run, now)
    assert found is not None
    assert (found.history.sbu_seconds, found.is_of_unknown_machine) == (50.0, False)


def test_an_estimate_that_takes_long_is_not_made_again_after_each_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its rest is over it counts down, and a new plan has it made at once; a short one follows each end."""
    tracker, now = Tracker(), START + 120.0
    run = tracker.feed("lfs", "20260601T000000Z", events("lfs", 100.0, over=False))
    finished = StepFinished(time=now + 30.0, build="lfs", phase="p", step="s1", status="succeeded")
    monkeypatch.setattr("build_exporter.estimate.estimator.FREE_SECONDS", -1.0)
    monkeypatch.setattr("build_exporter.estimate.estimator.REST_RATIO", 1000.0)
    estimator = Estimator(tracker.builds)
    outlook, first = estimator.outlook(run, now), estimator(run, now)
    assert first is not None
    tracker.feed("lfs", run.run, [finished])
    assert estimator.outlook(run, now + 30.0) is outlook
    later = estimator(run, now + 30.0)
    assert later is not None
    assert (later.low, later.middle, later.high) == (max(0, first.low - 30), first.middle - 30, first.high - 30)
    assert estimator(run, now - 3600.0) == first, "a clock set back by an hour adds none"
    fresh = Estimator(tracker.builds)(run, now + 30.0)
    assert fresh is not None
    assert fresh.middle != later.middle
    more = [PlannedStep(phase="p", step=f"s{n}") for n in range(9)]
    tracker.feed("lfs", run.run, [Plan(time=now + 31.0, build="lfs", steps=more)])
    assert estimator.outlook(run, now + 31.0) is not outlook
    monkeypatch.setattr("build_exporter.estimate.estimator.REST_RATIO", 0.0)
    estimator = Estimator(tracker.builds)
    outlook = estimator.outlook(run, now)
    finished.time, finished.step = now + 32.0, "s2"
    tracker.feed("lfs", run.run, [finished])
    assert estimator.outlook(run, now) is not outlook


def test_what_running_steps_report_shows_within_a_second() -> None:
    """Scraped again and again an estimate counts down; a second later, or after an end, it is made anew."""
    tracker, now = Tracker(), START + 120.0
    run = tracker.feed("lfs", "20260601T000000Z", events("lfs", 100.0, over=False))
    estimator = Estimator(tracker.builds)
    first = estimator(run, now)
    assert first is not None
    tracker.feed("lfs", run.run, [StepProgress(time=now, build="lfs", phase="p", step="s1", ratio=0.9)])
    assert estimator(run, now + 0.75) == first.after(0.75)
    second = estimator(run, now + 1.0)
    assert second == Estimator(tracker.builds)(run, now + 1.0)
    assert second != first.after(1.0)
    assert estimator(run, now - 5.0) == Estimator(tracker.builds)(run, now - 5.0), "by a clock that was set back"
    tracker.feed("lfs", run.run, [StepFinished(time=now, build="lfs", phase="p", step="s1", status="succeeded")])
    assert estimator(run, now - 5.0) == Estimator(tracker.builds)(run, now - 5.0)


def test_nothing_is_kept_of_a_run_that_is_over() -> None:
    """The memory of an estimate is given back when its run ends, and one of an earlier run costs the newest nothing."""
    tracker, now = Tracker(), START + 120.0
    earlier = tracker.feed("lfs", "20260601T000000Z", events("lfs", 100.0, over=True))
    run = tracker.feed("lfs", "20260602T000000Z", events("lfs", 100.0, over=False))
    estimator = Estimator(tracker.builds)
    found = estimator.outlook(run, now)
    assert found is not None
    assert estimator.outlook(earlier, now) is None
    assert estimator.outlook(run, now) is found
    kept = id(found)
    tracker.feed("lfs", "20260602T000000Z", [BuildFinished(time=now, build="lfs", status="failed")])
    del found
    assert any(id(each) == kept for each in gc.get_objects() if isinstance(each, Outlook))
    assert estimator.outlook(run, now) is None
    assert not any(id(each) == kept for each in gc.get_objects() if isinstance(each, Outlook))
    other = tracker.feed("other", "20260602T000000Z", events("other", 100.0, over=False))
    run = tracker.feed("lfs", "20260603T000000Z", events("lfs", 100.0, over=False))
    assert estimator.outlook(run, now)
    tracker.forget("lfs")
    assert estimator.outlook(other, now)
    assert list(estimator._kept) == ["other"], "nor of a build that was removed while it ran"
