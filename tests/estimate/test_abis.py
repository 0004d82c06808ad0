"""A multilib build takes as many times as long for its libraries, whatever its history says."""

from __future__ import annotations

import math

import pytest

from build_exporter.estimate import Estimator
from build_exporter.estimate.abis import abis_of
from build_exporter.estimate.table import typical_steps
from build_exporter.model import events as e
from build_exporter.sources.jhalfs.names import name_after, target_of
from build_exporter.tracker import Tracker
from build_exporter.tracker.names import Name

SBU = 140.0
STEPS: tuple[Name, ...] = (
    ("chapter-5", "binutils-pass1"), ("chapter-5", "gcc-pass1"), ("chapter-5", "glibc"), ("chapter-5", "gcc-libstdc++"),
    ("chapter-6", "m4"), ("chapter-6", "ncurses"), ("chapter-8", "glibc"), ("chapter-8", "openssl"),
    ("chapter-8", "perl"), ("chapter-8", "gcc"),
)  # fmt: skip


def seconds(name: Name, abis: int) -> float:
    """Return a step's time at -j4 without tests on a machine with the SBU of this module."""
    return typical_steps()[name].sbu(4, "none", abis) * SBU


@pytest.mark.parametrize("abis", [1, 2, 3])
def test_the_c_library_shows_how_many_there_are(abis: int) -> None:
    """glibc's time against that of the compiler before it shows for how many ABIs a build is."""
    assert abis_of([(name, seconds(name, abis)) for name in STEPS[:3]], 4, "none") == abis


def test_steps_alike_for_every_number_show_nothing() -> None:
    """Without a step that a further ABI makes longer, or without one that it does not, nothing is said."""
    assert abis_of([(name, seconds(name, 3)) for name in STEPS[:2]], 4, "none") is None
    assert abis_of([(STEPS[2], 1000.0)], 4, "none") is None
    assert abis_of([(("p", "unknown"), 1000.0)], 4, "none") is None


def run_events(target: str, abis: int, start: float, upto: int | None = None) -> list[e.Event]:
    """Return a run for so many ABIs, finished where `upto` is None."""
    found: list[e.Event] = [
        e.BuildStarted(time=start, build="lfs", target=target, jobs=4, tests="none"),
        e.Plan(time=start, build="lfs", steps=[e.PlannedStep(phase=phase, step=step) for phase, step in STEPS]),
    ]
    now = start
    for phase, step in STEPS[:upto]:
        found.append(e.StepStarted(time=now, build="lfs", phase=phase, step=step))
        now += seconds((phase, step), abis)
        found.append(e.StepFinished(time=now, build="lfs", phase=phase, step=step, status="succeeded"))
    if upto is None:
        found.append(e.BuildFinished(time=now, build="lfs", status="succeeded"))
    return found


@pytest.mark.parametrize(("target", "abis", "before"), [("sysv-multilib", 2, 1), ("sysv", 1, 2)])
def test_an_earlier_run_for_fewer_or_more_abis_is_converted(target: str, abis: int, before: int) -> None:
    """A multilib build after a plain one, and the reverse, is estimated for what it builds, before its first step."""
    tracker = Tracker()
    tracker.feed("lfs", "20260101T000000Z", run_events("sysv" if before == 1 else "sysv-ml_32", before, 1e9))
    run = tracker.feed("lfs", "20260102T000000Z", run_events(target, abis, 2e9, upto=0))
    estimate = Estimator(tracker.builds)(run, 2e9)
    assert estimate is not None
    assert estimate.middle == pytest.approx(math.fsum(seconds(name, abis) for name in STEPS), rel=0.03)


def test_the_multilib_branch_of_the_book_is_a_target_and_a_line_of_builds_of_its_own() -> None:
    """jhalfs without the setting MULTILIB builds multilib from the book's branch of that name."""
    settings = {"INITSYS": "sysv", "COMMIT": "multilib"}
    assert target_of(settings) == "sysv-multilib"
    assert name_after("r12.0-799", settings) == "lfs-trunk-multilib"
    assert target_of({"INITSYS": "sysv", "COMMIT": "trunk", "MULTILIB": "default"}) == "sysv"
