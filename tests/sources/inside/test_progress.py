"""How far a step is, by what build tools print."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.inside.progress import CEILING, LogProgress


def progress(*lines: str) -> float:
    """Return the ratio after some lines."""
    found = LogProgress()
    for line in lines:
        found.feed(line)
    return found.ratio


def test_ninja_and_percents_are_read() -> None:
    """Counters of ninja and percents of cmake move the bar, other lines do not."""
    assert progress("[120/480] Building CXX object a.o") == 0.25
    assert progress("[ 37%] Building C object b.o") == 0.37
    assert progress("checking for gcc... yes", "see [12/40] in the manual", "12/40", "[3/2] odd", "[ 37%]") == 0.0


def test_small_runs_of_ninja_count_as_nothing() -> None:
    """The two or three edges of an install step are not the step."""
    assert progress("[1/2] Generating x", "[2/2] Linking y") == 0.0


def test_parallel_jobs_that_print_out_of_order_do_no_harm() -> None:
    """A percent that steps back a little is the same round."""
    assert progress("[ 50%] a", "[ 49%] b") == 0.5


def test_a_second_round_goes_on_from_the_first() -> None:
    """A step that builds twice, as for two targets, neither jumps back nor claims to be done after the first."""
    first = progress("[1/100] a", "[100/100] b")
    assert first == CEILING
    second = LogProgress()
    for line in ("[60/100] a", "[5/100] b"):
        second.feed(line)
    assert 0.6 <= second.ratio < 0.7
    second.feed("[100/100] c")
    assert second.ratio == 0.8


@given(st.lists(st.builds("[{}/{}] x".format, st.integers(0, 300), st.integers(0, 300)) | st.text(max_size=20)))
def test_it_never_goes_back_and_is_never_one(lines: list[str]) -> None:
    """Whatever a log prints, the bar moves one way and leaves the end to the step itself."""
    found, before = LogProgress(), 0.0
    for line in lines:
        found.feed(line)
        assert before <= found.ratio <= CEILING
        before = found.ratio
