"""Estimates weigh each kind of steps once: they must be those of weighing each step by itself."""

from __future__ import annotations

from dataclasses import asdict
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_exporter.estimate import Estimator, outlook
from build_exporter.estimate.history import History
from build_exporter.estimate.kinds import NO_NAME, Kind, Steps
from build_exporter.estimate.table import typical_steps
from build_exporter.model import events as e
from build_exporter.tracker import Tracker
from build_exporter.tracker.names import name_of, package_of

NAMES = [("chapter-5", "binutils-pass1"), ("chapter-6", "m4"), ("p", "a"), ("p", "b-1.2"), ("q", "c"), ("q", "new")]
Attempt = tuple[tuple[str, str], str | None, dict[str, float], float | None]
ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from([None, "1.2", "1.3"]),
        st.sampled_from([{}, {"sbu": 1.0}, {"sbu": 0.5, "expected_seconds": 60.0}, {"expected_seconds": 7.5}]),
        st.one_of(st.none(), st.sampled_from([0.0, 1.0, 30.0, 31.5, 4000.0])),
    ),
    min_size=1,
    max_size=30,
)


def taken(tracker: Tracker, day: int, attempts: list[Attempt], *, over: bool) -> float:
    """Have a run of these steps read, each with its seconds where it was done, and return when it is."""
    now = 1_780_000_000.0 + 86_400.0 * day
    steps = [
        e.PlannedStep(phase=phase, step=f"{place:03d}-{name}", package=name, version=version, **figures)  # type: ignore[arg-type]
        for place, ((phase, name), version, figures, _) in enumerate(attempts)
    ]
    events: list[e.Event] = [e.BuildStarted(time=now, build="b", jobs=4), e.Plan(time=now, build="b", steps=steps)]
    for step, (_, version, _, seconds) in zip(steps, attempts, strict=True):
        if seconds is not None:
            begun = e.StepStarted(time=now, build="b", phase=step.phase, step=step.step, version=version)
            now += seconds + 1.0
            events += [begun, e.StepFinished(time=now, build="b", phase=step.phase, step=step.step,
                                             status="succeeded", seconds=seconds)]  # fmt: skip
    if over:
        events.append(e.BuildFinished(time=now, build="b", status="succeeded"))
    tracker.feed("b", f"202601{day + 10}T000000Z", events)
    return now


def each_alone(steps: Steps, history: History) -> list[Kind]:
    """Give every step a kind of its own, with all that is known of it."""
    for step in steps.all:
        name = name_of(step.phase, step.step, step.version)
        figures = (step.expected_seconds or None, step.sbu or None)
        is_named = name in history.names or name in typical_steps()
        steps.kinds.append(Kind(name if is_named else NO_NAME, package_of(name, step.package), step.version, *figures))
    return steps.kinds


@settings(max_examples=40, deadline=None)
@given(st.lists(ATTEMPTS, max_size=2), ATTEMPTS)
def test_steps_of_a_kind_are_estimated_as_each_alone(earlier: list[list[Attempt]], attempts: list[Attempt]) -> None:
    """With and without earlier runs, figures, versions and names that the table knows; old steps count for nothing."""
    tracker = Tracker()
    for day, steps in enumerate(earlier):
        taken(tracker, day, steps, over=True)
    now = taken(tracker, 9, [*attempts, (NAMES[-1], None, {"sbu": 1.0}, None)], over=False)
    run = tracker.builds["b"].current
    assert run is not None
    found = Estimator(tracker.builds).outlook(run, now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Steps, "_sorted_out", each_alone)
        patch.setattr(outlook, "RANKS", 1e9)
        whole = Estimator(tracker.builds).outlook(run, now)
    assert (found is None) == (whole is None)
    if found is None or whole is None:
        return
    assert found.expected.keys() == whole.expected.keys()
    for key, step in found.expected.items():
        assert exp(step.seconds) == pytest.approx(exp(whole.expected[key].seconds), rel=1e-9)
        assert step.spread == pytest.approx(whole.expected[key].spread, rel=1e-9)
    estimates = [asdict(each.at(run, now)) for each in (found, whole)]
    assert estimates[0].pop("basis") == estimates[1].pop("basis")
    assert estimates[0] == pytest.approx(estimates[1], rel=1e-9)
