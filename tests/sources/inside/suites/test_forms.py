"""Results of test suites, read as their runners print them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.sources.inside.suites import Results, SuiteReader

MESON = Path(sys.executable).parent / "meson"


def read(text: str) -> dict[str, Results]:
    """Return what a log tells."""
    reader = SuiteReader()
    for line in text.splitlines():
        reader.feed(line)
    reader.finish()
    return reader.results


WRITTEN = {
    "dejagnu": (
        """
\t\t=== libfoo Summary ===

# of expected passes\t\t1234
# of unexpected failures\t5
# of expected failures\t\t67
# of unresolved testcases\t1
# of unsupported tests\t\t89
/src/testsuite
""",
        {"libfoo": Results(passed=1234, failed=5, expected_failed=67, skipped=89, errors=1)},
    ),
    "two dejagnu tools": (
        """
\t\t=== a Summary ===
# of expected passes\t\t10
\t\t=== b Summary ===
# of expected passes\t\t20
""",
        {"a": Results(passed=10), "b": Results(passed=20)},
    ),
    "automake": (
        """
Testsuite summary for thing 1.2
=====
# TOTAL: 12
# PASS:  8
# SKIP:  1
# XFAIL: 1
# FAIL:  1
# XPASS: 0
# ERROR: 1
=====
See ./test-suite.log
""",
        {"thing 1.2": Results(passed=8, failed=1, expected_failed=1, skipped=1, errors=1)},
    ),
    "automake in two directories": (
        """
Testsuite summary for thing 1.2
# PASS:  8
# FAIL:  0
=====
make[1]: Leaving directory 'a'
Testsuite summary for thing 1.2
# PASS:  2
# FAIL:  1
""",
        {"thing 1.2": Results(passed=10, failed=1)},
    ),
    "old automake": ("All 46 tests passed\n3 of 10 tests failed\n", {"make check": Results(passed=53, failed=3)}),
    "glibc": (
        """
Summary of test results:
      2 FAIL
   5113 PASS
     11 UNSUPPORTED
     16 XFAIL
      4 XPASS
make: end
""",
        {"glibc": Results(passed=5113, failed=2, expected_failed=16, unexpected_passed=4, skipped=11)},
    ),
    "autotest": (
        """
ERROR: 263 tests were run,
5 failed (3 expected failures).
12 tests were skipped.
""",
        {"autotest": Results(passed=258, failed=2, expected_failed=3)},
    ),
    "prove": (
        """
Failed 2/120 test programs. 3/3456 subtests failed.
Files=120, Tests=3456, 12 wallclock secs
""",
        {"prove": Results(passed=3453, failed=3)},
    ),
    "unittest": (
        """
Ran 12 tests in 0.512s

FAILED (failures=1, errors=2, skipped=3, expected failures=1)
""",
        {"unittest": Results(passed=5, failed=1, errors=2, skipped=3, expected_failed=1)},
    ),
    "gtest": (
        """
[==========] 12 tests from 3 test suites ran. (5 ms total)
[  PASSED  ] 9 tests.
[  SKIPPED ] 1 test, listed below:
[  FAILED  ] 2 tests, listed below:
""",
        {"gtest": Results(passed=9, failed=2, skipped=1)},
    ),
    "none": ("checking for tests... yes\nmake check\n12 of the tests\n=== 1 in 2 ===\n", {}),
}
"""Logs of the forms the runners print, written for this test, and what they tell."""


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_the_forms_of_runners_are_read(name: str) -> None:
    """Passed, failed, expected, skipped and broken tests are told apart, as the runner tells them apart."""
    text, expected = WRITTEN[name]
    assert read(text) == expected


def run(command: list[str], directory: Path) -> str:
    """Run a real test runner and return what it prints."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def test_a_real_unittest_run_is_read(tmp_path: Path) -> None:
    """What Python's own runner prints today is what is read."""
    (tmp_path / "test_it.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n"
        "    def test_a(self): pass\n    def test_b(self): self.fail()\n    def test_c(self): 1/0\n"
        "    @unittest.skip('x')\n    def test_d(self): pass\n"
        "    @unittest.expectedFailure\n    def test_e(self): 1/0\n"
    )
    told = read(run([sys.executable, "-m", "unittest"], tmp_path))
    assert told == {"unittest": Results(passed=1, failed=1, errors=1, skipped=1, expected_failed=1)}


def test_a_real_pytest_run_is_read(tmp_path: Path) -> None:
    """What pytest prints today is what is read."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
        "@pytest.mark.xfail\ndef test_d(): assert 0\n@pytest.fixture\ndef broken(): 1/0\ndef test_e(broken): pass\n"
    )
    told = read(run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], tmp_path))
    assert told == {"pytest": Results(passed=1, failed=1, skipped=1, expected_failed=1, errors=1)}


@pytest.mark.skipif(not shutil.which("prove"), reason="prove is not installed")
def test_a_real_prove_run_is_read(tmp_path: Path) -> None:
    """What Perl's prove prints today is what is read."""
    (tmp_path / "a.t").write_text("print qq(1..3\\nok 1\\nnot ok 2\\nok 3\\n);")
    (tmp_path / "b.t").write_text("print qq(1..2\\nok 1\\nok 2\\n);")
    assert read(run(["prove", "."], tmp_path)) == {"prove": Results(passed=4, failed=1)}


@pytest.mark.skipif(not shutil.which("ctest"), reason="cmake is not installed")
def test_a_real_ctest_run_is_read(tmp_path: Path) -> None:
    """What ctest prints today is what is read."""
    (tmp_path / "CTestTestfile.cmake").write_text('add_test(a "true")\nadd_test(b "false")\nadd_test(c "true")\n')
    assert read(run(["ctest"], tmp_path)) == {"ctest": Results(passed=2, failed=1)}


@pytest.mark.skipif(not (MESON.exists() and shutil.which("ninja")), reason="meson or ninja is not installed")
def test_a_real_meson_run_is_read(tmp_path: Path) -> None:
    """What meson prints today is what is read."""
    (tmp_path / "meson.build").write_text(
        "project('x')\nt=find_program('true')\nf=find_program('false')\ntest('a',t)\ntest('b',f)\ntest('c',f,should_fail:true)\n"
    )
    run([str(MESON), "setup", "build"], tmp_path)
    assert read(run([str(MESON), "test", "-C", "build"], tmp_path)) == {
        "meson": Results(passed=1, failed=1, expected_failed=1)
    }


@given(st.lists(st.text(max_size=80) | st.sampled_from([t for text, _ in WRITTEN.values() for t in text.splitlines()])))
def test_any_lines_are_survived(lines: list[str]) -> None:
    """Lines of different runners mixed up, cut or hostile raise nothing and give no negative count."""
    for results in read("\n".join(lines)).values():
        assert results.total >= 0
        assert min(results.passed, results.failed, results.skipped) >= 0
