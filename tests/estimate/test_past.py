"""What earlier runs say, value by value: which of them count, in which order, and their pace and accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import log
from typing import Any

import pytest

from build_exporter.estimate.accuracy import Accuracy, _events
from build_exporter.estimate.facts import Facts, _is_multilib, facts_of
from build_exporter.estimate.history import History, PastRun, _paces, _repeats, history_of, log_of
from build_exporter.estimate.table import VARIANTS, TypicalStep, typical_steps
from build_exporter.model import events as e
from build_exporter.tracker import Build, Machine, PastStep, Run, RunSummary, apply_all

DAY = 86_400.0


def steps(*named: tuple[str, float], gap: float = 0.0) -> tuple[PastStep, ...]:
    """Return steps of phase p, one after the other."""
    starts = [sum(seconds + gap for _, seconds in named[:place]) for place in range(len(named))]
    return tuple(PastStep("p", n, None, None, start, s) for start, (n, s) in zip(starts, named, strict=True))


def summary(run: str, past: Sequence[PastStep], result: str = "succeeded", **fields: Any) -> RunSummary:
    """Return an earlier run of these steps."""
    end = 1000.0 + past[-1].start + past[-1].seconds if past else 1000.0
    return RunSummary(run, result, Counter(), 1000.0, end, Counter(), {}, past=tuple(past), **fields)


def build(name: str, *summaries: RunSummary) -> Build:
    """Return a build with these earlier runs."""
    found = Build(name)
    found.history.update((each.run, each) for each in summaries)
    return found


def begun(build: str, run: str, names: str, *, over: bool = False) -> Run:
    """Return a run with planned steps that are named by a letter each."""
    found = Run(build, run)
    planned = [e.PlannedStep(phase="p", step=name) for name in names]
    apply_all(found, [e.BuildStarted(time=0.0, build=build), e.Plan(time=0.0, build=build, steps=planned)])
    if over:
        apply_all(found, [e.BuildFinished(time=9.0, build=build, status="succeeded")])
    return found


def test_the_runs_before_this_one_count_the_newest_first() -> None:
    """Not the run itself nor a later one; six times of a step; of two steps of a name the later is the newer."""
    days = (7, 1, 9, 3, 2, 5, 4, 8, 6)
    known = [summary(f"r{day}", steps(("a", 10.0 + day), ("501-b", 1.0), ("502-b", 2.0))) for day in days]
    found = history_of(begun("x", "r8", "a"), {"x": build("x", *known)})
    assert [past.run for past in found.runs] == ["r7", "r6", "r5", "r4", "r3", "r2", "r1"]
    assert all(past.own for past in found.runs)
    assert [taken.run for taken in found.names["p", "a"]] == [0, 1, 2, 3, 4, 5]
    assert found.names["p", "a"][1].seconds == log(16.0)
    assert [taken.seconds for taken in found.names["p", "b"]] == [log(2.0), 0.0] * 3
    assert [name for name, _ in found.recent[:4]] == [("p", "b"), ("p", "b"), ("p", "a"), ("p", "b")]
    assert len(found.packages["b"]) == 6
    many = summary("r1", steps(*((f"{n}-s{n}", 1.0) for n in range(61))))
    assert len(history_of(begun("x", "r8", "a"), {"x": build("x", many)}).recent) == 60


def test_three_days_are_the_longest_time_of_a_step() -> None:
    """What is recorded as longer is no time, and what is that long is one."""
    past = steps(("a", 3 * DAY), ("b", 3 * DAY + 1))
    assert history_of(begun("x", "r2", "ab"), {"x": build("x", summary("r1", past))}).names.keys() == {("p", "a")}


@pytest.mark.parametrize(("seconds", "found"), [(1.0, 1.0), (0.01, 0.01), (0.009, 0.01), (0.0, 0.3)])
def test_a_step_of_no_time_took_less_than_a_second(seconds: float, found: float) -> None:
    """Writers of whole seconds record 0 for a third of one; a shorter time that was measured is a hundredth."""
    assert log_of(seconds) == log(found)


def test_other_builds_of_the_same_work_count_after_ones_own() -> None:
    """Of another build its newest three, with three steps and a fifth of this run's at least; nine times in all."""
    same = [summary(f"r{day}", steps(("a", day), ("b", 1.0), ("c", 1.0))) for day in (1, 2, 3, 4)]
    run = begun("x", "r9", "abcdefghijklmno")
    own = build("x", summary("r1", steps(("a", 50.0))))
    found = history_of(run, {"other": build("other", *same), "x": own})
    assert [(past.build, past.run, past.own) for past in found.runs] == [
        ("x", "r1", True), ("other", "r4", False), ("other", "r3", False), ("other", "r2", False)
    ]  # fmt: skip
    assert [taken.seconds for taken in found.names["p", "a"]] == [log(50.0), log(4.0), log(3.0), log(2.0)]
    assert len(found.recent) == 1, "the last steps are those of this build"
    wider = begun("x", "r9", "abcdefghijklmnopqrst")
    assert history_of(wider, {"other": build("other", *same), "x": own}).runs[1:] == [], "three of twenty are too few"
    two = build("other", summary("r1", steps(("a", 1.0), ("b", 1.0))))
    assert history_of(begun("x", "r9", "ab"), {"other": two}).runs == []
    many = {name: build(name, *same) for name in "klmn"}
    assert len(history_of(begun("x", "r9", "abc"), many).names["p", "a"]) == 9


@pytest.mark.parametrize(("names", "over", "counts"), [("abc", True, 1), ("abc", False, 0), ("ab", True, 0)])
def test_the_newest_run_of_another_build_counts_once_it_is_over(names: str, over: bool, counts: int) -> None:
    """While it runs its times are no measure, and with fewer than three steps in common it is other work."""
    other, run = Build("other"), begun("x", "r9", "abc")
    other.current = last = Run("other", "r1")
    for place, name in enumerate(names):
        step: dict[str, Any] = {"build": "other", "phase": "p", "step": name}
        apply_all(last, [e.StepStarted(time=10.0 * place, **step)])
        apply_all(last, [e.StepFinished(time=10.0 * place + 9, status="succeeded", **step)])
    if over:
        apply_all(last, [e.BuildFinished(time=99.0, build="other", status="succeeded")])
    assert len(history_of(run, {"other": other}).runs) == counts


def past(names: str = "", *, seconds: Sequence[float] = (), jobs: int | None = 4, **fields: Any) -> PastRun:
    """Return an earlier run of steps named by letters."""
    of = steps(*zip("abcdefgh", seconds, strict=False))
    words: dict[str, Any] = {"tests": None, "result": "succeeded", "gap_ratio": 0.0, "concurrency": 1.0, "steps": of}
    return PastRun("x", "r", True, jobs, **(words | {"names": frozenset(("p", name) for name in names)} | fields))


@pytest.mark.parametrize(
    ("runs", "repeats"),
    [
        (["abcd"], True),
        (["abcd", "abcd"], True),
        (["ab", "bc"], False),
        (["a", "abcdef"], True),
        (["abc", "bcd", "xyz"], True),
        (["ab", "cd", "ef", "gh", "gh"], False),
        (["ab", "cd", "ef", "ef"], True),
    ],
)
def test_runs_repeat_where_two_in_turn_share_more_than_half(runs: list[str], repeats: bool) -> None:
    """Of the newest four, by the shorter of two: a build that failed early repeats as well."""
    assert _repeats([past(names) for names in runs]) == repeats


@pytest.mark.parametrize(
    ("new", "old", "jobs", "pace"),
    [
        ([11, 12, 13, 14, 15], [10, 10, 10, 10, 10], 4, [log(1.3)]),
        ([10] * 5, [12] * 5, 4, [log(10 / 12)]),
        ([11] * 5, [10] * 5, 2, []),
        ([11] * 4, [10] * 4, 4, []),
        ([11] * 5, [10, 10, 10, 10, 5], 4, []),
        ([11, 11, 11, 11, 5], [10] * 5, 4, []),
        ([5.1] * 5, [5.1] * 5, 4, [0.0]),
        ([13.4] * 5, [10] * 5, 4, [log(1.34)]),
        ([13.6] * 5, [10] * 5, 4, []),
        ([7.3] * 5, [10] * 5, 4, []),
    ],
)
def test_the_pace_of_a_run_is_against_the_one_before_it(
    new: list[float], old: list[float], jobs: int, pace: list[float]
) -> None:
    """The middle of five steps over 5 s, positive where the newer was slower; other jobs or machines are no measure."""
    assert _paces([past(seconds=new), past(seconds=old, jobs=jobs)]) == pytest.approx(pace)


@pytest.mark.parametrize(
    ("jobs", "before", "shift"),
    [(4, 1, log(0.625)), (1, 4, log(1.6)), (4, 4, 0.0), (4, None, 0.0), (None, 4, 0.0)],
)
def test_a_time_at_another_j_is_converted(jobs: int | None, before: int | None, shift: float) -> None:
    """Of a step that the table lacks half is serial: at -j4 it takes 0.5 + 0.5 / 4 of its time at -j1."""
    assert Facts(jobs, None, False, 100.0).shift(past(jobs=before), ("p", "x")) == pytest.approx(shift)


def test_facts_choose_among_the_variants() -> None:
    """Before the first step: half of builds have no tests, nine of ten one ABI; what is known otherwise is unlikely."""
    of = {(each.tests, each.abis): each for each in VARIANTS}

    def priors(facts: Facts) -> list[float]:
        return [facts.prior(of[which]) for which in (("none", 1), ("all", 1), ("none", 2))]

    assert priors(Facts(4, None, False, 1.0)) == pytest.approx([0.45, 0.225, 0.035])
    assert priors(Facts(4, None, True, 1.0)) == pytest.approx([0.01, 0.005, 0.3])
    assert priors(Facts(4, "all", False, 1.0, abis=1)) == pytest.approx([0.02, 1.0, 0.02 * 0.02])
    assert [Facts(4, None, *each).likely_abis for each in ((True, 1.0, 3), (True, 1.0), (False, 1.0))] == [3, 2, None]
    targets = ("sysv-multilib", "systemd-m32", "SYSV-ML_32", "sysv", "sysv-small", "x-allx")
    assert [_is_multilib(each) for each in targets] == [True, True, True, False, False, True]


HERE: dict[str, Any] = {"pid_namespace": "here/4026531836"}


def sbu_found(*builds: Build, **fields: Any) -> float | None:
    """Return what an SBU is taken for in a new run of build `b`, by default on the machine `here`."""
    run = begun("b", "20260109T000000Z", "z")
    apply_all(run, [e.BuildStarted(time=1.0, build="b", **(fields or HERE))])
    return history_of(run, {each.name: each for each in builds}).sbu_seconds


def sbu_shown(name: str, seconds: float, *events: e.Event) -> Build:
    """Return a build with a run that shows an SBU by its plan; its machine is as these events have it."""
    found, run = Build(name), begun(name, "20260105T000000Z", "")
    apply_all(run, events)
    found.current = run
    found.history["r4"] = summary("r4", (), sbu_seconds=seconds, machine=run.machine)
    return found


def test_the_sbu_of_another_machine_is_none_of_this_one() -> None:
    """Of builds posted by several machines nothing shows which is on which; the same boot or system shows it."""
    system: dict[str, Any] = {"kernel": "6.1.0", "libc": "glibc 2.36", "host": "x86_64-linux-gnu"}
    here = e.BuildStarted(time=2.0, build="x", **HERE)
    elsewhere = e.BuildStarted(time=2.0, build="x", pid_namespace="there/4026531836")
    posted = sbu_shown("posted", 30.0, e.StepStarted(time=9.0, build="x", phase="p", step="a"))
    assert sbu_found(posted) is None
    assert sbu_found(posted, pid=7) is None, "neither names a machine"
    assert sbu_found(sbu_shown("x", 30.0, elsewhere)) is None
    assert sbu_found(posted, sbu_shown("x", 300.0, here)) == 300.0
    crowd = [sbu_shown(f"m{n}", 30.0, e.StepStarted(time=99.0, build="x", phase="p", step="a")) for n in range(4)]
    assert sbu_found(*crowd, sbu_shown("x", 300.0, here)) == 300.0, "however many others were active since"
    before = sbu_shown("x", 300.0, elsewhere, e.Toolchain(time=3.0, build="x", **system))
    run = begun("b", "20260109T000000Z", "z")
    apply_all(run, [e.BuildStarted(time=1.0, build="b", **HERE), e.Toolchain(time=3.0, build="b", **system)])
    assert history_of(run, {"x": before}).sbu_seconds == 300.0, "started again since"
    apply_all(run, [e.Toolchain(time=4.0, build="b", **(system | {"kernel": "6.2.0"}))])
    assert history_of(run, {"x": before}).sbu_seconds is None
    for mine, found in (("me", 300.0), ("twin", None)):
        apply_all(run, [e.Toolchain(time=5.0, build="b", machine=mine, **system)])
        assert history_of(run, {"x": before}).sbu_seconds == 300.0, "recorded before machines had an id"
        known = sbu_shown("x", 300.0, elsewhere, e.Toolchain(time=3.0, build="x", machine="me", **system))
        assert history_of(run, {"x": known}).sbu_seconds == found, "of two machines that are alike"
    moved = sbu_shown("x", 300.0, here)
    moved.history["r4"] = replace(moved.history["r4"], machine=Machine("there"))
    assert sbu_found(moved) is None, "a build that has moved here since"


def test_runs_of_another_machine_count_where_this_one_has_none() -> None:
    """Of two machines, however alike, with one journal each has its own times; runs without an id are anyone's."""
    system: dict[str, Any] = {"kernel": "6.1.0", "libc": "glibc 2.36", "host": "x86_64-linux-gnu"}
    run = begun("x", "r9", "a")
    apply_all(run, [e.Toolchain(time=5.0, build="x", machine="me", **system)])
    alike = run.machine.system
    machines = {"r1": Machine("", "me", alike), "r2": Machine("", "", alike), "r3": Machine("", "twin", alike)}
    known = [
        summary(name, steps(("a", 10.0)), machine=each, sbu_seconds=float(name[1])) for name, each in machines.items()
    ]
    for runs, found, sbu in ((known, ["r2", "r1"], 2.0), (known[2:], ["r3"], None)):
        history = history_of(run, {"x": build("x", *runs)})
        assert ([past.run for past in history.runs], history.sbu_seconds) == (found, sbu)
    assert not run.machine.is_other(Machine("", "", "other")), "nothing is known"
    assert Machine("boot", "me").is_same(Machine("boot", "container")), "one boot is one machine, whoever looks"


def test_a_row_of_the_table_is_a_time() -> None:
    """One SBU serial and four shared by the jobs, a quarter more for each further ABI; tests come on top."""
    row = TypicalStep("n", serial=1.0, parallel=4.0, critical=0.5, all=2.0, abi=0.25)
    times = {(4, "none", 1): 2.0, (4, "all", 2): 4.5, (0, "critical", 1): 5.5, (8, "none", 3): 2.25, (4, "x", 1): 2.0}
    assert [row.sbu(*settings) for settings in times] == list(times.values())


def test_a_run_builds_as_it_says_or_as_the_one_before_it() -> None:
    """Its own word on tests and jobs counts; of an earlier run of another build nothing is taken."""
    history = History(runs=[past(tests="all"), past(tests="critical"), replace(past(tests="none"), own=False)])
    run = begun("x", "r9", "a")
    assert (facts_of(run, history).tests, facts_of(run, History(runs=history.runs[2:])).tests) == ("all", None)
    run.tests, run.jobs = "none", 8
    assert (facts_of(run, history).tests, facts_of(run, history).jobs) == ("none", 8)


def test_an_sbu_is_as_the_newest_run_with_three_steps_of_the_table_shows() -> None:
    """The middle of their seconds over the table's SBU at that run's -j, else as its plan shows; 140 s is not known."""
    names = [name for name, typical in typical_steps().items() if typical.sbu(2, "none", 1) > 0.1][:3]
    table = [typical_steps()[name].sbu(2, "none", 1) for name in names]

    def run(day: int, *sbu: float, plan: float | None = None) -> RunSummary:
        taken = [each * seconds for each, seconds in zip(sbu, table, strict=False)]
        of = [PastStep(*name, None, None, 0.0, each) for name, each in zip(names, taken, strict=False)]
        return summary(f"2026010{day}T000000Z", of, jobs=2, sbu_seconds=plan, machine=Machine("here"))

    own = build("b", run(3, 200.0, 300.0), run(2, 500.0, 200.0, 300.0), run(1, 900.0, 900.0, 900.0))
    assert sbu_found(own) == pytest.approx(300.0)
    old = build("b", run(1, 300.0, 300.0, 300.0), *(run(day) for day in (2, 3, 4)))
    assert sbu_found(old) is None
    other = build("lfs", run(2, 300.0, 300.0, 300.0))
    other.current = begun("lfs", "20260105T000000Z", "")
    apply_all(other.current, [e.BuildStarted(time=1.0, build="lfs", **HERE)])
    assert sbu_found(old, other) == pytest.approx(300.0), "another build on this machine shows it"
    assert sbu_found(build("b", run(1, 300.0, plan=77.0)), other) == 77.0, "by its plan"


def test_the_newest_five_good_runs_are_scored_one_at_a_time() -> None:
    """Of runs that succeeded, with steps but not with thousands; the first run, with none before it, says nothing."""
    good = [summary(f"r{day}", steps(("a", 100.0), ("b", 300.0))) for day in range(1, 8)]
    huge = summary("r0", steps(*((str(n), 1.0) for n in range(2001))))
    of = build("x", *good, huge, summary("r8", steps(("a", 9.0)), "failed"), summary("r9", ()))
    builds = {"x": of, "y": build("y", huge), "z": build("z", *good[:2])}
    accuracy = Accuracy(builds)
    for scored in ("r7", "r6", "r5", "r4", "r3", "r3"):
        accuracy.work("x")
        assert list(accuracy._scored)[-1] == ("x", scored)
    assert [accuracy.of("x")[mark].runs for mark in (0.25, 0.5, 0.75)] == [5, 5, 5]
    assert accuracy.of("x")[0.5].median_abs_error_ratio == pytest.approx(0.0, abs=0.01)
    for name in ("y", "none"):
        accuracy.work(name)
        assert accuracy.of(name) == {}
    accuracy.work("z")
    accuracy.work("z")
    assert (accuracy.of("z")[0.5].runs, len(accuracy._scored)) == (1, 7)
    of.history["r77"] = replace(good[-1], run="r77")
    del builds["z"]
    accuracy.work("x")
    assert {run for _, run in accuracy._scored} == {"r77", "r7", "r6", "r5", "r4"}, "older ones and z are dropped"


def test_a_remembered_run_is_played_as_it_was() -> None:
    """Plan, then each step's begin and end in order, with the run's jobs and end; without an end the last step's."""
    of = summary("r1", steps(("a", 100.0), ("b", 300.0), gap=10.0), jobs=3)
    found = [(type(each).__name__, each.time) for each in _events("x", of)]
    assert found == [
        ("BuildStarted", 1000.0), ("Plan", 1000.0), ("StepStarted", 1000.0), ("StepFinished", 1100.0),
        ("StepStarted", 1110.0), ("StepFinished", 1410.0), ("BuildFinished", 1410.0),
    ]  # fmt: skip
    first, planned, *_ = _events("x", of)
    assert isinstance(first, e.BuildStarted)
    assert isinstance(planned, e.Plan)
    assert (first.jobs, [each.step for each in planned.steps]) == (3, ["a", "b"])
    for end, ends in ((1500.0, 1500.0), (None, 1410.0)):
        assert _events("x", replace(of, end=end))[-1].time == ends
