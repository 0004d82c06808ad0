"""What single steps should take: each part of it by figures worked out by hand."""

from __future__ import annotations

from array import array
from math import exp, hypot, log
from typing import Any

import pytest
from story import end, run_of, start

from build_exporter.estimate.abis import abis_of
from build_exporter.estimate.backtest import RecordedRun, Settings, backtest
from build_exporter.estimate.expect import Expectations, Expected, _by_package
from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import History, PastRun, Taken
from build_exporter.estimate.kinds import NO_NAME, Kind
from build_exporter.estimate.outlook import Outlook, _pace_spread
from build_exporter.estimate.paces import Paces
from build_exporter.estimate.parallel import _most_at_once, parallel_of
from build_exporter.estimate.sources import Source, Sources, sources_of
from build_exporter.estimate.table import VARIANTS, TypicalStep, typical_package, typical_steps
from build_exporter.estimate.tuning import DEFAULT
from build_exporter.model import events as e
from build_exporter.tracker import PastStep

FACTS = Facts(4, None, False, 100.0)
LFS = Kind(("chapter-6", "m4"), "", None, None, None)


def past(**fields: Any) -> PastRun:
    """Return an earlier run of this build at -j4."""
    words: dict[str, Any] = {"own": True, "jobs": 4, "tests": None, "result": "succeeded"}
    return PastRun("b", "r", **(words | {"gap_ratio": 0.0, "concurrency": 1.0, "steps": ()} | fields))


def done(name: str, seconds: float, planned: float | None = None, sbu: float | None = None) -> Kind:
    """Return a step that was done in so many seconds, with what the plan has of it."""
    return Kind(("p", name) if planned or sbu else NO_NAME, name, None, planned, sbu, array("d", [log(seconds)]))


def expectations(history: History, steps: list[Kind]) -> Expectations:
    """Return the expectations after these steps, each of a kind of its own, on a machine with an SBU of 100 s."""
    of = Expectations(history, FACTS, sources_of(history, FACTS, steps, DEFAULT), DEFAULT)
    of.learn(steps, [(step, step.taken[0]) for step in steps if step.taken])
    return of


def test_a_plan_is_compared_in_its_own_unit() -> None:
    """Seconds where it has them, else SBU at this machine's; an error of a fifth is log(1.2)."""
    steps = [done("a", 120.0, 100.0, 9.0), done("b", 240.0, None, 2.0), done("c", 5.0)]
    found = sources_of(History(), FACTS, steps, DEFAULT)
    for source, seconds in ((found.plan_seconds, 120.0), (found.plan_sbu, 240.0)):
        assert (source.middle, source.compared) == pytest.approx((log(1.2), seconds / 1.2**0.5))


def test_a_plan_s_sbu_are_those_of_the_table_until_a_step_shows_it() -> None:
    """A plan that has 1 SBU for what takes twice that here is twice as long; once a step was done, as that shows."""
    names = {name: step.sbu(4, "none", 1) for name, step in typical_steps().items() if name[0] == "chapter-6"}
    kinds = [Kind(name, "", None, None, sbu / 2) for name, sbu in names.items()]
    assert sources_of(History(), FACTS, kinds, DEFAULT).plan_sbu.pace == pytest.approx(log(2.0))
    found = sources_of(History(), FACTS, [*kinds, done("b", 240.0, None, 2.0)], DEFAULT)
    assert found.plan_sbu.pace == pytest.approx(log(1.2))


def test_what_nobody_measured_is_less_sure() -> None:
    """GCC with all tests, which no public run had, by 0.4 (logarithm), without tests not; by its own time never."""
    name = ("chapter-8", "gcc")
    for scope, doubt in (("all", 0.4), ("none", 0.0)):
        facts = Facts(4, scope, False, 100.0)
        for history in (History(), History(runs=[past()], names={name: [Taken(0, 5.0, 0)]})):
            kind = Kind(name, "gcc", None, None, None)
            found = Expectations(history, facts, sources_of(history, facts, [kind], DEFAULT), DEFAULT).of(kind, 0)
            assert found.doubt == (0.0 if history.runs else doubt)
    assert TypicalStep("", 1.0, 0.0, 0.0, 0.0, 0.0).doubt("none") == 1.0, "a figure of the book alone"


def test_a_package_never_merged_is_like_those_that_were() -> None:
    """Where runs are of different packages: the geometric mean of the last ones, 40 s, weighs as two of this run's."""
    history = History(
        recent=[(("p", "a"), Taken(0, log(20.0), 0)), (("p", "b"), Taken(0, log(80.0), 0))], repeats=False
    )
    history.names = {name: [taken] for name, taken in history.recent}
    for steps, seconds in (([], 40.0), ([done("c", 340.0)], 140.0)):
        found = expectations(history, steps).of_unknown("new", (), is_package=True)
        assert found.guess
        assert exp(found.seconds) == pytest.approx(seconds)


def test_a_new_version_is_less_sure() -> None:
    """By its own deviation beside the step's; a version that was not recorded is not new."""
    history = History(runs=[past()])
    of = {}
    for name, before in (("gcc", "14"), ("m4", None)):
        history.names["p", name] = [Taken(0, log(100.0), 0, before)]
        for now in ("14", "15", None):
            of[name, now] = expectations(history, []).of(Kind(("p", name), name, now, None, None), 0).spread
    usual = DEFAULT.spread_own * (3 / 4) ** 0.5
    wider = hypot(usual, DEFAULT.spread_version)
    assert list(of.values()) == pytest.approx([usual, wider, usual, usual, usual, usual])


def test_a_package_takes_longer_as_its_other_steps_did() -> None:
    """A step counts for 300 s at most and by half at most, against 100 s that say nothing changed."""
    paces = Paces(DEFAULT, 1.0)
    paces.settle()
    for seconds, longer, found in (
        (4000.0, 0.2, 0.2 * 300 / 400),
        (100.0, 0.2, 0.2 * 100 / 200),
        (100.0, 0.9, 0.5 * 100 / 200),
        (100.0, -0.9, -0.5 * 100 / 200),
    ):
        known = [(done("gcc", seconds * exp(longer)), log(seconds))]
        assert _by_package(known, paces, DEFAULT) == pytest.approx({"gcc": found})


def test_a_package_that_nobody_knows_takes_what_such_packages_took() -> None:
    """Two packages of this run count as much as the table's usual one; elsewhere their mean alone, or ten seconds."""
    of = expectations(History(), [LFS])
    usual = 100.0 * typical_package(4, VARIANTS[0])
    assert of._guess(is_package=True) == pytest.approx(usual)
    of.unknown_packages += [60.0, 90.0]
    assert of._guess(is_package=True) == pytest.approx((2 * usual + 150.0) / 4)
    of.unknown.append(4.0)
    assert of._guess(is_package=False) == 4.0
    other = expectations(History(), [])
    assert other._guess(is_package=True) == 10.0
    other.unknown_packages += [60.0, 90.0]
    other.unknown.append(30.0)
    assert other._guess(is_package=True) == other._guess(is_package=False) == 60.0


def test_short_steps_say_little_of_how_sure_long_ones_are() -> None:
    """Below 20 s by their length; an error counts for one at most."""
    of = expectations(History(), [done("a", 10.0, 10.0), done("b", 40.0, 40.0), done("c", 400.0, 1.0)])
    steps, squares = of.scatter[DEFAULT.spread_plan]
    assert steps == pytest.approx(2.5)
    assert 1.0 <= squares < 1.2


def test_another_way_of_testing_is_converted_by_the_table() -> None:
    """With tests a step takes what the table has with them, from a run without; unknown ones are the run's."""
    table = typical_steps().items()
    name, typical = next(each for each in table if each[1].sbu(4, "all", 1) > each[1].sbu(4, "none", 1))
    shift = log(typical.sbu(4, "all", 1) / typical.sbu(4, "none", 1))
    assert Facts(4, "all", False, 1.0).shift(past(tests="none"), name) == pytest.approx(shift)
    assert Facts(4, "none", False, 1.0).shift(past(tests="all"), name) == pytest.approx(-shift)
    assert Facts(4, "all", False, 1.0).shift(past(), name) == 0.0, "nobody knows what that run tested"
    more = log(typical.sbu(1, "all", 1) / typical.sbu(4, "all", 1))
    assert Facts(1, None, False, 1.0).shift(past(tests="all"), name) == pytest.approx(more)


def test_the_pace_is_as_unsure_as_what_it_rests_on() -> None:
    """Earlier runs: 1.8 %, four times of one, less after ten minutes compared; SBU and converted runs 13 %.

    Figures of a plan: as steps scatter against them, as if two more had been compared; half where no machine is known.
    """
    none, plan = Source(0.0, 0.0), Source(0.1, 1.0)
    sources = Sources([Source(1.0, 1.0)], [Source(0.1, 1.0)], plan, none)
    run, variant = sources.runs[0], sources.variants[0]

    def spread(best: Source, runs: int = 1, compared: float = 0.0, own: bool = True) -> float:
        sources.runs = [run, *[none] * (runs - 1)] if runs else []
        best.compared = compared
        history = History(runs=[past(own=own)] * runs, sbu_seconds=100.0 if runs else None)
        return _pace_spread(Outlook({}, sources, FACTS, history, DEFAULT, {id(best): 1.0}))

    assert [spread(run, runs) for runs in (1, 2, 4)] == pytest.approx([0.072, 0.0315, 0.021375])
    assert spread(run, 1, 1800.0) == pytest.approx(0.036)
    assert spread(run, 1, own=False) == pytest.approx(0.036)
    assert spread(plan, 4) == pytest.approx(hypot(0.13, 0.125**0.5))
    plan.count, plan.squares = 2, 0.02
    assert spread(plan, 4) == pytest.approx(hypot(0.13, (0.77 / 5 / 4) ** 0.5))
    run.differs = True
    assert spread(run) == pytest.approx(0.13)
    assert [spread(variant, 0), spread(variant), spread(variant, 0, 360.0)] == pytest.approx([0.5, 0.13, 0.065])


@pytest.mark.parametrize(("idle", "seconds"), [(0.0, 100.0), (30.0, 130.0), (300.0, 200.0)])
def test_a_schedule_has_the_time_between_steps(idle: float, seconds: float) -> None:
    """In proportion to what steps took side by side, doubled at most."""
    run = run_of(e.Plan(time=0.0, build="b", steps=[e.PlannedStep(phase="p", step=name) for name in "ab"]))
    run.busy_seconds, run.work_seconds, run.gap_seconds = 100.0, 200.0, idle
    found = parallel_of(run, None, {("p", name): Expected(log(100.0), 0.1) for name in "ab"}, {}, 0.0)
    assert found is not None
    assert found.slots == 2
    assert found.seconds == pytest.approx(seconds)


def test_as_many_steps_run_side_by_side_as_before() -> None:
    """Three that began at once in the earlier run do so again, before this run has shown anything."""
    run = run_of(e.Plan(time=0.0, build="b", steps=[e.PlannedStep(phase="p", step=name) for name in "abc"]))
    steps = tuple(PastStep("p", name, None, None, 0.0, 100.0) for name in "abc")
    expected = {("p", name): Expected(log(100.0), 0.1) for name in "abc"}
    for concurrency, slots in ((1.15, 3), (1.14, None)):
        found = parallel_of(run, past(steps=steps, concurrency=concurrency), expected, {}, 0.0)
        assert (found.slots if found is not None else None) == slots


def test_a_step_below_five_seconds_shows_no_abis() -> None:
    """Records keep whole seconds."""
    times = [(("chapter-5", "binutils-pass1"), 5.0), (("chapter-5", "glibc"), 20.0)]
    assert abis_of(times, 4, "none") is not None
    for place in (0, 1):
        short = [(name, 4.9 if place == at else taken) for at, (name, taken) in enumerate(times)]
        assert abis_of(short, 4, "none") is None


def test_a_step_is_scored_once_however_often_it_was_tried() -> None:
    """By its last attempt: the one that succeeded."""
    steps = [start(0.0), end(10.0, status="failed"), start(20.0), end(50.0)]
    events = [e.BuildStarted(time=0.0, build="b"), *steps, e.BuildFinished(time=50.0, build="b", status="succeeded")]
    (found,) = backtest([RecordedRun("b", "20260101T000000Z", events)], Settings((0.5,), steps=True))
    assert [(step.step, step.seconds) for step in found.steps] == [("s", 30.0)]


def test_the_newest_time_counts_most() -> None:
    """Each earlier one half of the next; a version is new against the newest; a package's times are at this pace."""
    name = ("p", "gcc")
    times = [Taken(place, log(100.0), 0, version) for place, version in enumerate(("15", "14", "13"))]
    of = expectations(History(runs=[past()] * 3, names={name: times}, packages={"gcc": times}), [])
    assert [weight for weight, _, _ in of._of_runs(times, name, 0)] == [1.0, 0.5, 0.25]
    assert [of.is_new(name, version) for version in ("15", "14", "13")] == [False, True, True]
    for source in of.sources.runs:
        source.pace = 0.2
    assert of.of_unknown("gcc", (), is_package=True).seconds == pytest.approx(log(100.0) + 0.2)


def test_steps_one_after_the_other_are_not_side_by_side() -> None:
    """One that begins in the second in which another ends took its slot."""
    for begins, most in (((0.0, 100.0), 1), ((0.0, 99.0), 2)):
        steps = tuple(PastStep("p", "s", None, None, begin, 100.0) for begin in begins)
        assert _most_at_once(past(steps=steps)) == most
