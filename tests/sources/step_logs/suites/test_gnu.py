"""DejaGnu, automake and autotest line by line: what counts while tests run, once, and as what; counted by hand."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from build_exporter.sources.step_logs.suites import Results, SuiteReader
from build_exporter.sources.step_logs.suites.results import MAX_NAMES, MAX_SUITES, Ledger, Suite
from build_exporter.sources.step_logs.suites.runner import number


def ledger(text: str, *, over: bool = False) -> Ledger:
    """Return what is counted after a text, with `over` as the whole of a log."""
    reader = SuiteReader()
    for line in text.splitlines():
        reader.feed(line)
    if over:
        reader.finish()
    return reader.ledger


def counts(text: str, *, over: bool = False) -> dict[str, Results]:
    """Return the results of each suite after a text."""
    return {name: suite.results for name, suite in ledger(text, over=over).suites.items() if suite.results.total}


DEJAGNU = "\t\t=== gcc tests ===\n\nSchedule of variations:\n"
WORDS = {
    "PASS": "passed", "FAIL": "failed", "XFAIL": "expected_failed", "KFAIL": "expected_failed",
    "XPASS": "unexpected_passed", "KPASS": "unexpected_passed", "UNSUPPORTED": "skipped", "UNTESTED": "skipped",
    "UNRESOLVED": "errors", "ERROR": "errors",
}  # fmt: skip


@pytest.mark.parametrize(("word", "field"), WORDS.items())
def test_each_word_of_dejagnu_is_counted_as_what_it_means(word: str, field: str) -> None:
    """A known failure is none that counts, an untested case none that passed; nothing counts before tests begin."""
    line = f"{word}: gcc.dg/a.c (test for excess errors)\n"
    assert counts(DEJAGNU + line) == {"gcc": Results(**{field: 1})}
    assert counts(DEJAGNU + f" {line}{word}:\n{word.lower()}: x\n") == {}
    if word in ("KFAIL", "UNTESTED", "ERROR"):
        assert counts(line) == {}


ROWS = {
    "expected passes": "passed", "unexpected failures": "failed", "expected failures": "expected_failed",
    "known failures": "expected_failed", "unknown successes": "unexpected_passed",
    "unexpected successes": "unexpected_passed", "unsupported tests": "skipped", "untested testcases": "skipped",
    "unresolved testcases": "errors", "DejaGnu errors": "errors",
}  # fmt: skip


@pytest.mark.parametrize(("row", "field"), ROWS.items())
def test_each_row_of_dejagnus_summary_is_counted(row: str, field: str) -> None:
    """The summary takes the place of what was seen, in whichever of its words it says it."""
    summary = f"\t\t=== gcc Summary for unix ===\n\n# of {row}\t\t7\n"
    assert counts(DEJAGNU + summary, over=True) == {"gcc": Results(**{field: 7})}
    assert counts(summary.replace(" for unix", "") + "make: x\n") == {"gcc": Results(**{field: 7})}


def test_tests_of_dejagnu_count_until_their_summary_comes() -> None:
    """Seen tests are replaced, not added; a second run adds its own; a summary shown again adds nothing."""
    summary = "\t\t=== gcc Summary ===\n# of expected passes\t5\n# of unexpected failures\t1\n\n/usr/bin/gcc\n"
    run = DEJAGNU + "PASS: a\nFAIL: b\nFAIL: b\nPASS: c\n"
    assert counts(run) == {"gcc": Results(2, 2)}
    assert counts(run + summary) == {"gcc": Results(5, 1)}
    assert counts(run + summary + summary) == {"gcc": Results(5, 1)}
    assert counts((run + summary) * 2) == {"gcc": Results(10, 2)}
    assert dict(ledger(run).suites["gcc"].failing) == {"b": 2}
    assert counts(run + "cat <<'EOF' |\nFAIL: b\n" + summary + "EOF\nPASS: d\n") == {"gcc": Results(3, 2)}
    two = DEJAGNU + "\t\t=== g++ tests ===\nFAIL: x\n\t\t=== g++ Summary ===\n# of unexpected failures\t1\n\n"
    assert counts(two + "/usr\nFAIL: y\n") == {"g++": Results(failed=1), "gcc": Results(failed=1)}


def test_an_empty_summary_is_a_suite_with_nothing_to_run() -> None:
    """A tool without any test for this machine is known to have had none."""
    found = ledger("\t\t=== objc Summary ===\n" + "x\n" * 14)
    assert (found.without_result, found.suites) == ({"objc"}, {})


def test_automakes_tests_count_once() -> None:
    """`make -j` may write a line again; words of other tools are tests only among tests."""
    assert counts("PASS: a\nFAIL: b\nFAIL: b\nXFAIL: c\nXPASS: d\nSKIP: e\nERROR: f\n") == {
        "make check": Results(1, 1, 1, 1, 1, 1)
    }
    assert counts("ERROR: f\nUNSUPPORTED: g\nUNRESOLVED: h\n") == {}
    summary = "Testsuite summary for m4 1.4\n# TOTAL: 9\n# PASS:  7\n# UNRESOLVED:  2\n=====\n"
    found = ledger("PASS: a\nFAIL: b\n" + summary)
    assert (found.suites["m4 1.4"].results, found.renamed) == (Results(7, errors=2), {"make check": "m4 1.4"})
    assert found.suites["m4 1.4"].failing == {"b": 1}, "by whatever name it was counted"
    assert counts(summary + "PASS: a\nFAIL: b\n") == {"m4 1.4": Results(8, 1, errors=2)}
    assert counts((summary + "FAIL: b\n") * 3) == {"m4 1.4": Results(21, 1, errors=6)}
    assert ledger((summary + "FAIL: b\n") * 3).suites["m4 1.4"].failing == {"b": 1}, "the same test each time"
    assert counts("PASS: a\n" + summary + "ERROR: x\n") == {"m4 1.4": Results(7, errors=2)}, "no test is before it"
    glibc = "Summary of test results:\n   9 PASS\nmake: x\n"
    assert counts(glibc + "PASS: a\n") == {"glibc": Results(9), "make check": Results(1)}, "another package's"


@pytest.mark.parametrize(
    "end", ["make[2]: *** [Makefile:9: check] Error 1", "make: x", "Testsuite summary for m4\n# FAIL:  1\n===="]
)
def test_after_a_log_that_was_shown_tests_count_again(end: str) -> None:
    """automake's log of what failed repeats tests until make or the summary speaks; what follows is new."""
    shown = "   m4 1.4: ./test-suite.log\n====\nFAIL: b\nFAIL: other\n"
    assert counts("FAIL: b\n" + shown) == {"make check": Results(failed=1)}
    (after,) = counts(f"FAIL: b\n{shown}{end}\nFAIL: c\n").values()
    assert after == Results(failed=2)
    assert counts("See ./test-suite.log\nFAIL: c\n") == {"make check": Results(failed=1)}


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("All 46 tests passed", Results(46)),
        ("PASS: a\n1 test passed", Results(1)),
        ("3 of 10 tests failed", Results(7, 3)),
        ("1 of 1 test failed", Results(0, 1)),
        ("All 9 tests behaved as expected (2 expected failures)", Results(7, 0, 2)),
        ("3 of 10 tests did not behave as expected (1 unexpected pass)", Results(7, 2, 0, 1)),
        ("SKIP: x\nXFAIL: y\nAll 5 tests passed", Results(4, 0, 1, 0, 1)),
    ],
)
def test_the_older_harness_sums_up_in_a_line(text: str, results: Results) -> None:
    """Failures, expected ones and unexpected passes add up to its total; skipped tests are not among them."""
    assert counts(text + "\n") == {"make check": results}
    assert counts("1 test passed\n3 of the tests failed\nAll tests passed\n") == {}


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("9 tests were successful.", Results(9)),
        ("All 9 tests behaved as expected (2 expected failures).", Results(7, 0, 2)),
        ("ERROR: 9 tests were run,\n2 failed (1 expected failure).", Results(7, 1, 1)),
        ("ERROR: 9 tests were run,\n2 failed unexpectedly.", Results(7, 2)),
        ("ERROR: Only one test was run,\n1 failed.", Results(0, 1)),
        ("ERROR: 9 tests were run,\n2 passed unexpectedly,\n3 failed.", Results(4, 3, 0, 2)),
        ("ERROR: 9 tests were run,\n2 passed unexpectedly.", Results(7, 0, 0, 2)),
        ("2 failed.\n2 passed unexpectedly.", None),
    ],
)
def test_autotest_sums_up_in_sentences(text: str, results: Results | None) -> None:
    """What failed as expected is no failure, what passed unexpectedly no pass; skipped tests come with the cases."""
    assert counts(text + "\n") == ({} if results is None else {"autotest": results})
    begun = "## bison 3.8 test suite. ##\n  1: a   skipped (a.at:6)\n  2: b    ok\n"
    assert counts(begun)["autotest"] == Results(1, skipped=1)
    if results is not None:
        assert counts(f"{begun}{text}\n")["autotest"] == results + Results(skipped=1)


def test_autotests_cases_have_their_words() -> None:
    """Each word of a case, in the names of those that failed only those."""
    words = {"ok": 1, "FAILED (a.at:6)": 2, "expected failure (a.at:6)": 3, "UNEXPECTED PASS": 4, "skipped (a.at:9)": 5}
    lines = [f"  {number}: case {number} {place}   {word}" for word, number in words.items() for place in range(number)]
    found = ledger("\n".join(["## x test suite. ##", *lines, *lines]))
    assert found.suites["autotest"].results == Results(1, 2, 3, 4, 5)
    assert set(found.suites["autotest"].failing) == {"case 2 0", "case 2 1"}


def _failing(names: Iterable[str]) -> Suite:
    suite = Suite()
    for name in names:
        suite.case("failed", name)
    return suite


def test_a_summary_replaces_what_was_seen_once_all_runs_have_theirs() -> None:
    """While another run of the suite goes on its tests stay counted; a summary that nobody began takes nothing away."""
    suite = Suite()
    for _ in range(2):
        suite.begin()
        suite.case("passed", "a")
    suite.summary(Results(passed=1))
    assert (suite.open, suite.results) == (1, Results(passed=2))
    suite.summary(Results(passed=5))
    suite.summary(Results(failed=1))
    assert (suite.open, suite.results) == (0, Results(passed=6, failed=1))


def test_names_and_suites_are_bounded() -> None:
    """Failures beyond the names that are kept count; suites beyond the bound count as one."""
    suite = _failing(f"t{number}" for number in range(MAX_NAMES + 5))
    assert (suite.results.failed, len(suite.failing)) == (MAX_NAMES + 5, MAX_NAMES)
    suite.case("failed", "t0")
    assert suite.failing["t0"] == 2
    found = Ledger()
    for each in range(MAX_SUITES + 2):
        found.suite(f"s{each}").case("passed")
    assert len(found.suites) == MAX_SUITES + 1
    assert found.suites["others"].results == Results(2)
    assert found.suite("  ") is found.suite("others")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1,234", 1234), ("1,234,567", 1234567), ("999,999,999", 999999999), ("1000000000", 0), ("007", 7)],
)
def test_numbers_of_tests(text: str, expected: int) -> None:
    """Digits with or without commas between them; what is too long to be a number of tests is none."""
    assert number(text) == expected
