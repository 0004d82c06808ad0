"""The parts of an estimate against values worked out by hand, both ends of each band."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist
from typing import Any

import pytest
from story import end, run_of, start

from build_exporter.estimate import Estimate, Estimator, remaining
from build_exporter.estimate.backtest import Mark, ScoredRun, percentile, score
from build_exporter.estimate.expect import Expected, _without_absurd
from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import History, PastRun
from build_exporter.estimate.kinds import Steps
from build_exporter.estimate.outlook import (
    PERCENTILE_90,
    Outlook,
    _few,
    _gap_ratio,
    _model,
    _sum_up,
    left_of,
)
from build_exporter.estimate.paces import Paces
from build_exporter.estimate.parallel import Parallel, _needs
from build_exporter.estimate.schedule import schedule
from build_exporter.estimate.sources import Source, Sources, favour_same_work
from build_exporter.estimate.tuning import BAND_MARKS, DEFAULT, Tuning
from build_exporter.model import events as e
from build_exporter.model.states import StepState
from build_exporter.tracker import Run, Step, apply_all, expected_seconds
from build_exporter.weighted import weighted_median

FIXED = Tuning(pace_spread=0.018, spread_plan=0.5, steps_share=1.0, apart_share=1.0)
"""Constants whose values the figures below are worked out with."""
STEP: dict[str, Any] = {"build": "b", "phase": "p", "step": "s"}


def begun(*steps: e.PlannedStep, running: bool = True) -> Run:
    """Return a run of planned steps, the first of which began at 0."""
    run = Run("b", "20260101T000000Z")
    apply_all(run, [e.BuildStarted(time=0.0, build="b"), e.Plan(time=0.0, build="b", steps=list(steps))])
    if running:
        apply_all(run, [e.StepStarted(time=0.0, build="b", phase="p", step=steps[0].step)])
    return run


def planned(name: str = "s", **figures: float) -> e.PlannedStep:
    """Return a planned step."""
    return e.PlannedStep(phase="p", step=name, **figures)  # type: ignore[arg-type] # figures alone


def test_both_ends_of_the_band_lie_at_their_percentile() -> None:
    """Two steps of 100 s known from the plan alone: a deviation of 0.4855 is 107.4 s at 10 % and 372.6 s at 90 %.

    One figure of a step is trusted to a factor of exp(0.433), so two together to exp(0.306); the pace to exp(0.377).
    """
    run = begun(*(planned(name, expected_seconds=100.0) for name in "xy"), running=False)
    found = Estimator(tuning=FIXED)(run, 0.0)
    assert found is not None
    assert (found.low, found.middle, found.high) == pytest.approx((107.36, 200.0, 372.58), rel=1e-4)
    assert found.by_percentile == (("10", found.low), ("50", found.middle), ("90", found.high))
    assert pytest.approx(NormalDist().inv_cdf(0.9), abs=1e-4) == PERCENTILE_90


def outlook(expected: dict[tuple[str, str], Expected], runs: int = 0, **sums: Any) -> Outlook:
    """Return the outlook of open steps after so many runs."""
    none = Source(0.0, 0.0)
    past = [PastRun("b", "r", True, None, None, "succeeded", 0.0, 1.0, ())] * runs
    history = History(runs=past, sbu_seconds=100.0 if runs else None)
    return Outlook(expected, Sources([], [], none, none), Facts(None, None, False, 1.0), history, FIXED, **sums)


def test_a_band_has_what_is_unsure_of_each_part() -> None:
    """Of 300 s pending and 100 s running, half of that again between steps: 332.6 to 1,156.1 s around 600 s.

    The steps scatter by 30 s and 50 s, the pace by 0.1, a quarter is guessed, the sources lie apart by 0.3 and 0.2.
    """
    sums: dict[str, Any] = {"pending_seconds": 300.0, "pending_variance": 900.0, "gap_ratio": 0.5, "pace_spread": 0.1}
    sums |= {"guessed_ratio": 0.25, "spread_up": 0.3, "spread_down": 0.2}
    found = outlook({("p", "s"): Expected(log(100.0), 0.5)}, **sums).at(begun(planned()), 0.0)
    assert (found.low, found.middle, found.high) == pytest.approx((332.623, 600.0, 1156.06), rel=1e-5)
    sums |= {"guessed_ratio": 0.0, "done_seconds": 400.0}
    once, twice = (
        outlook({("p", "s"): Expected(log(100.0), 0.5)}, **sums, bands=(width,) * 6).at(begun(planned()), 0.0)
        for width in (1.0, 2.0)
    )
    assert (log(twice.high / 600.0), log(twice.low / 600.0)) == pytest.approx(
        (2 * log(once.high / 600.0), 2 * log(once.low / 600.0))
    )


def test_what_nobody_measured_may_be_wrong_of_all_steps_alike() -> None:
    """At the 90th percentile half of 400 s takes exp(1.2816 * 0.5) = 1.898 times as long, at the 10th 0.527 times."""
    steps = {("p", name): Expected(log(seconds), 0.0, doubt=doubt) for name, seconds, doubt in
             (("a", 100.0, 0.5), ("b", 100.0, 0.5), ("c", 200.0, 0.0))}  # fmt: skip
    found = outlook(steps)
    _sum_up(found, begun(planned("a"), running=False))
    estimate = found.at(begun(planned("a"), running=False), 0.0)
    assert (estimate.low, estimate.middle, estimate.high) == pytest.approx((305.38, 400.0, 579.61), rel=1e-4)


@pytest.mark.parametrize(
    ("elapsed", "pending"), [(0.0, 300.0), (10.0, 300.0), (100.0, 442.18), (200.0, 723.42), (2000.0, 1500.0)]
)
def test_a_first_step_that_takes_longer_shows_a_slower_machine(elapsed: float, pending: float) -> None:
    """Of 100 s, on a machine that nothing is known of (0.5) and a step of its own (0.12): by the hazard at z.

    At 100 s z is 0, and the step will take exp(0.486 * 0.798) times as long in the mean; so will the 300 s after it.
    They never take more than five times as long, however long the first one hangs.
    """
    found = outlook({("p", "s"): Expected(log(100.0), 0.12)}, pending_seconds=300.0, pace_spread=0.5)
    run = begun(planned())
    estimate, left = found.at(run, elapsed), left_of(run.steps["p", "s"], found.expected["p", "s"], elapsed)
    running = [(run.steps["p", "s"], found.expected["p", "s"])]
    slower = found._slower(running, elapsed)
    assert 300.0 * exp(slower) == pytest.approx(pending, rel=1e-3)
    assert estimate.middle >= pending + left - 1e-6
    begins = left_of(run.steps["p", "s"], found.expected["p", "s"], 0.0)
    found.parallel = Parallel(begins + 300.0, 0.0, 2, frozenset({("p", "s"), ("p", "t")}), {("p", "s"): begins})
    assert found.at(run, elapsed).middle == pytest.approx(estimate.middle), "steps side by side, in one chain"
    found.parallel = Parallel(900.0, 0.0, 2, frozenset({("p", "t")}), {("p", "s"): begins})
    assert found.at(run, elapsed).middle == pytest.approx(900.0 * exp(slower) - elapsed), "all of it is to come"
    known = outlook(found.expected, runs=1, pending_seconds=300.0, pace_spread=0.5)
    assert known._slower(running, elapsed) == 0.0, "a step that hangs shows nothing of a machine that is known"


def test_the_band_is_as_wide_as_at_that_share_of_a_run() -> None:
    """Of factors 1 to N at the marks: the first at nothing done, the last at the end, between two in proportion."""
    factors = [float(number) for number in range(1, len(BAND_MARKS) + 1)]
    middle = (BAND_MARKS[0] + BAND_MARKS[1]) / 2
    for share, factor in ((0.0, 1.0), (BAND_MARKS[0], 1.0), (middle, 1.5), (BAND_MARKS[1], 2.0), (1.0, factors[-1])):
        # 40 s of what is done are those of the step that runs
        run, left = begun(planned()), 1000.0 * (1 - share)
        step = {("p", "s"): Expected(log(100.0), 0.5)}
        found = outlook(step, done_seconds=1000.0 * share - 40.0, bands=factors)
        assert found._width([(run.steps[key], each) for key, each in step.items()], left, 40.0) == pytest.approx(factor)
    assert outlook({})._width([], 10.0, 0.0) == 1.0
    assert {len(each) for each in (DEFAULT.bands_run, DEFAULT.bands_packages, DEFAULT.bands_table)} == {len(BAND_MARKS)}


def test_steps_are_critical_where_the_end_hangs_on_them() -> None:
    """One after the other all are; side by side those of the longest chain. What runs has less left than it takes."""
    run = begun(planned(), planned("t"))
    expected = {("p", name): Expected(log(100.0), 0.001) for name in "st"}
    rows = outlook(expected).steps(run, 40.0)
    found = [(each.step.step, round(each.expected_seconds), round(each.remaining_seconds)) for each in rows]
    assert found == [("s", 100, 60), ("t", 100, 100)]
    assert [each.critical for each in rows] == [True, True]
    chain = Parallel(100.0, 0.0, 2, frozenset({("p", "t")}), {})
    assert [each.critical for each in outlook(expected, parallel=chain).steps(run, 40.0)] == [False, True]


def test_sources_that_lie_apart_widen_their_side_of_the_band() -> None:
    """Three quarters for 200 s and one for 50 s around 100 s: 0.600 up and 0.347 down, 2.4 times that of two runs."""
    long, short = Source(0.0, 0.0, chance=3.0, weight=1.0), Source(0.0, 0.0, chance=1.0, weight=1.0)
    candidates = [(1.0, log(200.0), long), (1.0, log(50.0), short)]
    for runs, few in ((1, 1.0), (2, 2.4)):
        found = outlook({("p", "s"): Expected(log(100.0), 0.5, candidates, guess=runs == 2)}, runs)
        _sum_up(found, begun(planned(), running=False))
        assert (found.spread_up, found.spread_down) == pytest.approx((few * 0.60028, few * 0.34657), rel=1e-4)
        sums = (found.pending_seconds, found.pending_variance, found.guessed_ratio)
        assert sums == pytest.approx((100.0, 2500.0, runs - 1))


def test_needs_by_a_bare_name_are_of_the_same_phase() -> None:
    """Where several phases have a step of that name; another phase's is meant only where there is no other."""
    steps = [e.PlannedStep(phase=phase, step=step, after=["a"]) for phase, step in (("p", "b"), ("q", "b"), ("r", "b"))]
    run = begun(*(e.PlannedStep(phase=phase, step="a") for phase in "pq"), *steps, running=False)
    places = {key: place for place, key in enumerate(run.steps)}
    assert _needs(run, places) == [[], [], [0], [1], [0, 1]]


def test_no_end_is_promised_before_anything_is_known() -> None:
    """Steps without figures give no estimate until one has ended; SBU are no seconds before a step has shown one."""
    run = begun(planned("x"), planned("y"))
    assert remaining(run, 50.0) is None
    apply_all(run, [e.StepFinished(time=80.0, build="b", phase="p", step="x", status="succeeded")])
    found = remaining(run, 80.0)
    assert found is not None
    assert found.middle == pytest.approx(80.0), "as long as the unknown step before it"
    run = begun(planned("x"), planned("y"))
    apply_all(run, [e.StepFinished(time=29.0, build="b", phase="p", step="x", status="succeeded")])
    assert remaining(run, 29.0) is None, "so short a step says nothing of one that is not known"
    run = begun(planned("x", sbu=2.0), planned("y", sbu=1.0))
    assert expected_seconds(run, run.steps["p", "x"]) is None
    apply_all(run, [e.StepFinished(time=80.0, build="b", phase="p", step="x", status="succeeded")])
    assert expected_seconds(run, run.steps["p", "y"]) == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("elapsed", "ratio", "spread", "left"),
    [
        (0.0, None, 0.5, 100.0),
        (100.0, None, 0.5, 100 * exp(0.5 * 0.67449) - 100),
        (1000.0, None, 0.035, 100.0),
        (150.0, None, 0.1, 15.0),
        (-50.0, None, 0.5, 100.0),
        (60.0, 0.0, 0.01, 40.0),
        (60.0, 0.5, 0.5, 55.0),
        (90.0, 0.9, 0.5, 10.0),
        (30.0, 0.1, 0.5, 0.1 * 270 + 0.9 * 90),
    ],
)
def test_what_is_left_of_a_step(elapsed: float, ratio: float | None, spread: float, left: float) -> None:
    """Of 100 s: by the clock at first, a tenth of its time once overdue, then more and more by its ratio."""
    step = Step("p", "s", 0, state=StepState.RUNNING, start=1000.0, ratio=ratio)
    assert left_of(step, Expected(log(100.0), spread), 1000.0 + elapsed) == pytest.approx(left, rel=1e-4)


def test_a_count_that_begins_at_nothing_breaks_no_estimate() -> None:
    """A step at 0 of 40 is estimated by its time."""
    run = begun(planned(expected_seconds=100.0))
    apply_all(run, [e.StepProgress(time=1.0, **STEP, done=0, total=40)])
    found = remaining(run, 20.0)
    assert found is not None
    assert found.middle == pytest.approx(80.0, rel=1e-2)


def test_few_runs_are_less_sure() -> None:
    """Two runs scatter 2.4 times what they show, three 1.7 times; one shows nothing."""
    assert [_few(count) for count in (0, 1, 2, 3, 15)] == pytest.approx([1.0, 1.0, 2.4, 1.7, 1.1])


def test_a_schedule_moves_with_the_clock_and_with_its_critical_steps() -> None:
    """Time passes off it; a critical step behind its plan holds the end up, another one only by itself."""
    a, b = ("p", "a"), ("p", "b")
    made = Parallel(300.0, 1000.0, 2, frozenset({a}), {a: 100.0, b: 50.0})
    assert made.at({a: 100.0, b: 50.0}, 1000.0) == 300.0
    assert made.at({a: 60.0, b: 10.0}, 1040.0) == 260.0
    assert made.at({a: 90.0, b: 10.0}, 1040.0) == 290.0, "30 s late"
    assert made.at({a: 20.0, b: 10.0}, 1040.0) == 220.0, "40 s early"
    assert made.at({a: 60.0, b: 45.0}, 1040.0) == 260.0, "35 s late, with time to spare"
    assert made.at({b: 400.0}, 1040.0) == 400.0
    assert made.at({}, 2000.0) == 0.0
    assert (made.at({a: 100.0}, 900.0), made.at({}, 900.0)) == (300.0, 300.0), "a clock set back"


def test_what_waits_for_two_steps_waits_for_the_later() -> None:
    """The shorter of two steps side by side changes nothing of the one after both."""
    assert schedule([10.0, 30.0, 5.0], [[], [], [0, 1]], [], 4) == schedule([10.0, 30.0, 5.0], [[], [], [1]], [], 4)


@pytest.mark.parametrize(
    ("pairs", "middle"),
    [([(3.0, 1.0)], 3.0), ([(1.0, 1.0), (2.0, 1.0), (9.0, 1.0)], 2.0), ([(1.0, 1.0), (2.0, 5.0), (0.0, 1.0)], 2.0),
     ([(1.0, 1.0), (2.0, 1.0)], 1.0)],
)  # fmt: skip
def test_the_middle_is_by_weight(pairs: list[tuple[float, float]], middle: float) -> None:
    """Half of the weight lies up to it."""
    assert weighted_median(pairs) == middle


def test_a_source_is_judged_by_its_pace_and_its_error() -> None:
    """100 s for 50 s expected against a strength of 300 s: the pace goes a fifth of the way, and the weight falls."""
    source = Source(1.0, 4 * 50.0 * 2**0.5)
    source.compare([log(100.0)], log(50.0))
    source.compare([log(0.5)], log(0.9))
    source.judge(DEFAULT)
    assert source.compared == pytest.approx(50.0 * 2**0.5), "a step below a second says nothing"
    assert source.pace == pytest.approx(log(2.0) / 5)
    # the strength is below that of a run of the same machine, so that only scatter is an error
    assert (source.distance, source.weight, source.chance) == (0.0, 1.0, 1.0)
    same = Source(0.5, 4000.0)
    same.compare([log(400.0)], log(400.0 / 1.2))
    same.judge(DEFAULT)
    assert same.compared == 300.0, "no step counts for more"
    assert same.distance == pytest.approx(log(1.2) / 2 * 300.0 / 600.0)
    assert same.weight == pytest.approx(0.5 * exp(-same.distance / 0.02))
    assert same.chance == pytest.approx(0.5 * exp(-same.distance / 0.06))


def test_all_steps_twice_as_slow_are_another_machine() -> None:
    """Three steps that agree outweigh the assumption of the same machine; two, or three that do not, don't."""

    def pace(*factors: float) -> float:
        source = Source(1.0, 4000.0)
        for factor in factors:
            source.compare([log(100.0 * factor)], log(100.0))
        source.judge(DEFAULT)
        return source.pace

    assert pace(2, 2, 2) == pytest.approx(log(2) * 424.264 / (424.264 + 200), rel=1e-4)
    assert pace(2, 2) == pytest.approx(log(2) * 282.843 / (282.843 + 4000), rel=1e-4)
    assert pace(1.1, 2, 4) < 0.2


def test_the_pace_of_long_steps_is_their_own() -> None:
    """Two long steps twice as slow count half for the next long ones, with a prior of two, and less for short ones."""
    paces = Paces(DEFAULT, 1.5)
    for _ in range(2):
        paces.add(log(2.0), log(300.0), 0)
    paces.add(9.0, log(300.0), 1000)
    paces.settle()
    assert paces.of(log(300.0)) == pytest.approx(log(2.0) / 2)
    for seconds, weight in ((3.0, 1.0), (1.5, 0.5)):
        short = Paces(DEFAULT, 1.5)
        short.add(log(2.0), log(seconds), 0)
        short.settle()
        assert short.of(log(seconds)) == pytest.approx(log(2.0) * weight / (weight + 2)), "whole seconds are coarse"
    assert 0 < paces.of(log(5.0)) < paces.of(log(60.0)) < paces.of(log(300.0))
    assert (paces.of(-99.0), paces.of(99.0)) > (0.0, 0.0)


def test_times_that_are_none_are_left_out() -> None:
    """Of three or more the middle judges within exp(1.5), of fewer what is typical within exp(3)."""
    source = Source(1.0, 1.0)

    def kept(times: list[float], typical: list[float]) -> list[float]:
        of = [[(1.0, each, source) for each in some] for some in (times, typical)]
        return [seconds for _, seconds, _ in _without_absurd(*of)]

    assert kept([4.0, 4.0, 5.6, 2.4], []) == [4.0, 4.0]
    assert kept([4.0, 4.0, 5.4, 2.6], []) == [4.0, 4.0, 5.4, 2.6]
    assert kept([1.2, 7.0], [4.0]) == [1.2]
    assert kept([0.9, 7.1], [4.0]) == []
    assert kept([0.9], []) == [0.9]


def test_scores_are_of_the_sizes_of_errors() -> None:
    """Median and 90th percentile of 10, 20, 30 and 100 % are 25 and 79 %, the median error keeps its sign."""
    marks = [Mark(1.0, 1.0, error, inside) for error, inside in ((0.1, True), (-0.2, True), (0.3, True), (-1.0, False))]
    runs = [ScoredRun("b", str(n), 1.0, 1, {0.5: mark}) for n, mark in enumerate([*marks, Mark(1.0, None, None, None)])]
    found = score(runs, 0.5)
    assert (found.runs, found.without_estimate, found.band_coverage) == (5, 1, 0.75)
    assert (found.median_abs_error_ratio, found.median_error_ratio) == pytest.approx((0.25, -0.05))
    assert found.p90_abs_error_ratio == pytest.approx(0.3 + 0.7 * 0.7)
    assert [percentile([0.0, 10.0, 40.0], share) for share in (0.0, 0.5, 0.75, 1.0)] == [0.0, 10.0, 25.0, 40.0]
    assert score(runs, 0.9).median_abs_error_ratio is None


def past(*names: str, own: bool = True, result: str = "succeeded", gap_ratio: float = 0.0) -> PastRun:
    """Return an earlier run of steps of these names."""
    having = frozenset(("p", name) for name in names)
    return PastRun("b", "r", own, None, None, result, gap_ratio, 1.0, (), names=having)


def test_time_between_steps_is_as_in_good_runs_of_this_build() -> None:
    """The middle of the last three that succeeded weighs as much as ten minutes of this run's steps; 1 at most."""
    good = [past(gap_ratio=ratio) for ratio in (0.1, 0.3, 0.2, 0.9)]
    others = [past(gap_ratio=0.9, result="failed"), past(gap_ratio=0.9, own=False)]
    run = run_of(start(100), end(700), start(730, "t"), end(1330, "t"))
    assert _gap_ratio(run, History(runs=[*others, *good])) == pytest.approx((30 + 0.2 * 600) / (1200 + 600))
    assert _gap_ratio(run, History(runs=others)) == pytest.approx(30 / 1200)
    assert _gap_ratio(run_of(start(100)), History(runs=[past(gap_ratio=9.0)])) == 1.0


def test_the_step_that_ended_last_counts_most() -> None:
    """Steps are ranked by their end, not by their place in the plan; what failed or has no duration is none."""
    run = run_of(start(1), end(90), start(2, "t"), end(9, "t"), end(99, "u"), start(3, "v"), end(100, "v", "failed"))
    steps = Steps(run, History())
    assert [exp(seconds) for _, seconds in steps.last_ended(9)] == pytest.approx([89.0, 7.0])
    assert [exp(seconds) for _, seconds in steps.last_ended(1)] == pytest.approx([89.0])


def test_runs_of_the_very_steps_count_before_others() -> None:
    """Of runs of different work one with four of five steps alike keeps its weight, the others a fiftieth of it."""
    names = {("p", name) for name in "abcde"}
    runs = [past(*"abcd"), past(*"abcxy"), past(*"abcde", own=False)]
    none = Source(0.0, 0.0)
    for of, weights in ((names, [1.0, 0.02, 0.02]), (set(list(names)[:4]), [1.0] * 3)):
        sources = Sources([Source(1.0, 1.0) for _ in runs], [], none, none)
        favour_same_work(sources, History(runs=runs, repeats=False), of)
        assert [source.prior for source in sources.runs] == weights


def test_the_order_of_steps_is_that_of_a_run_that_succeeded() -> None:
    """Of this build's own, one of the same work if possible; without any there is no order."""
    runs = [past(result="failed"), past(own=False), past(), past()]
    none = Source(0.0, 0.0)
    for same, found in (({0, 3}, runs[3]), ({0, 1}, runs[2])):
        sources = [Source(1.0, 1.0, is_same_work=place in same) for place in range(4)]
        assert _model(History(runs=runs), Sources(sources, [], none, none)) is found
    assert _model(History(runs=runs[:2]), Sources(sources[:2], [], none, none)) is None


def test_what_is_kept_of_an_estimate_does_not_fall_below_nothing() -> None:
    """Eight seconds later eight are off each figure, and none is negative."""
    assert Estimate(5.0, 10.0, 20.0, "by the plan").after(8.0) == Estimate(0.0, 2.0, 12.0, "by the plan")
