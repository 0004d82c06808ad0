"""Whatever a log holds, and however it comes: counts stay counts, and the result is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from build_exporter.sources.step_logs.suites import Results, SuiteReader
from build_exporter.sources.step_logs.suites.results import COUNTS, MAX_SUITES

DEJAGNU: Final = """\t\t=== gcc tests ===

Running target unix
PASS: a.c
FAIL: b.c
\t\t=== gcc Summary ===

# of expected passes\t\t1
# of unexpected failures\t1
/build/gcc version 14.2.0
"""
AUTOMAKE: Final = "PASS: a.sh\nFAIL: b.sh\nTestsuite summary for m4 1.4\n# TOTAL: 2\n# PASS:  1\n# FAIL:  1\n=====\n"
MESON: Final = """1/2 x:a   OK    0.02s
2/2 x:b   FAIL   0.02s

Ok:                1
Fail:              1

Full log
"""
CTEST: Final = "Test project /b\n1/2 Test #1: a ...   Passed    0.0 sec\n50% tests passed, 1 tests failed out of 2\n"
GTEST: Final = """[==========] 2 tests from 1 test suite ran. (0 ms total)
[  PASSED  ] 1 test.
[  FAILED  ] 1 test, listed below:
"""
PYTEST: Final = "=== test session starts ===\nt.py .F [100%]\n=== 1 failed, 1 passed in 0.1s ===\n"
UNITTEST: Final = "Ran 2 tests in 0.1s\n\nFAILED (failures=1)\n"
TAP: Final = "1..2\nok 1\nnot ok 2\n"
SUITES: Final = {
    "gcc": DEJAGNU, "m4 1.4": AUTOMAKE, "meson": MESON, "ctest": CTEST, "gtest": GTEST, "pytest": PYTEST,
    "unittest": UNITTEST, "tap": TAP,
}  # fmt: skip
"""By suite: a whole run of two tests, of which one fails."""

PIECES: Final = [
    *sorted({line for log in SUITES.values() for line in log.splitlines()}),
    "make[1]: *** [Makefile:1: check-TESTS] Error 1",
    "   x 1.2: ./test-suite.log",
    "cat <<'EOF' |",
    "EOF",
    "== CPython 3.13.3 (main)",
    "== Tests result: FAILURE ==",
    "Result: FAILURE",
    "## GNU x 1.2 test suite. ##",
    "ERROR: 12 tests were run,",
    "2 failed (3 expected failures).",
    "9 tests behaved as expected (12 expected failures).",
    "3 of 2 tests did not behave as expected (9 unexpected passes)",
    "a.t (Wstat: 512 (exited 2) Tests: 3 Failed: 0)",
    "  TODO passed:   1-999999999999, x, 3-1",
    "Files=1, Tests=3, 0 wallclock secs",
    "1..999999999",
    "ok 1",
    "Bail out!",
    "all.tcl:\tTotal\t1\tPassed\t9\tSkipped\t9\tFailed\t9",
    "  9 tests of 3 FAILED",
    "Ran 1 tests in 0.1s",
    "FAILED (failures=7, errors=9)",
    "[==========] 1 tests from 1 test suite ran.",
    "[  SKIPPED ] 12 tests, listed below:",
    "99999999999999999999 failed, 1 passed in 0.1s",
    "# of expected passes\t\t99999999999999999999999",
    "FAIL: " + "x" * 65536,
    "\x1b[31mFAIL\x1b[0m: \x00\x07\ud800\u202e",
    "\r\r\rPASS: a\r",
]
HOSTILE: Final = (
    st.text(max_size=60) | st.sampled_from(PIECES) | st.binary(max_size=40).map(lambda b: b.decode("latin-1"))
)


def read(text: str) -> dict[str, Results]:
    """Return the results in a whole log."""
    reader = SuiteReader()
    for line in text.split("\n"):
        reader.feed(line)
    reader.finish()
    return reader.results


@given(
    st.lists(HOSTILE, max_size=60), st.lists(st.integers(0, 60), max_size=4), st.sampled_from(["succeeded", "failed"])
)
@settings(deadline=None)
def test_any_lines_give_counts(tested: Callable[..., Any], lines: list[str], polls: list[int], status: str) -> None:
    """Lines of all runners mixed up, cut and hostile raise nothing, give no negative count, and few suites."""
    step = tested("824-gcc")
    for index, line in enumerate(lines):
        step.write(line) if line.isprintable() else step.reader.feed(line)
        if index in polls:
            step.poll(after=30.0)
    for results in step.end(status).values():
        assert all(getattr(results, name) >= 0 for name in COUNTS)
        assert results.total < 10**12
    assert len(step.reader.ledger.suites) <= MAX_SUITES + 1


@given(st.permutations(sorted(SUITES)))
@settings(deadline=None)
def test_the_order_of_suites_changes_nothing(order: list[str]) -> None:
    """A step that runs several kinds of tests, one after the other, has the results of each."""
    log = "".join(f"make[1]: Entering directory '/{name}'\n{SUITES[name]}\n" for name in order)
    assert read(log) == dict.fromkeys(SUITES, Results(passed=1, failed=1))


@given(st.lists(st.integers(0, 70), max_size=12), st.permutations(sorted(SUITES)))
@settings(deadline=None)
def test_looks_in_between_change_nothing(tested: Callable[..., Any], cuts: list[int], order: list[str]) -> None:
    """However often the log is polled, and wherever it ends then, the final result is the same."""
    lines = "".join(SUITES[name] + "\n" for name in order).split("\n")
    step = tested("900-thing")
    for index, line in enumerate(lines):
        step.reader.feed(line)
        if index in cuts:
            step.poll(after=30.0)
    assert step.end() == dict.fromkeys(SUITES, Results(passed=1, failed=1))


@given(st.lists(st.sampled_from(PIECES[:-3]), max_size=40), st.integers(0, 40))
@settings(deadline=None)
def test_a_restart_ends_with_the_same(tested: Callable[..., Any], lines: list[str], at: int) -> None:
    """An exporter restarted in the middle of any log ends with the result of one that was never stopped."""
    log = "\n".join(lines)
    one, other = tested("900-thing"), tested("900-thing")
    reported = one.write(log).end()
    other.write("\n".join(lines[:at])).poll()
    other.restart("\n".join(lines[:at])).poll(after=60.0)
    for line in lines[at:]:
        other.write(line)
    assert other.end() == reported
    count = len(other.reported)
    other.restart(log).poll(over=True)
    assert len(other.reported) == count
