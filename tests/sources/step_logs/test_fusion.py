"""One ratio out of counters, the log's size and the clock."""

from __future__ import annotations

import itertools
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.step_logs.fusion import Evidence, by_log, by_time, fuse
from build_exporter.sources.step_logs.growth import PARTS, Growth, is_task, place
from build_exporter.tracker import LogShape, approach

EVIDENCE = st.lists(st.builds(Evidence, st.floats(0, 1e6), st.floats(0.001, 1e6)), min_size=1, max_size=6)


def grown(*points: tuple[float, int]) -> Growth:
    """Return a log seen to grow: seconds and bytes."""
    growth = Growth()
    for elapsed, size in points:
        growth.see(elapsed, size)
    return growth


def shape(growth: Growth, seconds: float) -> LogShape:
    """Return the shape of an attempt that took so long."""
    return LogShape(seconds, growth.size, growth.tasks, array("f", growth.curve(seconds) or ()), None)


@given(EVIDENCE, st.randoms())
def test_the_order_of_the_evidence_makes_no_difference(evidence: list[Evidence], order: random.Random) -> None:
    """The same log and clock give the same bar, whichever reader is asked first."""
    shuffled = evidence.copy()
    order.shuffle(shuffled)
    assert fuse(shuffled) == fuse(evidence)


@given(EVIDENCE, st.integers(0, 5), st.floats(0, 1e6))
def test_more_done_by_any_evidence_is_never_less(evidence: list[Evidence], which: int, more: float) -> None:
    """No reader can push the bar back by having read on."""
    which %= len(evidence)
    grown_evidence = evidence.copy()
    grown_evidence[which] = evidence[which]._replace(share=evidence[which].share + more)
    before, after = fuse(evidence), fuse(grown_evidence)
    assert before is not None
    assert after is not None
    assert 0.0 <= before <= after + 1e-9 <= 1.0 + 1e-9


def test_the_surer_evidence_counts_more() -> None:
    """Of two that disagree the one with a third of the error has nine times the say."""
    assert fuse([Evidence(0.2, 0.1), Evidence(0.4, 0.3)]) == pytest.approx(0.22)
    assert fuse([]) is None


def test_a_step_that_outgrows_the_last_attempt_never_seems_done() -> None:
    """At the last attempt's end the bar stands at 0.95, and continues to move long after."""
    shown = [approach(share) for share in (0.5, 0.9, 1.0, 1.2, 1.5, 3.0, 100.0)]
    assert shown[:3] == [0.5, pytest.approx(0.9), pytest.approx(0.95)]
    assert all(before < after < 1.0 for before, after in itertools.pairwise(shown))
    assert approach(1.5) < 0.99


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_approach_keeps_the_order(one: float, other: float) -> None:
    """What is further is never shown as less far."""
    lower, higher = sorted((one, other))
    assert approach(lower) <= approach(higher) <= 1.0


def test_a_log_written_unevenly_tells_time_not_bytes() -> None:
    """Half of the log written in the first tenth of the time is a tenth of the step."""
    points = [(float(t), 5_000 * t if t <= 10 else 50_000 + (t - 10) * 50_000 // 90) for t in range(101)]
    last = shape(grown(*points), 100.0)
    assert len(last.curve) == PARTS
    assert place(last, grown((1.0, 50_000))).likely == pytest.approx(0.1, abs=0.01)
    assert place(last, grown((1.0, 75_000))).likely == pytest.approx(0.55, abs=0.01)


def test_the_clock_goes_on_while_the_log_is_silent_as_it_was_the_last_time() -> None:
    """A long link moves the bar as far as it lasted the last time, and no further."""
    silent = [(float(t), min(t, 20) * 1000) for t in range(81)] + [(80.0 + t, 20_000 + t * 1000) for t in range(1, 21)]
    last = shape(grown(*silent), 100.0)
    now = grown(*((float(t), t * 1000) for t in range(21)))
    shares = [by_log(last, now, elapsed, same_version=True).share for elapsed in (20.0, 40.0, 60.0, 80.0, 300.0)]
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8], abs=0.03)


def test_a_slower_machine_moves_slower_through_the_silence() -> None:
    """What took twice as long up to the link is taken to link for twice as long too."""
    silent = [(float(t), min(t, 50) * 1000) for t in range(101)]
    last = shape(grown(*silent), 100.0)
    now = grown(*((2.0 * t, t * 1000) for t in range(51)))
    assert by_log(last, now, 150.0, same_version=True).share == pytest.approx(0.5 + 50 / 150, abs=0.03)


def test_a_log_larger_than_the_last_goes_on_counting() -> None:
    """Beyond the last attempt's size the share continues with the bytes."""
    last = shape(grown((50.0, 500), (100.0, 1000)), 100.0)
    assert place(last, grown((1.0, 1500))).likely == pytest.approx(1.5)


def test_an_object_moves_the_bar_more_than_a_check() -> None:
    """Quiet make rules write a word for what takes a second, configure a line for what takes none."""
    growth = Growth()
    for second in range(101):
        growth.see(float(second), 100 * min(second, 10) + 20 * max(0, second - 10), max(0, second - 10))
    last = shape(growth, 100.0)
    half = Growth()
    half.see(55.0, 1000 + 45 * 20, 45)
    assert place(last, half).likely == pytest.approx(0.55, abs=0.02)
    assert place(LogShape(100.0, 2000, 0, array("f"), None), half).likely == 0.95, "by size where nobody counted"


@pytest.mark.parametrize(
    "line",
    [
        "  CC      kernel/fork.o", "  CC [M]  drivers/net/dummy.o", "  CCLD     ar",
        "gcc -DHAVE_CONFIG_H -I. -O2 -c -o a.o a.c", "[12/480] Building CXX object a.o",
        "[ 37%] Building C object b.o", "PASS: backref", "ok 12 - opens", " 12/120 glib:core / atomic  OK  0.02s",
        " 12: eval                                        ok",
    ],
)  # fmt: skip
def test_tasks_are_known(line: str) -> None:
    """Objects and tests, as make, the kernel, ninja, cmake and the runners of tests print them."""
    assert is_task(line)


@pytest.mark.parametrize(
    "line",
    ["checking for gcc... gcc", "make[2]: Entering directory '/a'", "", "  the FILE is here", "/bin/mkdir -p /usr/bin"],
)
def test_other_lines_are_no_tasks(line: str) -> None:
    """Checks of configure, make's own words and prose."""
    assert not is_task(line)


def test_another_version_is_trusted_less() -> None:
    """The log of another version of the package is a hint where it was a measure."""
    last = shape(grown((50.0, 500), (100.0, 1000)), 100.0)
    now = grown((10.0, 100))
    same, other = (by_log(last, now, 10.0, same_version=same) for same in (True, False))
    assert other.error == pytest.approx(3 * same.error)
    assert other.share == same.share


def test_the_clock_is_trusted_less_the_longer_it_ran() -> None:
    """A step twice as long as planned is mostly judged by what it says itself."""
    assert by_time(200.0, 100.0, 0.3) == pytest.approx((2.0, 0.6))
    assert by_time(0.0, 100.0, 0.3).error > 0


def test_a_log_nobody_watched_has_no_curve() -> None:
    """Attached in the middle, the exporter remembers the size and claims no shape."""
    assert grown((60.0, 5000), (70.0, 6000), (100.0, 9000)).curve(100.0) is None
    assert grown((5.0, 5000), (50.0, 5000), (52.0, 9000)).curve(100.0) is not None, "silence is no gap"
    assert grown().curve(10.0) is None
    assert grown((1.0, 5)).curve(0.0) is None


@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 10**9)), max_size=1500), st.floats(0.1, 1e5))
def test_a_curve_rises_to_one(points: list[tuple[float, int]], seconds: float) -> None:
    """However a log was seen to grow, even by clocks that step, its curve can be looked up."""
    curve = grown(*points).curve(seconds)
    if curve is not None:
        assert len(curve) == PARTS
        assert all(0.0 <= before <= after <= 1.0 for before, after in itertools.pairwise(curve))
        assert curve[-1] == 1.0


@given(
    st.lists(st.floats(0, 1, width=32), max_size=64),
    st.integers(1, 10**12),
    st.integers(0, 10**13),
    st.sampled_from([0, 1, 10**18]),
)
def test_any_curve_a_writer_tells_gives_a_share(curve: list[float], size: int, now: int, tasks: int) -> None:
    """A hostile or damaged journal line costs no more than a wrong bar."""
    span = place(LogShape(10.0, size, tasks, array("f", curve), None), grown((1.0, now)))
    assert 0.0 <= span.earliest <= span.latest
    if now <= size:
        assert span.latest <= 1.0
    assert span.likely >= 0.0


def test_hours_of_looking_keep_bounded_points() -> None:
    """A four-hour step watched each second costs no more memory than one of ten minutes, and keeps its curve."""
    growth = grown(*((float(t), t * 10) for t in range(14_400)))
    assert len(growth._points) <= 513
    curve = growth.curve(14_400.0)
    assert curve is not None
    assert curve == pytest.approx([(part + 1) / PARTS for part in range(PARTS)], abs=0.01)
