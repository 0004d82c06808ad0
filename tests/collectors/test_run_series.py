"""The kept lines of steps: always those a new start would render, and never more than allowed."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.collectors.steps import FAMILIES, RunSeries
from build_exporter.model import events as e
from build_exporter.model.states import StepState
from build_exporter.queries.course import course
from build_exporter.summary import _misspelt
from build_exporter.toolchain.steps import tools_of_steps
from build_exporter.tracker import Run, apply_all

BASE: dict[str, Any] = {"time": st.just(0.0), "build": st.just("b")}
STEP: dict[str, Any] = {**BASE, "phase": st.sampled_from("xy"), "step": st.sampled_from("abcdef")}
LETTERS = 'az0 "\\\n\r\t\0\x1b\x85é€\u2028\U0001f600'
"""Those that need care: hypothesis takes seconds to list all there are, before its first example."""
amounts = st.none() | st.floats(0, 1e6)
counts = st.none() | st.integers(0, 10**9)
planned_steps = st.builds(
    e.PlannedStep, phase=STEP["phase"], step=STEP["step"], sbu=st.none() | st.floats(0, 100), expected_seconds=amounts
)
some_event = st.one_of(
    st.builds(e.BuildStarted, **BASE),
    st.builds(e.Plan, **BASE, steps=st.lists(planned_steps, max_size=8), continues=st.booleans()),
    st.builds(e.StepStarted, **STEP, attempt=st.none() | st.integers(0, 5)),
    st.builds(e.StepStarted, **STEP, package=st.just("gcc"), version=st.none() | st.sampled_from("12")),
    st.builds(e.StepProgress, **STEP, ratio=st.none() | st.floats(0, 1), done=amounts, total=amounts),
    st.builds(
        e.StepFinished,
        **STEP,
        status=st.sampled_from(("succeeded", "failed", "skipped", "interrupted")),
        seconds=amounts,
        cpu_seconds=amounts,
        max_rss_bytes=counts,
        written_bytes=counts,
        warnings=counts,
        error_class=st.none() | st.just("compiler-error"),
        message=st.none() | st.text(LETTERS, max_size=20),
    ),
    st.builds(e.StepFinished, **STEP, status=st.sampled_from(("succeeded", "failed"))),
    st.builds(e.TestsReported, **STEP, suite=st.sampled_from("st"), passed=st.integers(0, 9), failed=st.integers(0, 9)),
    st.builds(e.BuildFinished, **BASE, status=st.sampled_from(("succeeded", "failed", "interrupted"))),
)
stories = st.lists(st.tuples(st.lists(some_event, max_size=6), st.floats(-500, 1000)), max_size=12)


def lines(series: RunSeries, now: float) -> dict[str, set[bytes]]:
    """Return each family's lines, which have no order that counts; none twice."""
    found = {}
    for name, body in series.bodies(now).items():
        each = body.splitlines()
        assert len(each) == len(set(each))
        found[name] = set(each)
    return found


def lived(run: Run, story: list[tuple[list[e.Event], float]]) -> Iterator[float]:
    """Have a run live a story, and yield the time of each look at it."""
    time = 1e6
    for events, passed in story:
        for event in events:
            time += passed
            event.time = time
            apply_all(run, [event])
        yield time


@given(stories)
def test_lines_kept_are_those_of_a_new_start(story: list[tuple[list[e.Event], float]]) -> None:
    """Whatever happens and however often it is scraped in between, a restart shows the very same lines."""
    run = Run("b", "20260101T000000Z")
    kept = RunSeries(run, 100)
    for time in lived(run, story):
        shown = lines(kept, time)
        assert kept.hidden == 0
        assert shown == lines(RunSeries(run, 100), time)


@given(stories)
def test_what_is_kept_of_all_steps_is_what_a_new_look_finds(story: list[tuple[list[e.Event], float]]) -> None:
    """Sums, tests, tools, and the steps that ended last or come next are those of now, however often asked for."""
    run = Run("b", "20260101T000000Z")
    for _ in lived(run, story):
        for find in (course, tools_of_steps, _misspelt):
            assert find(run) == inspect.unwrap(find)(run)
            assert find(run) is find(run)


def test_nothing_is_kept_of_a_run_that_is_gone() -> None:
    """What follows from the steps of a run goes with it."""
    run = Run("b", "20260101T000000Z")
    apply_all(
        run,
        [
            e.StepStarted(time=1.0, build="b", phase="p", step="s"),
            e.StepFinished(time=2.0, build="b", phase="p", step="s", status="succeeded"),
        ],
    )
    assert course(run).recent == [*run.steps.values()]
    gone = weakref.ref(run)
    del run
    gc.collect()
    assert gone() is None


def test_a_skipped_step_is_expected_to_take_what_a_new_start_would_show() -> None:
    """A step that was skipped before the run's pace was known follows the pace, as it does after a restart."""
    run = Run("b", "20260101T000000Z")
    kept = RunSeries(run, 100)
    plan = [e.PlannedStep(phase="p", step="a", sbu=1.0), e.PlannedStep(phase="p", step="s", sbu=2.0)]
    for event in (
        e.Plan(time=1.0, build="b", steps=plan),
        e.StepFinished(time=2.0, build="b", phase="p", step="s", status="skipped"),
        e.StepFinished(time=3.0, build="b", phase="p", step="a", status="succeeded", seconds=50.0),
    ):
        apply_all(run, [event])
        shown = lines(kept, event.time)
    assert shown == lines(RunSeries(run, 100), 3.0)
    assert any(b'step="s"' in line for line in shown["build_step_expected_seconds"])


@given(stories, st.integers(1, 6))
def test_above_the_limit_what_matters_is_shown(story: list[tuple[list[e.Event], float]], limit: int) -> None:
    """With too many steps no more than the limit have series: running ones first, then failed ones; no pending one."""
    run = Run("b", "20260101T000000Z")
    kept = RunSeries(run, limit)
    for time in lived(run, story):
        shown = lines(kept, time)
        status = {_key(line): int(line.rpartition(b" ")[2]) for line in shown["build_step_status"]}
        assert {_key(line) for body in shown.values() for line in body} == set(status)
        assert all(run.steps[key].state == state for key, state in status.items())
        assert len(status) + kept.hidden == len(run.steps)
        if len(run.steps) <= limit:
            assert kept.hidden == 0
            continue
        assert len(status) <= limit
        assert StepState.PENDING not in status.values()
        assert set(run.running) <= set(status) or set(status) <= set(run.running)
        if len(run.running) + len(run.failed) <= limit:
            lost = {key for key, step in run.steps.items() if step.state is StepState.INTERRUPTED}
            assert len(lost) + len(run.failed) + len(run.running) > limit or set(run.failed) <= set(status)


def _key(line: bytes) -> tuple[str, str]:
    labels = line.split(b'"')
    return labels[3].decode(), labels[5].decode()


def test_hidden_steps_come_and_go_with_time() -> None:
    """Of a long build those steps have series that ended last, and those that run."""
    run = Run("b", "20260101T000000Z")
    series = RunSeries(run, 3)
    for number in range(50):
        name: dict[str, Any] = {"build": "b", "phase": "p", "step": f"s{number}"}
        apply_all(run, [e.StepStarted(time=10.0 * number, **name)])
        shown = {_key(line)[1] for line in lines(series, 0.0)["build_step_status"]}
        assert shown == {f"s{each}" for each in range(max(0, number - 2), number + 1)}
        apply_all(run, [e.StepFinished(time=10.0 * number + 5, status="succeeded", **name)])
    lines(series, 0.0)
    assert (series.hidden, len(series._prefixes)) == (47, 3), "nothing is kept of a step without series"


def test_a_smaller_plan_brings_all_its_steps_back() -> None:
    """Once a new plan has few enough steps each has its series again."""
    run = Run("b", "20260101T000000Z")
    series = RunSeries(run, 5)
    plans = [[e.PlannedStep(phase="p", step=f"s{n}") for n in range(count)] for count in (20, 4)]
    apply_all(run, [e.Plan(time=1.0, build="b", steps=plans[0])])
    assert lines(series, 1.0)["build_step_status"] == set()
    assert series.hidden == 20
    apply_all(run, [e.Plan(time=2.0, build="b", steps=plans[1])])
    assert len(lines(series, 2.0)["build_step_status"]) == 4
    assert series.hidden == 0


@pytest.mark.parametrize("limit", [10, 10_000])
def test_retries_without_end_take_no_memory_without_end(limit: int) -> None:
    """A step tried again and again leaves nothing behind of its former attempts."""
    run = Run("b", "20260101T000000Z")
    series = RunSeries(run, limit)
    name: dict[str, Any] = {"build": "b", "phase": "p", "step": "s"}
    for number in range(2000):
        apply_all(run, [e.StepStarted(time=2.0 * number, **name)])
        series.bodies(0.0)
        apply_all(run, [e.StepFinished(time=2.0 * number + 1, status="failed", **name)])
        series.bodies(0.0)
    held = [value for value in vars(series).values() if isinstance(value, list | dict | set)]
    assert sum(map(len, held)) < 5 * len(FAMILIES)
    assert b" 2000\n" in series.bodies(0.0)["build_step_attempts"]
