"""The rows of the query commands, figure by figure, of a run worked out by hand, and both sides of each filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from build_exporter.estimate import Accuracy
from build_exporter.queries import suites
from build_exporter.queries.attempts import attempts
from build_exporter.queries.attention import attention
from build_exporter.queries.build import board
from build_exporter.queries.cells import cell
from build_exporter.queries.commands import find
from build_exporter.queries.context import BadRequestError
from build_exporter.queries.estimate import estimate
from build_exporter.queries.request import Reply, Request, Sample
from build_exporter.queries.steps import StepFilter, steps

START = 1.78e9
SECRET = {"message": "cannot log in: password=hunter2hunter2"}
PLANNED = {"a": 100.0, "b": 50.0, "c": 50.0, "d": 50.0}


@pytest.fixture
def story(builder: Callable[..., Any]) -> Any:
    """A took its 100 s, b failed after 60 s and took 61 s of its 50, c failed, d runs since 291 s after it began anew.

    With 161 s for 150 planned the steps after b should take 161 / 3 s, which is 53.67 s.
    """
    build = builder()
    build.add("build_started", after=0.0)
    plan = [{"phase": "q" if step == "d" else "p", "step": step, "expected_seconds": PLANNED[step]} for step in PLANNED]
    build.add("plan", after=0.0, steps=plan)
    used = {"cpu_seconds": 50.0, "max_rss_bytes": 3, "read_bytes": 4, "written_bytes": 5, "disk_bytes": 6}
    build.step("p", "a", seconds=100, message="done", **used)
    build.step("p", "b", seconds=60, status="failed", error_class="test-failure", **SECRET)
    build.step("p", "b", seconds=61)
    build.step("p", "c", seconds=60, status="failed", error_class="killed", **SECRET)
    build.add("step_started", after=0.0, phase="q", step="d")
    build.add("step_started", after=10.0, phase="q", step="d")
    return build


def ask(
    build: Any, name: str, *, within: tuple[float, float] | None = None, after: float = 120.0, **wanted: Any
) -> Any:
    """Return a query's reply two minutes after the newest event; a window is in seconds from the start."""
    reply: Reply = find(name).run(build.request(after, within, wanted))
    return reply


def test_tasks_have_the_figures_of_the_newest_attempt(story: Any) -> None:
    """State, attempts, times, progress of what runs, words of what failed and of nothing else, without secrets."""
    rows = {
        row.step: (row.state, row.attempts, row.start - START, row.seconds, row.error_class, row.message)
        for row in ask(story, "tasks").rows
    }
    assert rows == {
        "a": ("succeeded", 1, 0, 100, None, None),
        "b": ("succeeded", 2, 160, 61, None, None),
        "c": ("failed", 1, 221, 60, "killed", "cannot log in: password=***"),
        "d": ("running", 2, 291, 120, None, None),
    }
    found = {row.step: (row.expected_seconds, row.progress_ratio) for row in ask(story, "tasks").rows}
    assert found["a"] == (100, None)
    assert found["d"] == pytest.approx((161 / 3, 1 - 0.01 / (120 / (161 / 3) - 0.8)))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"threshold": 61.0}, "abd"), ({"threshold": 61.5}, "ad"), ({"status": "failed"}, "c"), ({"phase": "q"}, "d"),
        ({"within": (221, 221)}, "bc"), ({"within": (161, 220)}, ""), ({"within": (160, 160), "phase": "p"}, "b"),
    ],
)  # fmt: skip
def test_tasks_on_both_sides_of_each_filter(story: Any, wanted: dict[str, Any], names: str) -> None:
    """At least so many seconds, of a state, of a phase, begun or ended in a window, its first and last moment too."""
    assert "".join(row.step for row in ask(story, "tasks", **wanted).rows) == names


def test_errors_are_the_failed_attempts(story: Any) -> None:
    """The newest first, critical while the step still fails, with their class and words, without secrets."""
    reply = ask(story, "errors")
    assert [(row.step, row.time - START, row.attempt, row.severity, row.error_class) for row in reply.rows] == [
        ("c", 281, 1, "critical", "killed"),
        ("b", 160, 1, "warning", "test-failure"),
    ]
    assert {row.message for row in reply.rows} == {"cannot log in: password=***"}
    filtered: tuple[tuple[dict[str, Any], str, bool], ...] = (
        ({}, "cb", True), ({"severity": "warning"}, "b", False), ({"class": "killed"}, "c", True),
        ({"within": (161, 281)}, "c", True), ({"within": (160, 280)}, "b", False), ({"within": (161, 280)}, "", False),
    )  # fmt: skip
    for wanted, names, bad in filtered:
        reply = ask(story, "errors", **wanted)
        assert ("".join(row.step for row in reply.rows), reply.bad) == (names, bad), wanted


def test_attempts_are_counted_by_step(builder: Callable[..., Any]) -> None:
    """Each has its own start and log, none where none was reported; the class that came later is its own."""
    build = builder()
    for log in ("/1", "/2"):
        build.add("step_started", phase="p", step="s", log=log)
        build.add("step_finished", phase="p", step="s", status="failed")
    build.add("step_finished", phase="p", step="s", status="failed", message="x")
    build.add("step_progress", phase="p", step="s", error_class="killed", message="y")
    build.step("q", "s")
    run, end = build.tracker.builds["lfs"].current, build.clock
    found = [
        (each.phase, each.number, each.start and each.start - end, each.log, each.error_class, each.message)
        for each in attempts(build.request(), run)
    ]
    assert found == [
        ("p", 1, -15, "/1", "other", None), ("p", 2, -13, "/2", "other", None), ("p", 3, None, None, "killed", "x"),
        ("q", 1, -10, None, None, None),
    ]  # fmt: skip
    state = list(attempts(Request(build.context(), "x"), run))
    assert [(each.phase, each.number, each.status, each.error_class) for each in state] == [
        ("p", 2, "failed", "killed"), ("q", 1, "succeeded", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("seconds", 0, "0 s"), ("seconds", 2e-6, "2 µs"), ("seconds", 1e-3, "1 ms"), ("seconds", 0.0251, "25.1 ms"),
        ("step_seconds", 1.0, "1 s"), ("seconds", 9.94, "9.94 s"), ("seconds", 10.0, "10 s"),
        ("late_seconds", -75.0, "-1 min 15 s"), ("start", 7.0, "7.0!"),
        ("disk_bytes", 2048, "2.0 KiB"), ("progress_ratio", 0.375, "37.5 %"), ("memory_share", 1.0, "100.0 %"),
        ("pace_ratio", 1.23456, "1.235"), ("load", 12345.67, "12,345.7"), ("attempts", 12345, "12345"),
        ("x", None, ""), ("x", True, "yes"), ("x", False, "no"), ("x", "a b", "a b"),
    ],
)  # fmt: skip
def test_a_cell_has_the_unit_of_its_field(name: str, value: object, text: str) -> None:
    """Times, sizes and shares as people read them; other figures with as many places as matter."""
    assert cell(name, value, clock=lambda when: f"{when}!") == text


def test_one_recovery_makes_no_step_flaky(story: Any) -> None:
    """In one run nothing repeats and nothing is flaky; what failed and came right took 61 s for it."""
    rows = {row.step: row for row in ask(story, "failing-steps").rows}
    assert {step: (row.pattern, row.open, row.recovered, row.recovery_seconds) for step, row in rows.items()} == {
        "b": ("once", False, 1, 61.0),
        "c": ("once", True, 0, None),
    }


@pytest.mark.parametrize(
    ("within", "rate"),
    [(None, 2 * 3600 / 411), ((99, 221), 2 * 3600 / 122), ((100, 221), 3600 / 121), ((100, 220), 0.0),
     ((100, 160), 0.0), ((100, 159), None), ((-900, 100), 36.0)],
)  # fmt: skip
def test_speed_counts_what_ended_in_the_time(
    story: Any, within: tuple[float, float] | None, rate: float | None
) -> None:
    """After its first and up to its last moment, from the run's start on; a minute at least; two of five succeeded."""
    (row,) = ask(story, "speed", within=within).rows
    assert row.steps_per_hour_lately == (None if rate is None else pytest.approx(rate))
    assert row.steps_per_hour == pytest.approx(2 * 3600 / 411)
    assert (row.success_ratio, row.concurrency) == (0.4, 1.0)
    assert row.pace_ratio == pytest.approx(161 / 150)
    bad = [ask(story, "speed", within=within, threshold=least).bad for least in (1e6, 1.0)]
    assert bad == [True, rate == 0.0], "no step lately is slow"


def test_a_timeline_has_how_late_each_step_was(story: Any) -> None:
    """By their starts; late is beyond a twentieth of what was expected when it began, or the tolerance given."""
    reply = ask(story, "timeline")
    assert [(row.step, row.start - START, row.end and row.end - START, row.seconds) for row in reply.rows] == [
        ("a", 0, 100, 100), ("b", 160, 221, 61), ("c", 221, 281, 60), ("d", 291, None, 120),
    ]  # fmt: skip
    beyond = [row.deviation_seconds for row in reply.rows]
    assert beyond == pytest.approx([0.0, 11.0, 60 - 161 / 3, 120 - 161 / 3])
    for tolerance, late in ((None, "bcd"), (0.2, "bd"), (0.25, "d"), (9.0, "")):
        rows = ask(story, "timeline", tolerance=tolerance).rows
        assert "".join(row.step for row in rows if row.late) == late
    assert [row.step for row in ask(story, "timeline", within=(160, 221)).rows] == ["b", "c"]


def test_a_resolution_is_from_the_first_failure_to_the_success(story: Any) -> None:
    """The newest first; without a success up to now; half of the times is that of those that are over."""
    for wait, status in ((10, "failed"), (20, "failed"), (40, "succeeded")):
        story.step("p", "e", wait, status=status, error_class="killed")
    reply = ask(story, "resolution")
    assert [
        (row.step, row.failed - START, row.resolved and row.resolved - START, row.seconds, row.attempts)
        for row in reply.rows
    ] == [("e", 301, 361, 60, 3), ("c", 281, None, 200, 1), ("b", 160, 221, 61, 2)]
    assert reply.lines == ["2 of 3 failures resolved, half of them within 1 min 00 s"]
    assert [row.step for row in ask(story, "resolution", within=(160, 300)).rows] == ["c", "b"]
    for within, limit, bad in (((160, 160), 61.0, False), ((160, 160), 60.9, True), (None, 1e6, True)):
        assert ask(story, "resolution", within=within, threshold=limit).bad == bad, "late, or open"


def test_throughput_is_of_each_part_of_the_time(story: Any) -> None:
    """Up to the end of a part, which belongs to it, and no further than now; a part may be slow."""
    rows = ask(story, "throughput", bucket=200.0).rows
    assert [(row.start - START, row.end - START, row.steps) for row in rows] == [
        (0, 200, 1), (200, 400, 1), (400, 411, 0),
    ]  # fmt: skip
    assert [row.steps_per_hour for row in rows] == [18, 18, 0]
    within: dict[str, Any] = {"within": (100, 221), "bucket": 121.0}
    assert [(row.steps, row.steps_per_hour) for row in ask(story, "throughput", **within).rows] == [(1, 3600 / 121)]
    assert [ask(story, "throughput", **within, threshold=least).bad for least in (29.0, 30.0)] == [False, True]
    assert len(ask(story, "throughput").rows) == 7, "a minute at least: six whole ones of 411 s, and the rest"


def test_resources_of_steps_and_of_the_host(story: Any) -> None:
    """Cores are the CPU time by the time taken; only shares are compared with the threshold."""

    class Samples:
        def values(self, name: str, over: str = "last") -> list[Sample]:
            found = {"build_host_cpu_busy_peak_ratio": {"": 0.5}, "build_host_load1": {"": 9.0},
                     "build_process_processes": {"lfs": 3.0, "x": 4.0}}  # fmt: skip
            assert over == "p95"
            return [Sample({"build": build}, value) for build, value in found.get(name, {}).items()]

    def rows(**wanted: Any) -> tuple[list[tuple[str, str, float]], bool]:
        request = replace(story.request(0.0, (90, 110), {"metric": "p95", **wanted}), samples=Samples(), build="lfs")
        reply: Any = find("resources").run(request)
        return [(row.name, row.metric.removeprefix("build_"), row.value) for row in reply.rows], reply.bad

    assert rows()[0] == [
        ("", "host_cpu_busy_peak_ratio", 0.5), ("", "host_load1", 9.0), ("lfs", "process_processes", 3.0),
        ("p/a", "cpu_seconds", 50.0), ("p/a", "cores_busy", 0.5), ("p/a", "peak_bytes", 3.0),
        ("p/a", "read_bytes", 4.0), ("p/a", "written_bytes", 5.0), ("p/a", "disk_bytes", 6.0),
    ]  # fmt: skip
    assert [name for _, name, _ in rows(resource=("memory", "io"))[0]] == ["peak_bytes", "read_bytes", "written_bytes"]
    assert [rows(threshold=limit)[1] for limit in (0.4, 0.5)] == [True, False]


def test_a_board_adds_up_the_run(story: Any) -> None:
    """Two of five attempts failed, two steps were tried again; two steps in two hours, none of them in the last."""
    story.add("note", message="see \x1b[1mpassword=hunter2hunter2")
    shown = board(story.context(7200 - 292), "lfs")
    sums = shown.sums
    assert (sums.step_seconds, sums.cpu_seconds, sums.read_bytes, sums.written_bytes) == (221, 50, 4, 5)
    assert (sums.failed_attempts, sums.retried_steps) == (2, 2)
    assert (shown.rates.steps_per_hour_since_start, shown.rates.steps_per_hour_lately) == (1.0, 0.0)
    assert [note.message for note in shown.notes] == ["see password=***"]
    found = estimate(story.context(), "lfs")
    assert found.remaining_seconds is not None
    assert found.end is not None
    for one, other in zip(
        msgspec.structs.astuple(found.end), msgspec.structs.astuple(found.remaining_seconds), strict=True
    ):
        assert one == story.clock + other, "an end is a time"


def over_runs(build: Any, runs: list[list[dict[str, Any]]]) -> None:
    """Take a run a day, given as steps."""
    for day, steps_ in enumerate(runs, 1):
        build.run, build.clock = f"202601{day:02}T000000Z", START + day * 86400
        build.add("build_started", after=0.0)
        for each in steps_:
            build.step("p", **each)
        build.add("build_finished", after=1.0, status="succeeded")


@pytest.mark.parametrize(("failures", "runs_with"), [((1, 0, 5, 3, 2), 4), ((1, 0, 3, 2), 3)])
def test_error_trends_compare_the_halves(
    builder: Callable[..., Any], failures: tuple[int, ...], runs_with: int
) -> None:
    """From 0.5 failures a run to 2.5: of five runs the middle one is in neither half."""
    build = builder()
    failure = {"step": "s", "status": "failed", "error_class": "killed"}
    over_runs(build, [[failure] * times for times in failures])
    (row,) = ask(build, "error-trends").rows
    assert (row.error_class, row.failures, row.runs_with, row.runs) == (
        "killed", sum(failures), runs_with, len(failures),
    )  # fmt: skip
    assert (row.earlier_per_run, row.later_per_run) == (0.5, 2.5)


def test_a_step_that_got_slower_needs_a_look(builder: Callable[..., Any]) -> None:
    """By how much and by how many seconds; one that got faster does not. Estimates are scored by these runs."""
    build = builder()
    usual, last = (dict.fromkeys("abcd", 100.0) | times for times in ({}, {"a": 150.0, "b": 50.0}))
    over_runs(build, [[{"step": step, "seconds": took} for step, took in run.items()] for run in [usual] * 4 + [last]])
    found = attention(build.context(), build.tracker.builds["lfs"].current)
    assert [(each.kind, each.severity, each.step, each.message) for each in found] == [
        ("slower", "info", "a", "took 1.5 times as long as usual, 50 s longer")
    ]
    scored = estimate(build.context(accuracy=Accuracy(build.tracker.builds)), "lfs").accuracy
    assert scored is not None
    assert (scored.runs, set(scored.band_coverage)) == (1, {"0.25", "0.5", "0.75"})


@pytest.mark.parametrize(("deadline", "words", "bad"), [(1e6, "before it", False), (412.0, "after it", True)])
def test_a_timeline_shows_the_side_of_the_deadline(
    builder: Callable[..., Any], deadline: float, words: str, bad: bool
) -> None:
    """A run that ends after its deadline does not end before it."""
    build = builder()
    build.add("build_started", after=0.0, deadline=START + deadline)
    build.add("plan", after=0.0, steps=[{"phase": "p", "step": step, "expected_seconds": 400.0} for step in "ab"])
    build.step("p", "a", seconds=400.0)
    build.add("step_started", phase="p", step="b", after=0.0)
    reply = ask(build, "timeline", after=0.0)
    assert ([words in line for line in reply.lines], reply.bad) == ([True], bad)


def test_history_is_of_the_runs_in_the_window(builder: Callable[..., Any]) -> None:
    """Each run as a whole, or the times of a package; what began before the window is left out."""
    old, new = builder(run="20260101T000000Z"), builder(run="20260102T000000Z")
    new.tracker, old.clock = old.tracker, START - 9000
    for build, seconds in ((old, 30.0), (new, 20.0)):
        build.add("build_started", after=0.0)
        build.step("p", "801-gcc", seconds=seconds, max_rss_bytes=int(seconds), disk_bytes=7)
        build.add("build_finished", after=1.0, status="succeeded")
    for package, times in ((None, [31.0, 21.0]), ("gcc", [30.0, 20.0]), ("glibc", [])):
        assert [row.seconds for row in ask(new, "history", package=package).rows] == times
        assert [row.seconds for row in ask(new, "history", package=package, within=(-8999, 99)).rows] == times[1:]
    used = [(row.max_rss_bytes, row.disk_bytes) for row in ask(new, "history", package="gcc").rows]
    assert used == [(30, 7), (20, 7)]


def test_what_fits_is_asked_of_builds_that_go_on(story: Any) -> None:
    """Disk and memory of a running build, where what is free is known; nothing is to come of one that is over."""
    given: dict[str, Any] = {"free": 2**40, "memory": 2**40}
    assert [each.resource for each in ask(story, "fit", **given).answer.fits] == ["disk", "memory"]
    with pytest.raises(BadRequestError, match="--free and --memory"):
        ask(story, "fit", free=1)
    story.add("build_finished", status="failed")
    assert ask(story, "fit", **given).answer.fits == []


def test_results_of_suites_are_added_up(builder: Callable[..., Any]) -> None:
    """Errors are failures; what was expected to fail, or passed against expectation, is in the total alone."""
    build = builder()
    build.add("step_started", phase="p\x1b[1mq", step="s")
    some = {"passed": 3, "failed": 1, "errors": 2, "skipped": 4, "expected_failed": 8, "unexpected_passed": 16}
    for suite, counts in (("x\x1b[1mx", some), ("y", {"passed": 5, "failed": 0})):
        build.add("tests_reported", phase="p\x1b[1mq", step="s", suite=suite, **counts)
    for phase in ("p\x1b[1mq", steps(build.context(), "lfs", StepFilter()).steps[0].phase):
        (row,) = steps(build.context(), "lfs", StepFilter(phase=phase)).steps
        assert row.tests == suites.TestSums(suites=2, total=39, passed=8, failed=3, skipped=4)
        assert "\x1b" not in row.phase
    (look,) = attention(build.context(), build.tracker.builds["lfs"].current)
    assert (look.kind, look.severity, look.message.startswith("xx: ")) == ("tests", "info", True)
