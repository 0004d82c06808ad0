"""What holds a step up: by pressure and CPU time, both sides of each limit."""

from __future__ import annotations

import pytest
from tests.analysis.conftest import MakeRun

from build_exporter.analysis.bottlenecks import analyze
from build_exporter.analysis.differences import differences
from build_exporter.model import events as e
from build_exporter.queries.commands.analyze import lines
from build_exporter.tracker import apply_all, summarise


@pytest.mark.parametrize(
    ("cores", "memory", "io", "bound"),
    [
        (2.8, 9.9, 0.0, "cpu"), (2.8, 10.0, 0.0, "memory"), (2.79, 0.0, 25.0, "io"), (2.8, 0.0, 25.0, "cpu"),
        (2.0, 0.0, 24.9, None), (1.3, 0.0, 24.9, "serial"), (1.31, 0.0, 0.0, None),
    ],
)  # fmt: skip
def test_a_step_is_held_up_by_what_was_measured(
    make_run: MakeRun, cores: float, memory: float, io: float, bound: str | None
) -> None:
    """100 s at -j4: memory from 10 s of waiting on, the disk from 25 s on if CPUs were idle, CPUs from 2.8 busy on."""
    figures = {
        "seconds": 100.0, "cpu_seconds": 100.0 * cores, "memory_wait_seconds": memory, "io_wait_seconds": io,
    }  # fmt: skip
    found = analyze(make_run({"p/a": figures}))
    assert found.slowest[0].bound == bound
    assert found.bounds == ({bound: 1.0} if bound else {})


def test_waiting_for_memory_is_advice_with_its_arithmetic(make_run: MakeRun) -> None:
    """A step that waited 90 of 300 s for memory can save at most those, and the analysis says so in words."""
    figures = {"seconds": 300.0, "cpu_seconds": 300.0, "memory_wait_seconds": 90.0, "io_wait_seconds": 0.0}
    found = analyze(make_run({"p/link": figures, "p/b": 100.0}))
    advice = next(each for each in found.recommendations if each.kind == "memory")
    assert advice.saves_seconds == pytest.approx(90.0)
    assert advice.evidence == ["p/link waited 90 of 300 s"]
    assert "held up by: memory 75%" in list(lines(found))


def test_without_pressure_or_cpu_time_nothing_is_said(make_run: MakeRun) -> None:
    """A record of durations alone gives no verdict on what held it up."""
    assert analyze(make_run({"p/a": 1000.0})).bounds == {}


def test_a_step_far_beyond_its_plan_is_advice_where_no_earlier_run_is_known(make_run: MakeRun) -> None:
    """Steps take 100 s for each SBU; one of 2 SBU that took 300 s has 100 s to save, one that took 255 s nothing."""
    plan = [e.PlannedStep(phase="p", step=f"s{number}", sbu=1.0) for number in range(5)]
    plan += [e.PlannedStep(phase="p", step="late", sbu=2.0), e.PlannedStep(phase="p", step="close", sbu=2.0)]
    steps = {f"p/s{number}": 100.0 for number in range(5)} | {"p/late": 300.0, "p/close": 255.0}
    found = [each for each in analyze(make_run(steps, plan=plan)).recommendations if each.kind == "beyond-plan"]
    assert [each.steps for each in found] == [["p/late"]]
    assert found[0].saves_seconds == pytest.approx(100.0)
    history = [summarise(make_run(steps, f"2026010{day}T000000Z")) for day in range(1, 4)]
    later = analyze(make_run(steps, "20260105T000000Z", plan=plan), history)
    assert not [each for each in later.recommendations if each.kind == "beyond-plan"]


def test_runs_of_another_variant_are_no_measure(make_run: MakeRun) -> None:
    """A plain build after many for two ABIs is compared with the plain ones: nothing in it seems faster or slower."""
    plain, multilib = {"p/glibc": 300.0, "p/gcc": 600.0, "p/m4": 60.0}, {"p/glibc": 700.0, "p/gcc": 610.0, "p/m4": 60.0}
    history = []
    for number, (target, steps) in enumerate([("sysv", plain)] * 3 + [("sysv-multilib", multilib)] * 6):
        run = make_run(steps, f"202601{number + 1:02}T000000Z")
        apply_all(run, [e.BuildStarted(time=900.0, build="lfs", target=target, jobs=4)])
        history.append(summarise(run))
    now = make_run(plain, "20260120T000000Z")
    apply_all(now, [e.BuildStarted(time=900.0, build="lfs", target="sysv", jobs=4)])
    found = differences(now, history)
    assert (found.earlier_runs, found.differences) == (3, [])
