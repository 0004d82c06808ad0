"""The samples of steps, letter by letter: what Prometheus stores of a run worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.collectors.steps import StepCollector
from build_exporter.exposition import TEXT, render
from build_exporter.failures import EXCERPT_LENGTH
from build_exporter.monitor import Monitor
from build_exporter.queries.context import Context
from build_exporter.web.page.rows import Rows

NOW = 1.79e9
RunFiles = Callable[..., Any]
FIGURES = {"cpu_seconds": 1.5, "max_rss_bytes": 2, "read_bytes": 3, "written_bytes": 4, "disk_bytes": 5}


@pytest.fixture
def lines(monitor: Monitor) -> Callable[..., list[str]]:
    """Return the sample lines of steps, with at most so many steps and builds."""

    def show(max_steps: int = 100, max_builds: int = 10) -> list[str]:
        monitor.poll()
        families = list(StepCollector(monitor, max_steps, max_builds).collect())
        assert [each.count for each in families] == [b"".join(each.lines).count(b"\n") for each in families]
        text = render(families, TEXT).decode()
        return [line.removeprefix("build_") for line in text.splitlines() if not line.startswith("#")]

    return show


def test_each_figure_is_in_its_own_family(run_file: RunFiles, lines: Callable[..., list[str]]) -> None:
    """Every family of a finished, a running and a pending step, with nothing swapped and nothing more."""
    run = run_file("b", clock=1000.0)
    planned = {"phase": "p", "expected_seconds": 80.0}
    run.add("plan", steps=[{**planned, "step": step} for step in ("done", "runs", "waits")])
    run.add("step_started", phase="p", step="done", attempt=2)
    run.add("tests_reported", phase="p", step="done", suite="r", passed=7, failed=0)
    tests = {"passed": 11, "failed": 12, "expected_failed": 13, "unexpected_passed": 14, "skipped": 15, "errors": 16}
    run.add("tests_reported", phase="p", step="done", suite="s", **tests)
    run.add("step_finished", 40.0, phase="p", step="done", status="succeeded", seconds=40.0, warnings=6, **FIGURES)
    run.add("step_started", phase="p", step="runs")
    run.add("step_progress", phase="p", step="runs", ratio=0.25)
    done, runs, waits = (f'{{build="b",phase="p",step="{step}"}}' for step in ("done", "runs", "waits"))
    outcomes = (f'step_tests{done[:-1]},suite="s",outcome="{word}"}} {count}' for word, count in tests.items())
    expected = {line.partition(" ")[0]: line for line in lines() if "expected_seconds" in line}
    assert [line for line in lines() if "expected_seconds" not in line] == [
        *(f"step_status{labels} {number}" for labels, number in ((done, 2), (runs, 1), (waits, 0))),
        f"step_start_timestamp_seconds{done} 1002",
        f"step_start_timestamp_seconds{runs} 1045",
        f"step_duration_seconds{done} 40",
        f"step_cpu_seconds{done} 1.5",
        f"step_peak_memory_bytes{done} 2",
        f"step_read_bytes{done} 3",
        f"step_written_bytes{done} 4",
        f"step_disk_bytes{done} 5",
        f"step_progress_ratio{done} 1",
        f"step_progress_ratio{runs} 0.25",
        f"step_warnings{done} 6",
        f"step_attempts{done} 2",
        f"step_attempts{runs} 1",
        f'step_tests{done[:-1]},suite="r",outcome="passed"}} 7',
        f'step_tests{done[:-1]},suite="r",outcome="failed"}} 0',
        *outcomes,
        'exporter_steps_hidden{build="b"} 0',
    ]
    assert expected[f"step_expected_seconds{done}"].endswith(" 80"), "as it was when it began"
    assert set(expected) == {f"step_expected_seconds{labels}" for labels in (done, runs, waits)}


def test_a_running_step_is_shown_by_its_time(run_file: RunFiles, lines: Callable[..., list[str]]) -> None:
    """60 s into a step planned for 80 s it stands at three quarters, with no word from the builder."""
    run = run_file("b", clock=NOW - 61)
    run.add("plan", after=0, steps=[{"phase": "p", "step": "s", "expected_seconds": 80.0}])
    run.add("step_started", phase="p", step="s")
    assert 'step_progress_ratio{build="b",phase="p",step="s"} 0.75' in lines()
    run.add("step_started", phase="p", step="s")
    assert 'step_attempts{build="b",phase="p",step="s"} 2' in lines(), "begun again without an end"


def test_the_steps_are_those_of_the_newest_run_and_plan(
    run_file: RunFiles, monitor: Monitor, samples: Callable[..., dict[Any, float]]
) -> None:
    """One collector over time: a plan without a step drops its series, the next run those of the one before.

    What is expected is taken from the earlier run, whose step of 40 s is the plan of the next.
    """
    collector = StepCollector(monitor, 100, 1)

    def shown(name: str) -> dict[str, float]:
        monitor.poll()
        found = samples(collector.collect())
        return {dict(labels)["step"]: value for (family, labels), value in found.items() if family == name}

    first = run_file("b", run="20260101T000000Z", clock=NOW - 1000)
    for names in ("ab", "ac"):
        first.add("plan", steps=[{"phase": "p", "step": name} for name in names])
        assert set(shown("build_step_status")) == set(names)
        assert {step for _, step in collector._series["b"]._prefixes} == set(names)
    first.step("p", "a", 40.0)
    for limit, names in ((1, "a"), (100, "ac")):
        collector.limit(limit, 1)
        assert set(shown("build_step_status")) == set(names)
    first.add("build_finished", status="succeeded")
    assert shown("build_step_attempts") == {"a": 1.0}
    second = run_file("b", run="20260102T000000Z", clock=NOW - 100)
    second.add("step_started", phase="p", step="a")
    assert shown("build_step_expected_seconds") == {"a": 40.0}
    second.add("tests_reported", phase="p", step="a", suite="x", passed=3, failed=0)
    assert set(shown("build_step_tests")) == {"a"}, "while they run"
    run_file("later", clock=NOW - 50).step("p", "z")
    assert set(shown("build_step_status")) == {"z"}
    assert set(collector._series) == {"later"}, "nothing is kept of a build that is not shown"
    collector.limit(100, 2)
    assert set(shown("build_step_status")) == {"a", "z"}


def test_a_plan_after_that_of_earlier_runs_was_given_up_is_shown_whole(
    run_file: RunFiles, monitor: Monitor, samples: Callable[..., dict[Any, float]]
) -> None:
    """A run does other steps than those before and plans late: steps, estimates and rows of the page are the plan's."""
    first = run_file("b", run="20260101T000000Z", clock=NOW - 2000)
    for number in range(8):
        first.step("p", f"a{number}", 9.0)
    first.add("build_finished", status="succeeded")
    second = run_file("b", run="20260102T000000Z", clock=NOW - 1000)
    second.step("p", "a0", 9.0)
    monitor.poll()
    collector, rows = StepCollector(monitor, 100, 1), Rows()
    assert len([name for name, _ in samples(collector.collect()) if name == "build_step_status"]) == 8
    context = Context(monitor.tracker.builds, NOW)
    run = context.build("b")[1]
    rows.update(context, run)
    cursor = rows.cursor
    for number in range(5):
        second.step("p", f"new{number}", 9.0)
    second.add("plan", steps=[{"phase": "p", "step": f"new{number}"} for number in range(20)])
    monitor.poll()
    planned = {f"new{number}" for number in range(20)} | {"a0"}
    labels = [dict(each) for name, each in samples(collector.collect()) if name == "build_step_status"]
    assert {each["step"] for each in labels} == planned
    rows.update(context, run)
    changes = rows.changed(context, run, cursor)
    assert (changes.whole, {row.step for row in changes.rows}) == (True, planned)


@pytest.mark.parametrize(
    ("message", "excerpt"),
    [
        ("login failed: password=hunter2hunter2", "login failed: password=***"),
        ("cannot clone https://me:hunter2hunter2@host/x", "cannot clone https://***@host/x"),
        ('a "quoted" \\ word', 'a \\"quoted\\" \\\\ word'),
        ("red \x1b[31mword\x1b[0m", "red word"),
        ("x" * (EXCERPT_LENGTH + 1), "x" * (EXCERPT_LENGTH - 1) + "…"),
        ("x" * EXCERPT_LENGTH, "x" * EXCERPT_LENGTH),
        (None, ""),
    ],
)
def test_no_secret_stands_in_a_label(
    run_file: RunFiles, lines: Callable[..., list[str]], message: str | None, excerpt: str
) -> None:
    """Of a failure Prometheus gets a plain excerpt, without passwords and escapes, and the class, while it stands."""
    run = run_file("b")
    run.step("p", "s", status="failed", error_class="killed", **({"message": message} if message else {}))
    labels = f'{{build="b",phase="p",step="s",class="killed",excerpt="{excerpt}"}}'
    assert [line for line in lines() if "failure_info" in line] == [f"step_failure_info{labels} 1"]
    assert "hunter2" not in "".join(lines())
    run.add("step_started", phase="p", step="s")
    assert not [line for line in lines() if "failure_info" in line]
    run.add("step_finished", phase="p", step="s", status="interrupted", warnings=0)
    assert not [line for line in lines() if "failure_info" in line]
    assert 'step_warnings{build="b",phase="p",step="s"} 0' in lines(), "none is a figure, too"


def test_a_failure_without_a_class_is_other(run_file: RunFiles, lines: Callable[..., list[str]]) -> None:
    """The label is of the closed set always."""
    run_file("b").step("p", "s", status="failed")
    assert any('class="other",excerpt=""' in line for line in lines())


def test_limits_hide_what_matters_least(run_file: RunFiles, lines: Callable[..., list[str]]) -> None:
    """Beyond the limit running and failed steps stay and what is hidden is counted; older builds have no series."""
    run = run_file("b", clock=2000.0)
    run.add("step_started", phase="p", step="runs")
    run.step("p", "old")
    run.step("p", "bad", status="failed")
    run.step("p", "new")
    run_file("earlier", clock=1000.0).step("p", "s")

    def shown(*limits: int) -> list[str]:
        return [line.split('step="')[1].split('"')[0] for line in lines(*limits) if line.startswith("step_status")]

    assert sorted(shown(3, 1)) == ["bad", "new", "runs"]
    assert 'exporter_steps_hidden{build="b"} 1' in lines(3, 1)
    assert sorted(shown(4, 2)) == ["bad", "new", "old", "runs", "s"]
    assert sorted(shown(1, 1)) == ["runs"]
    run.add("step_started", phase="p", step="runs too")
    assert sorted(shown(1, 1)) == ["runs too"], "of those that run the one begun last"
    run.add("plan", steps=[{"phase": "p", "step": step} for step in ("runs", "runs too", "w", "x")], continues=True)
    assert sorted(shown(2, 1)) == ["runs", "runs too"], "none that is still to come"
    assert 'exporter_steps_hidden{build="b"} 5' in lines(2, 1)
