"""How far a step is, by the counters build tools print."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.step_logs.counters import Counters


def progress(*lines: str) -> float | None:
    """Return the share after some lines."""
    found = Counters()
    for line in lines:
        found.feed(line)
    return found.share


def test_ninja_and_percents_are_read() -> None:
    """Counters of ninja and percents of cmake move the bar, other lines do not."""
    assert progress("[120/480] Building CXX object a.o") == 0.25
    assert progress("[ 37%] Building C object b.o") == 0.37
    assert progress("checking for gcc... yes", "see [12/40] in the manual", "12/40", "[3/2] odd", "[ 37%]") is None


@pytest.mark.parametrize(
    ("line", "share"),
    [
        (" 12/120 glib:core / atomic                 OK              0.02s", 0.1),
        ("3/57 Test  #3: parser ...........................   Passed    0.01 sec", 3 / 57),
        ("PASS: LLVM :: Analysis/a.ll (250 of 500)", 0.5),
        ("tests/test_a.py ........................... [ 37%]", 0.37),
    ],
)
def test_counters_of_test_runners_are_read(line: str, share: float) -> None:
    """A suite that runs for hours moves the bar with each test."""
    assert progress(line) == pytest.approx(share)


@pytest.mark.parametrize(
    "line",
    [
        "1/2 of the work is done", " 3/57", "2024/11/21 OK", "PASS: a (3 of them)", "(1 of 20)", "[12/480",
        "100/80 x OK 1",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_counter_moves_nothing(line: str) -> None:
    """Dates, fractions and prose are no progress."""
    assert progress(line) is None


def test_small_runs_of_ninja_count_as_nothing() -> None:
    """The two or three edges of an install step are not the step."""
    assert progress("[1/2] Generating x", "[2/2] Linking y") is None


def test_parallel_jobs_that_print_out_of_order_do_no_harm() -> None:
    """A percent that steps back a little is the same round."""
    assert progress("[ 50%] a", "[ 49%] b") == 0.5


def test_a_second_round_goes_on_from_the_first() -> None:
    """A step that builds twice, as for two targets, neither jumps back nor claims to be done after the first."""
    assert progress("[60/100] a", "[5/100] b") == pytest.approx(0.61)
    assert progress("[60/100] a", "[5/100] b", "[100/100] c") == pytest.approx(0.8)


def test_tests_after_the_objects_are_a_round_of_their_own() -> None:
    """The suite's first test does not wait for its counter to overtake the compiler's."""
    lines = ["[60/100] a", " 1/100 x OK 0.1s", " 50/100 x OK 0.1s"]
    assert progress(*lines) == pytest.approx(0.7)
    assert progress(*lines, "[70/100] b") == pytest.approx(0.7), "a kind that goes on is no new round"


@given(st.lists(st.builds("[{}/{}] x".format, st.integers(0, 300), st.integers(0, 300)) | st.text(max_size=20)))
def test_it_never_falls_and_stays_within_bounds(lines: list[str]) -> None:
    """Whatever a log prints, the counters move the bar one way."""
    found, before = Counters(), 0.0
    for line in lines:
        found.feed(line)
        if found.share is not None:
            assert before <= found.share <= 1.0
            before = found.share


def test_a_real_ctest_is_followed(tmp_path: Path) -> None:
    """Lines of the installed ctest are understood, whatever their columns are."""
    (tmp_path / "CTestTestfile.cmake").write_text("".join(f"add_test(t{n} /bin/true)\n" for n in range(1, 13)))
    reported = subprocess.run(["ctest"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    shares = [progress(*reported[: n + 1]) for n in range(len(reported))]
    assert sorted({share for share in shares if share is not None}) == pytest.approx([n / 12 for n in range(1, 13)])


FORMS = (
    *("[%f/%t] ", "[%f/%t %p] ", "%p %f/%t ", "[%es %f/%t] ", "[%u/%r/%f] ", "[%p] ", "ninja %f of %t (%o/s): "),
    *("<%f/%t> ", "[%r processes, %f/%t @ %o/s : %es] ", "[%p %f/%t] ", "%p: ", "%f/%t "),
    *("[%p/%f/%t %es] ", "%p ", "<%p> "),
)


@pytest.mark.parametrize("form", FORMS)
def test_any_status_of_ninja(form: str) -> None:
    """Whatever NINJA_STATUS is, there is progress where it holds finished and total edges, or the percentage."""
    lines = []
    for done in range(1, 101):
        values = {"%f": done, "%t": 400, "%u": 396 - done, "%r": 4, "%p": f"{done // 4:3d}%", "%e": f"{done / 10:.3f}"}
        line = form
        for key, value in {**values, "%o": "9.8"}.items():
            line = line.replace(key, str(value))
        lines.append(f"{line}Building CXX object src/x{done}.o")
    assert progress(*lines) == pytest.approx(0.25)


def test_other_counters_of_builds() -> None:
    """Android's ninja, emerge with parallel jobs and BitBake on a terminal say how far they are."""
    android = [
        f"[ {n * 100 // 42890}% {n}/42890] //external/x:y clang++ a{n}.cpp" for n in (21443, 21444, 21445, 21446)
    ]
    assert progress(*android) == pytest.approx(0.5, abs=0.001)
    assert progress(">>> Jobs: 3 of 12 complete, 1 running               Load avg: 2.4, 2.1, 1.9") == 0.25
    assert progress("Currently  4 running tasks (600 of 2400)  25% |######            |") == 0.25


def test_what_counts_something_else_is_no_progress() -> None:
    """A download, a clone or a list of things that happen to be numbered does not move the bar."""
    for line in ("Receiving objects: {n}% ({n}/100)", "{n}/100 MB", "remote: {n}/100", "step {n}/7", "{n}.1/2.3"):
        assert progress(*(line.format(n=n) for n in range(1, 90))) is None, line
    assert progress(*(f"release 1/{n}" for n in range(10, 40))) is None
