"""What needs a look in a build: each kind at its limit and just before, in words, the urgent first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
import pytest

from build_exporter import summary
from build_exporter.cli.status_analysis import analysis_lines
from build_exporter.config.schema import Thresholds
from build_exporter.estimate import Estimate
from build_exporter.model.states import Verdict
from build_exporter.queries.attention import attention
from build_exporter.queries.build import board
from build_exporter.verdicts import Judgement

LIMITS = Thresholds(stalled_seconds=60.0, step_overdue_ratio=2.0, step_overdue_seconds=300.0, step_attempts=3)


def kinds(build: Any, after: float = 0.0, **options: Any) -> list[tuple[str, str, str | None, str]]:
    """Return kind, severity, step and words of what needs a look some seconds after the newest event."""
    context = build.context(after, thresholds=LIMITS, **options)
    found = attention(context, build.tracker.builds[build.build].current)
    return [(each.kind, each.severity, each.step, each.message) for each in found]


def test_a_failure_is_shown_without_its_secrets(builder: Callable[..., Any]) -> None:
    """The newest failure first, by its words or its class."""
    build = builder()
    build.step("p", "old", status="failed", error_class="killed")
    build.step("p", "mute", status="failed", exit_code=2)
    build.step("p", "new", status="failed", message="cannot log in with password=hunter2hunter2")
    assert kinds(build) == [
        ("failed", "critical", "new", "cannot log in with password=***"),
        ("failed", "critical", "mute", "exit code 2"),
        ("failed", "critical", "old", "killed"),
    ]
    build.step("p", "new again")
    build.add("build_finished", status="succeeded")
    assert [severity for _, severity, *_ in kinds(build)] == ["info"] * 3, "the run repaired them"


@pytest.mark.parametrize(("expected", "ages"), [(400.0, (799.0, 800.0)), (100.0, (399.0, 400.0))])
def test_overdue_is_twice_the_time_and_five_minutes_more(
    builder: Callable[..., Any], expected: float, ages: tuple[float, float]
) -> None:
    """A long step by the ratio, a short one by the seconds: both limits must be passed."""
    build = builder()
    build.add("plan", steps=[{"phase": "p", "step": "s", "expected_seconds": expected}])
    build.add("step_started", phase="p", step="s")
    found = [[kind for kind, *_ in kinds(build, age) if kind == "overdue"] for age in ages]
    assert found == [[], ["overdue"]]
    assert f"takes {ages[1] / expected:.1f} times as long as expected" in str(kinds(build, ages[1]))


def test_silence_is_a_stall_from_its_limit_on(builder: Callable[..., Any]) -> None:
    """A running build without an event for a minute; one that has ended may be silent for ever."""
    build = builder()
    build.add("step_started", phase="p", step="s")
    assert (kinds(build, 59.9), [kind for kind, *_ in kinds(build, 60.0)]) == ([], ["stalled"])
    build.add("build_finished", status="interrupted")
    assert kinds(build, 1e6) == [("interrupted", "critical", None, "the build ended before all its steps were done")]


def test_a_success_that_left_steps_out_is_no_clean_one(builder: Callable[..., Any]) -> None:
    """A run ended as succeeded after one of three planned steps says so, and a phase never begun is not complete."""
    build = builder()
    build.add("plan", steps=[{"phase": p, "step": s} for p, s in (("p", "a"), ("p", "b"), ("q", "c"))])
    build.step("p", "a")
    assert kinds(build) == [], "they may still come"
    build.add("build_finished", status="succeeded")
    assert kinds(build) == [("pending", "warning", None, "succeeded, but 2 planned steps never ran")]
    shown = board(build.context(), build.build)
    assert [(each.state, each.progress_ratio) for each in shown.phases] == [("succeeded", 1.0), ("pending", 0.0)]
    assert (shown.progress_ratio, shown.upcoming) == (1.0, [])
    assert list(analysis_lines(build.tracker, build.tracker.builds[build.build].current, "", build.clock)) == [
        f"  {click.style('pending   ', fg='yellow')} succeeded, but 2 planned steps never ran"
    ]
    for day, names in ((3, "abc"), (4, "abc"), (5, "ab")):
        build.run = f"2026010{day}T000000Z"
        for name in names:
            build.step("p", name)
        build.add("build_finished", status="succeeded")
    assert build.tracker.builds["lfs"].current.adopted
    assert kinds(build) == [], "what only earlier runs did was never asked for"


def test_a_misspelt_step_is_noticed(builder: Callable[..., Any]) -> None:
    """A step under almost the name of a planned one to come is named with it; one unlike all was added on purpose."""
    build = builder()
    build.add("plan", steps=[{"phase": "chapter-5", "step": s} for s in ("501-binutils-pass1", "502-gcc-pass1")])
    build.step("chapter-5", "my-own-tool")
    assert kinds(build) == []
    build.step("chapter5", "502-gcc-pass1")
    build.step("chapter-5", "501-binutls-pass1")
    words = (
        "not in the plan: chapter5/502-gcc-pass1, perhaps chapter-5/502-gcc-pass1; "
        "chapter-5/501-binutls-pass1, perhaps chapter-5/501-binutils-pass1"
    )
    assert kinds(build) == [("unplanned", "warning", None, words)]
    run = build.tracker.builds[build.build].current
    lines = list(analysis_lines(build.tracker, run, "", build.clock))
    assert lines == [f"  {click.style('unplanned ', fg='yellow')} {words}"]
    build.step("chapter-5", "502-gcc-pass1")
    build.step("chapter-5", "501-binutils-pass1")
    assert kinds(build) == [], "the planned ones ran after all"
    run.adopted = True
    assert kinds(build) == [], "a plan that earlier runs made is a guess"


def test_an_added_pass_or_a_step_of_another_phase_is_not_misspelt(builder: Callable[..., Any]) -> None:
    """A name with other digits is another step, and so is one like a planned step of another planned phase."""
    build = builder()
    build.add("plan", steps=[{"phase": p, "step": s} for p, s in (("tools", "gcc-pass2"), ("system", "findutils"))])
    build.step("tools", "gcc-pass1")
    build.step("tools", "findutls")
    assert kinds(build) == []
    build.step("tools", "gc-pass2")
    assert [each[3] for each in kinds(build)] == ["not in the plan: tools/gc-pass2, perhaps tools/gcc-pass2"]
    build.step("system", "findutls")
    assert kinds(build)[0][3].endswith("; system/findutls, perhaps system/findutils")


def test_steps_are_compared_once_for_each_change(builder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions about a build in which nothing happens don't go through its steps again."""
    build = builder()
    build.add("plan", steps=[{"phase": "p", "step": "glibc"}])
    build.step("p", "glibcc")
    words = kinds(build)
    assert [each[0] for each in words] == ["unplanned"]
    with monkeypatch.context() as patch:
        patch.setattr(summary, "_digits", None)
        assert kinds(build) == words
    build.step("p", "glibc")
    assert kinds(build) == []


def test_a_slower_step_is_compared_with_runs_alike(builder: Callable[..., Any]) -> None:
    """Once its processes show another -j, a run is compared with the earlier ones that had it, though no step ended."""
    build = builder()
    for day, (jobs, seconds) in enumerate([(4, 100.0)] * 3 + [(8, 200.0)] * 3 + [(4, 200.0)], 1):
        build.run = f"2026010{day}T000000Z"
        build.add("build_started", jobs=jobs)
        for name in "abc":
            build.step("p", name, 100.0)
        build.step("p", "s", seconds)
        if day < 7:
            build.add("build_finished", status="succeeded")
    assert [(kind, step) for kind, _, step, _ in kinds(build)] == [("slower", "s")]
    build.add("toolchain", jobs=8)
    assert kinds(build) == []


def test_many_misspelt_steps_are_counted(builder: Callable[..., Any]) -> None:
    """Of thousands of names beside the plan three are named, and looking costs no more than for some."""
    build = builder()
    build.add("plan", steps=[{"phase": "p", "step": f"step-{n:04}"} for n in range(2000)])
    for number in range(2000):
        build.step("p", f"stp-{number:04}")
    began = time.process_time()
    ((kind, _, _, message),) = kinds(build)
    assert (kind, message.count("perhaps")) == ("unplanned", 3)
    assert message.endswith("; and 17 more")
    assert time.process_time() - began < 1.0


def test_attempts_count_from_the_third_on(builder: Callable[..., Any]) -> None:
    """Only while the step is tried again."""
    build = builder()
    for _ in range(2):
        build.step("p", "s", status="failed")
    assert [kind for kind, *_ in kinds(build)] == ["failed"]
    build.add("step_started", phase="p", step="s")
    assert kinds(build) == [("attempts", "warning", "s", "is at attempt 3")]


def test_the_middle_of_the_estimate_is_late_or_not(builder: Callable[..., Any]) -> None:
    """A build is late once its middle estimate lies beyond the deadline, by as much."""
    build = builder()
    build.add("build_started", deadline=build.clock + 1001.0)
    words = "will end about 2 min 00 s after its deadline"
    for middle, late in ((1000.0, []), (1120.0, [("late", "warning", None, words)])):
        estimate = Estimate(900.0 if late else 1.0, middle, 9000.0)
        assert kinds(build, estimate=lambda run, now, estimate=estimate: estimate) == late


@pytest.mark.parametrize("verdict", [Verdict.STUCK, Verdict.WAITING_FOR_INPUT, Verdict.SUSPENDED, Verdict.IDLE])
def test_a_step_that_cannot_go_on_is_critical(builder: Callable[..., Any], verdict: Verdict) -> None:
    """Stuck, stopped or at a prompt, with the evidence, before a build that is only late; idle is no trouble."""
    build = builder()
    build.add("build_started", deadline=build.clock + 1.0)
    build.add("step_started", phase="p", step="s")
    judged = Judgement(verdict, ("no CPU time", "x waits"))
    found = kinds(build, verdict=lambda run, step: judged, estimate=lambda run, now: Estimate(1.0, 100.0, 200.0))
    words = f"{verdict.value.replace('-', ' ')}: no CPU time, x waits"
    waiting = ("waiting", "critical", "s", f"{words}; answer it where the build runs")
    stuck = waiting if verdict is Verdict.WAITING_FOR_INPUT else ("stuck", "critical", "s", words)
    assert found[:-1] == ([] if verdict is Verdict.IDLE else [stuck])
    assert found[-1][:2] == ("late", "warning")


@pytest.mark.parametrize("verdict", [Verdict.SWAPPING, Verdict.THROTTLED])
def test_a_step_that_the_machine_slows_down_is_a_warning(builder: Callable[..., Any], verdict: Verdict) -> None:
    """Want of memory and a CPU quota are shown with the evidence, though the step goes on."""
    build = builder()
    build.add("step_started", phase="p", step="s")
    found = kinds(build, verdict=lambda run, step: Judgement(verdict, ("held back", "0.1 CPUs in use")))
    assert found == [("slowed", "warning", "s", f"{verdict.value}: held back, 0.1 CPUs in use")]


def test_the_urgent_comes_first(builder: Callable[..., Any]) -> None:
    """Whatever the order of the kinds: a person who must act, then what is late, then what is to be known."""
    build = builder()
    build.add("plan", steps=[{"phase": "p", "step": "slow", "expected_seconds": 10.0}])
    for step in ("slow", "stuck"):
        build.add("step_started", phase="p", step=step)
    build.add("tests_reported", phase="p", step="slow", suite="t", passed=1, failed=1)
    stuck = Judgement(Verdict.STUCK, ("x waits",))
    found = kinds(build, 400.0, verdict=lambda run, step: stuck if step.step == "stuck" else None)
    assert [(kind, severity) for kind, severity, *_ in found] == [
        ("stuck", "critical"), ("overdue", "warning"), ("stalled", "warning"), ("tests", "info"),
    ]  # fmt: skip
    build.step("p", "failed", status="failed")
    context = build.context(400.0, thresholds=LIMITS)
    since = [(each.kind, each.since) for each in attention(context, build.tracker.builds["lfs"].current)]
    slow, told = build.clock - 12, build.clock - 10
    assert since == [("failed", build.clock), ("overdue", slow), ("tests", told)]


def test_the_note_names_what_is_waited_for(builder: Callable[..., Any]) -> None:
    """The note's own words, as long as nothing runs."""
    build = builder()
    build.step("p", "s")
    build.add("note", message="waiting-for-input: disk 2")
    assert kinds(build, 1.0) == [("waiting", "critical", None, "waits for a person: disk 2")]
