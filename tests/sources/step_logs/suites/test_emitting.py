"""When results of suites are emitted: while they run, once, and when there are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.sources.step_logs.books_failures import EXPECTED
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns, ExpectedFailures
from build_exporter.sources.step_logs.suites import Results
from build_exporter.sources.step_logs.suites.reader import _Pace, excused
from build_exporter.sources.step_logs.suites.results import Suite
from build_exporter.tracker import Step

Tested = Callable[..., Any]

GCC = """\t\t=== gcc tests ===

Running target unix
Running /src/gcc/testsuite/gcc.dg/dg.exp ...
FAIL: gcc.dg/a.c (test for excess errors)
"""
GCC_SUMMARY = """
\t\t=== gcc Summary ===

# of expected passes\t\t1234
# of unexpected failures\t2
/build/gcc/xgcc  version 14.2.0 (GCC)
"""


def test_a_failure_is_seen_while_the_suite_runs(tested: Tested) -> None:
    """Hours before the summary of gcc's tests it is known that one failed, and the summary then takes its place."""
    step = tested()
    assert step.write(GCC).poll() == {"gcc": Results(failed=1)}
    step.write("FAIL: gcc.dg/b.c (internal compiler error)\n")
    assert step.poll() == {"gcc": Results(failed=2)}
    assert step.write(GCC_SUMMARY).end() == {"gcc": Results(passed=1234, failed=2)}


def test_a_long_suite_costs_few_lines(tested: Tested) -> None:
    """Four hours of tests, one a second and each tenth failing, take some hundred lines, the first at once."""
    step = tested()
    step.write("TAP version 13\n")
    for number in range(1, 4 * 3600 + 1):
        step.write(f"{'not ok' if number % 10 == 0 else 'ok'} {number} - test {number}\n").poll()
        if number == 10:
            assert step.tests["tap"].failed == 1, "the first failure is reported in the second it is written"
    assert 100 < len(step.reported) < 400
    assert step.write("1..14400\n").end() == {"tap": Results(passed=12960, failed=1440)}


def test_what_has_not_changed_is_not_told(tested: Tested) -> None:
    """A compiler's output between two suites makes no events, and neither does time."""
    step = tested()
    step.write("PASS: a.sh\n").poll()
    for _ in range(100):
        step.write("gcc -c b.c\n").poll(after=60.0)
    assert len(step.reported) == 1


def test_a_restart_tells_nothing_twice(tested: Tested) -> None:
    """An exporter restarted amid a suite, or after it, reads the log again and adds nothing to the journal."""
    log = "PASS: a.sh\nFAIL: b.sh\n"
    step = tested()
    step.write(log).poll()
    step.restart(log).poll()
    assert len(step.reported) == 1
    log += "Testsuite summary for GNU m4 1.4.19\n# PASS:  1\n# FAIL:  1\n====\n"
    assert step.restart(log).end() == {"GNU m4 1.4.19": Results(passed=1, failed=1)}
    reported = len(step.reported)
    step.restart(log).poll(over=True)
    assert len(step.reported) == reported


def test_a_suite_is_not_counted_under_two_names(tested: Tested) -> None:
    """What automake's tests were called before their summary is gone from the metrics when it comes."""
    step = tested()
    assert list(step.write("PASS: a.sh\n").poll()) == ["make check"]
    step.write("Testsuite summary for m4\n# PASS:  1\n# FAIL:  0\n===\n")
    assert step.poll(after=10.0) == {"m4": Results(passed=1)}
    assert step.write("PASS: b.sh\n").poll(after=10.0) == {"m4": Results(passed=2)}


def test_parallel_runs_of_one_tool_add_up(tested: Tested) -> None:
    """GCC's tests run in parts beside each other: each part's summary counts once."""
    step = tested()
    assert step.write(GCC + GCC + GCC_SUMMARY).poll() == {"gcc": Results(passed=1234, failed=2)}
    assert step.write(GCC_SUMMARY).end() == {"gcc": Results(passed=2468, failed=4)}


BEGUN = {
    "automake": ("make  check-TESTS\nmake[2]: *** [Makefile:9: a] Error 1\n", "make check"),
    "a target given up": ("make: *** [Makefile:12: check] Error 2\n", "make check"),
    "no such target": ("make: *** No rule to make target 'check'.  Stop.\n", "make check"),
    "ctest": ("Test project /src/build\nNo tests were found!!!\n", "ctest"),
    "meson": ("No tests defined.\n", "meson"),
    "unittest": ("\n" + "-" * 70 + "\nRan 0 tests in 0.000s\n\nOK\n", "unittest"),
    "pytest": ("===== test session starts =====\ncollected 0 items\n\n===== no tests ran in 0.01s =====\n", "pytest"),
    "gtest": ("[==========] 0 tests from 0 test suites ran. (0 ms total)\n[  PASSED  ] 0 tests.\n", "gtest"),
    "dejagnu": ("\t\t=== gas tests ===\nRunning target unix\n\t\t=== gas Summary ===\n\nmake end\n", "gas"),
}
"""Logs in which a suite was to run and gave nothing, and what is reported."""


@pytest.mark.parametrize("name", sorted(BEGUN))
@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_suite_without_any_result_is_told(tested: Tested, name: str, status: str) -> None:
    """No one takes a package for tested whose suite ran nothing; while the step runs that is not concluded."""
    log, suite = BEGUN[name]
    step = tested()
    assert step.write(log).poll(after=60.0) == {}
    assert step.end(status) == {suite: Results()}


def test_a_package_without_tests_is_no_alarm(tested: Tested) -> None:
    """`make check` goes through directories without tests, also where the script keeps what tests print."""
    step = tested()
    step.write("Making check in src\nmake[1]: Nothing to be done for 'check'.\nmake: Nothing to be done for `check'.\n")
    assert step.end(runs_tests=True) == {}


def test_an_interrupted_step_tells_nothing_of_missing_tests(tested: Tested) -> None:
    """Who stops a build knows that its tests did not end."""
    step = tested()
    assert step.write("make  check-TESTS\n" + "\t\t=== gas tests ===\n").end("interrupted") == {}


def test_a_script_with_tests_must_have_results(tested: Tested) -> None:
    """A step whose jhalfs script runs tests and has no result is reported, but not one that failed before them."""
    assert tested().write("gcc -c a.c\n").end(runs_tests=True) == {"make check": Results()}
    assert tested().write("gcc -c a.c\n").end("failed", runs_tests=True) == {}
    assert tested().write("PASS: a\n").end(runs_tests=True) == {"make check": Results(passed=1)}


def test_suites_of_the_last_run_are_missed(tested: Tested) -> None:
    """A suite that had results the last time and has none now is reported, unless nothing of this run was tested."""
    earlier = frozenset({"GNU m4 1.4.18"})
    assert tested().write("gcc -c a.c\n").end(earlier_suites=earlier) == {}, "no tests in this whole run"
    assert tested().other_step_has_tests().write("x\n").end(earlier_suites=earlier) == {"GNU m4 1.4.18": Results()}
    summary = "Testsuite summary for GNU m4 1.4.19\n# PASS:  1\n===\n"
    assert tested().write(summary).end(earlier_suites=earlier) == {"GNU m4 1.4.19": Results(passed=1)}
    reported = tested().write(summary).end(earlier_suites=earlier | {"g++"})
    assert reported == {"GNU m4 1.4.19": Results(passed=1), "g++": Results()}


def test_suites_that_can_not_be_counted_are_not_missed(tested: Tested) -> None:
    """Bash's tests print differences and no counts: that there are no results is no alarm, unless make gave up."""
    assert tested("831-bash").write("run-builtins\n").end(runs_tests=True) == {}
    broken = tested("831-bash").write("make: *** [Makefile:999: tests] Error 2\n")
    assert broken.end(runs_tests=True) == {"make check": Results()}


BROKEN_OFF = {
    "dejagnu": (GCC, {"gcc": Results(failed=1, errors=1)}),
    "gtest": (
        "[==========] Running 3 tests from 1 test suite.\n[       OK ] A.b (0 ms)\nSegmentation fault\n",
        {"gtest": Results(passed=1, errors=1)},
    ),
    "tap": ("1..5\nok 1\nok 2\n", {"tap": Results(passed=2, errors=3)}),
    "meson": ("  1/12 x:a   OK    0.02s\nninja: build stopped: interrupted.\n", {"meson": Results(passed=1, errors=1)}),
    "ctest": (
        "Test project /b\n1/3 Test #1: a ....   Passed    0.01 sec\nmake: *** [Makefile:71: test] Killed\n",
        {"ctest": Results(passed=1, errors=1)},
    ),
    "pytest": ("=== test session starts ===\nt.py ..F [ 30%]\n", {"pytest": Results(passed=2, failed=1, errors=1)}),
}


@pytest.mark.parametrize("name", sorted(BROKEN_OFF))
def test_a_suite_that_breaks_off_counts_as_an_error(tested: Tested, name: str) -> None:
    """A runner that is killed, or a test program that crashes, does not pass for a suite that was good."""
    log, expected = BROKEN_OFF[name]
    step = tested().write(log)
    assert all(results.errors == 0 for results in step.poll().values()), "while it runs it may still go on"
    assert step.end("failed") == expected
    assert tested().write(log).end("interrupted") != expected


class TestKnownFailures:
    """Failures that are in a list."""

    def test_every_shipped_row_says_where_it_is_from(self) -> None:
        """Whoever doubts a row finds its page, and no row covers all tests of a package."""
        assert len(EXPECTED) > 15
        for known in EXPECTED:
            assert re.fullmatch(r"chapter08/[a-z0-9-]+\.xml", known.page), known
            for package in known.packages:
                patterns = ExpectedFailures().of(Step("p", package, 0))
                assert patterns.has(known.test), known
                assert not patterns.has("some-other-test"), known
                assert not patterns.is_uncounted, known

    def test_the_shipped_list_knows_what_the_book_names(self, tested: Tested) -> None:
        """A test that fails in every chroot is no alarm, and any other is."""
        failed = "FAIL: io/tst-lchmod\nFAIL: nptl/tst-thread-affinity2\nFAIL: math/test-double\n"
        summary = "Summary of test results:\n      3 FAIL\n   5113 PASS\n     16 XFAIL\n"
        step = tested("803-glibc").write(failed + summary)
        assert step.end() == {"glibc": Results(passed=5113, failed=1, expected_failed=18)}

    def test_a_known_failure_that_passes_is_no_error(self, tested: Tested) -> None:
        """A machine on which all is well is not blamed."""
        log = "PASS: test/cp.test\nPASS: test/ls.test\n"
        assert tested("820-acl").write(log).end() == {"make check": Results(passed=2)}

    def test_it_is_known_while_the_suite_runs(self, tested: Tested) -> None:
        """Hours before the summary, a known failure alarms no one."""
        step = tested("820-acl").write("PASS: a\nFAIL: test/cp.test\n")
        assert step.poll() == {"make check": Results(passed=1, expected_failed=1)}
        assert step.write("FAIL: test/other.test\n").poll()["make check"].failed == 1

    def test_errors_can_be_known_too(self, tested: Tested) -> None:
        """What DejaGnu could not resolve because a known test did not compile is expected as well."""
        failed = GCC.replace("gcc.dg/a.c", "c-c++-common/tsan/a.c")
        unresolved = "UNRESOLVED: c-c++-common/tsan/a.c   -O0  compilation failed to produce executable\n"
        assert tested().write(failed + unresolved).poll() == {"gcc": Results(expected_failed=2)}

    def test_a_number_covers_what_has_no_names(self, tested: Tested, own: Callable[..., Any]) -> None:
        """Where only totals are printed, up to so many failures of all suites together are expected."""
        log = "Ran 20 tests in 1.0s\n\nFAILED (failures=3)\n98% tests passed, 4 tests failed out of 57\n"
        known = own({"gcc": 5})
        reported = tested(known=known("824-gcc")).write(log).end()
        assert reported == {
            "ctest": Results(passed=53, expected_failed=4),
            "unittest": Results(passed=17, failed=2, expected_failed=1),
        }

    @pytest.mark.parametrize(
        ("package", "step"),
        [("sys-devel/gcc", "emerge"), ("GCC", "x"), (None, "824-gcc"), (None, "gcc-14.2.0"), (None, "875-01-gcc")],
    )
    def test_a_package_has_many_names(self, tested: Tested, own: Callable[..., Any], package: str, step: str) -> None:
        """The list of gcc counts however the builder calls it."""
        found = own({"gcc": ("a.sh",)})(step, package)
        assert tested(step, package, found).write("FAIL: a.sh\n").poll() == {"make check": Results(expected_failed=1)}

    def test_other_packages_have_nothing_of_it(self, own: Callable[..., Any]) -> None:
        """gcc's list is not that of gcc-libs or libgcc."""
        known = own({"gcc": ("a.sh",)})
        assert not known("800-gcc-libs").has("a.sh")
        assert not known("801-libgcc").has("a.sh")

    @pytest.mark.parametrize(
        ("pattern", "name", "has"),
        [
            ("test/cp.test", "test/cp.test", True), ("cp.test", "test/cp.test", True),
            ("cp.test", "test/scp.test", False), ("30-test_afalg.t", "../test/recipes/30-test_afalg.t", True),
            ("nptl/tst-*affinity*", "nptl/tst-thread-affinity-pthread", True),
            ("gcc.dg/a[1].c", "gcc.dg/a[1].c", True), ("lsfd: inotify", "lsfd: inotify", True),
            ("lsfd: inotify", "lsfd: inotify more", False), ("a.c", "a.c (test for excess errors)", True),
            ("*", "anything at all", True),
        ],
    )  # fmt: skip
    def test_patterns_are_names_with_stars(self, own: Callable[..., Any], pattern: str, name: str, has: bool) -> None:
        """A name is written as it is printed, or as its file is called."""
        assert own({"p": (pattern,)})("p").has(name) is has


@pytest.fixture
def own() -> Callable[..., Any]:
    """Return what is known of a step by a list of one's own, without asking the shipped one."""

    def make(lists: dict[str, Any]) -> Callable[..., Any]:
        known = ExpectedFailures(lists)
        return lambda step, package=None: known.of(Step("chapter-8", step, 0, package=package))

    return make


def test_a_report_names_the_first_tests_that_failed(tested: Any) -> None:
    """A failure card can say which tests failed; those known to fail are not among them."""
    known = ExpectedFailurePatterns(("old*",))
    step = tested(known=known).write("PASS: a\nFAIL: b\nFAIL: old-one\n" + "".join(f"FAIL: c{n}\n" for n in range(9)))
    step.end("failed")
    assert step.reported[-1].failing == ["b", "c0", "c1", "c2", "c3"]
    step = tested(known=known).write("PASS: a\nERROR: b\n")
    step.end("failed")
    assert step.reported[-1].failing == ["b"], "one that could not be run needs a look as well"


def test_reports_have_a_pace() -> None:
    """Each ten seconds, after sixty each minute; a further failure at once, twenty times."""
    pace = _Pace()
    rows = [(100.0, 0, True), (109.9, 0, False), (109.9, 1, True), (110.0, 1, False), (119.9, 1, True), (5.0, 1, True)]
    assert [pace.is_due(time, bad) for time, bad, _ in rows] == [due for _, _, due in rows]
    assert [pace.is_due(5.1 + number / 100, 2 + number) for number in range(20)] == [True] * 19 + [False]
    for number in range(60):
        pace.is_due(100.0 + 10 * number, 0)
    last = pace.time
    assert [pace.is_due(last + after, 0) for after in (59.9, 60.0)] == [False, True]


def test_what_a_number_excuses_is_beside_the_names() -> None:
    """Of seven failures two are known by name and three by number; errors are excused by name alone."""
    suite = Suite()
    for number in range(7):
        suite.case("failed", f"t{number}")
    for name in ("t0", "e"):
        suite.case("errors", name)
    found, left = excused(suite, lambda name: name in ("t0", "t1"), 3)
    assert (found, left) == (Results(failed=2, expected_failed=6, errors=1), 0)
    assert excused(suite, lambda _: True, 3)[1] == 3, "none is left for the number"
