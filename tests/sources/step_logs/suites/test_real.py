"""What the real runners print today, on small projects made here: while they run and at their end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from build_exporter.sources.step_logs.suites import Results

VENV: Final = Path(sys.executable).parent
PATHS: Final = f"{VENV}{os.pathsep}{os.environ.get('PATH', '')}"
SCRIPT: Final = "#!/bin/sh\nexit {}\n"


@dataclass(frozen=True)
class Project:
    """A project with tests.

    Attributes:
        needs: programs without which it can't be tried.
        files: what it is made of; `.sh` files can be run.
        make: commands that prepare it.
        run: the command that runs its tests.
        summary: pattern of the first line of the summary; what is before it has been written while tests ran.
        live: what is known by then.
        end: what is known at the end.
        failing: names of failing tests.
    """

    needs: tuple[str, ...]
    files: dict[str, str]
    run: str
    summary: str
    live: dict[str, Results]
    end: dict[str, Results]
    make: tuple[str, ...] = ()
    failing: dict[str, set[str]] = field(default_factory=dict)


def scripts(**codes: int) -> dict[str, str]:
    """Return test scripts by the exit code of each."""
    return {f"{name}.sh": SCRIPT.format(code) for name, code in codes.items()}


AUTOMAKE_FILES: Final = {
    "configure.ac": "AC_INIT([GNU thing],[1.2])\nAM_INIT_AUTOMAKE([foreign OPTION])\n"
    "AC_CONFIG_FILES([Makefile inner/Makefile none/Makefile])\nAC_OUTPUT\n",
    "Makefile.am": "SUBDIRS = . inner none\nTESTS = a.sh b.sh c.sh d.sh e.sh f.sh\nXFAIL_TESTS = c.sh e.sh\n",
    "inner/Makefile.am": "TESTS = a.sh\n",
    "none/Makefile.am": "",
    **scripts(a=0, b=1, c=1, d=77, e=0, f=99),
    "inner/a.sh": SCRIPT.format(0),
}

DEJAGNU_CASES: Final = """pass "one"
fail "two in words"
setup_xfail "*-*-*"
fail "three"
setup_xfail "*-*-*"
pass "four"
unsupported "five"
unresolved "six"
untested "seven"
"""

CMAKE: Final = """cmake_minimum_required(VERSION 3.10)
project(x NONE)
enable_testing()
add_test(a true)
add_test(b false)
add_test(e /nonexistent)
add_test(f sh -c "exit 77")
set_tests_properties(f PROPERTIES SKIP_RETURN_CODE 77)
add_test(g true)
set_tests_properties(g PROPERTIES DISABLED 1)
add_test(h sh -c "kill -SEGV $$")
"""

MESON: Final = """project('x')
t = find_program('true')
f = find_program('false')
sh = find_program('sh')
test('a', t)
test('b b', f, suite: 's')
test('c', f, should_fail: true)
test('d', sh, args: ['-c', 'exit 77'])
test('e', t, should_fail: true)
test('f', sh, args: ['-c', 'exit 99'])
test('h', sh, args: ['-c', 'echo 1..2; echo ok 1; echo not ok 2'], protocol: 'tap')
"""

GTEST: Final = """#include <gtest/gtest.h>
TEST(Thing, Good) { EXPECT_EQ(1, 1); }
TEST(Thing, Bad) { EXPECT_EQ(1, 2); }
TEST(Thing, Not) { GTEST_SKIP(); }
TEST(Other, Good) { EXPECT_EQ(1, 1); }
int main(int count, char **arguments) { testing::InitGoogleTest(&count, arguments); return RUN_ALL_TESTS(); }
"""

UNITTEST: Final = """import unittest
class T(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): self.fail()
    def test_c(self): 1/0
    @unittest.skip('x')
    def test_d(self): pass
    @unittest.expectedFailure
    def test_e(self): 1/0
"""

PYTEST: Final = """import pytest
def test_a(): pass
def test_b(): assert 0
@pytest.mark.skip
def test_c(): pass
@pytest.mark.xfail
def test_d(): assert 0
@pytest.fixture
def broken(): 1/0
def test_e(broken): pass
"""

AUTOTEST: Final = """AT_INIT
AT_SETUP([one good])
AT_CHECK([true])
AT_CLEANUP
AT_SETUP([two bad: really])
AT_CHECK([false])
AT_CLEANUP
AT_SETUP([three])
AT_XFAIL_IF([true])
AT_CHECK([false])
AT_CLEANUP
AT_SETUP([four])
AT_SKIP_IF([true])
AT_CLEANUP
AT_SETUP([five])
AT_XFAIL_IF([true])
AT_CHECK([true])
AT_CLEANUP
"""
AUTOTEST_PACKAGE: Final = "".join(
    f"m4_define([AT_PACKAGE_{name}],[{value}])\n"
    for name, value in (
        ("NAME", "GNU thing"),
        ("TARNAME", "thing"),
        ("VERSION", "1.2"),
        ("STRING", "GNU thing 1.2"),
        ("BUGREPORT", "bugs@example.org"),
    )
)
AUTOTEST_PLACE: Final = (
    "abs_top_builddir=$PWD at_testdir=. abs_builddir=$PWD at_srcdir=. abs_srcdir=$PWD at_top_srcdir=. "
    "abs_top_srcdir=$PWD at_top_build_prefix=./ AUTOTEST_PATH=. SHELL=/bin/sh"
)

TCLTEST: Final = """package require tcltest
namespace import ::tcltest::*
test a-1.1 {good} {expr 1} 1
test a-1.2 {bad one} {expr 1} 2
test a-1.3 {skipped} -constraints knownBug -body {expr 1} -result 2
cleanupTests
"""

PROVE_FILES: Final = {
    "a.t": "print qq(1..3\\nok 1\\nnot ok 2\\nok 3\\n);",
    "b.t": "print qq(1..2\\nok 1\\nok 2\\n);",
    "c.t": "print qq(1..1\\nok 1\\n); exit 2;",
    "d.t": "print qq(1..2\\nok 1 # TODO later\\nok 2\\n);",
}
ALL_SIX: Final = Results(passed=1, failed=1, expected_failed=1, unexpected_passed=1, skipped=1, errors=1)

PROJECTS: Final = {
    "dejagnu": Project(
        ("runtest", "expect"),
        {"thing.all/a.exp": DEJAGNU_CASES},
        "runtest -a --tool thing --srcdir .",
        "=== thing Summary",
        {"thing": Results(1, 1, 1, 1, 2, 1)},
        {"thing": Results(1, 1, 1, 1, 2, 1)},
        failing={"thing": {"two in words"}},
    ),
    "dejagnu as it is by default": Project(
        ("runtest", "expect"),
        {"thing.all/a.exp": DEJAGNU_CASES, "thing.all/b.exp": 'fail "more"\n'},
        "runtest --tool thing --srcdir .",
        "=== thing Summary",
        {"thing": Results(failed=2, unexpected_passed=1)},
        {"thing": Results(1, 2, 1, 1, 2, 1)},
    ),
    "automake": Project(
        ("autoreconf", "automake", "make"),
        {**AUTOMAKE_FILES, "configure.ac": AUTOMAKE_FILES["configure.ac"].replace(" OPTION", "")},
        "make -k check",
        "Testsuite summary",
        {"make check": ALL_SIX},
        {"GNU thing 1.2": Results(2, 1, 1, 1, 1, 1)},
        ("autoreconf -i", "./configure"),
        {"GNU thing 1.2": {"b.sh"}},
    ),
    "automake that shows its log": Project(
        ("autoreconf", "automake", "make"),
        {**AUTOMAKE_FILES, "configure.ac": AUTOMAKE_FILES["configure.ac"].replace(" OPTION", "")},
        "make -k check VERBOSE=1",
        "Testsuite summary",
        {"make check": ALL_SIX},
        {"GNU thing 1.2": Results(2, 1, 1, 1, 1, 1)},
        ("autoreconf -i", "./configure"),
    ),
    "automake of old": Project(
        ("autoreconf", "automake", "make"),
        {**AUTOMAKE_FILES, "configure.ac": AUTOMAKE_FILES["configure.ac"].replace("OPTION", "serial-tests")},
        "make -k check",
        "^=====",
        {"make check": Results(1, 2, 1, 1, 1)},
        {"make check": Results(2, 2, 1, 1, 1)},
        ("autoreconf -i", "./configure"),
    ),
    "autotest": Project(
        ("autom4te",),
        {"suite.at": AUTOTEST, "package.m4": AUTOTEST_PACKAGE, "atlocal": "", "config.log": ""},
        "./testsuite",
        "Test results",
        {"autotest": Results(1, 1, 1, 1, 1)},
        {"autotest": Results(1, 1, 1, 1, 1)},
        (
            "autom4te --language=autotest -I . -o testsuite suite.at",
            f'for each in {AUTOTEST_PLACE}; do echo "$each"; done > atconfig',
        ),
        {"autotest": {"two bad: really"}},
    ),
    "tap": Project(
        ("perl",),
        {"a.pl": "print qq(1..4\\nok 1 - a\\nnot ok 2 - b\\nnot ok 3 - c # TODO x\\nok 4 # skip no\\n);"},
        "perl a.pl",
        "^$",
        {"tap": Results(passed=1, failed=1, expected_failed=1, skipped=1)},
        {"tap": Results(passed=1, failed=1, expected_failed=1, skipped=1)},
        failing={"tap": {"b"}},
    ),
    "prove": Project(
        ("prove",),
        PROVE_FILES,
        "prove .",
        "Test Summary Report",
        {"prove": Results(passed=4, failed=1)},
        {"prove": Results(passed=6, failed=1, unexpected_passed=1, errors=1)},
        failing={"prove": {"./a.t"}},
    ),
    "prove that shows each test": Project(
        ("prove",),
        PROVE_FILES,
        "prove -v .",
        "Test Summary Report",
        {"prove": Results(passed=2, failed=1), "tap": Results(passed=6, failed=1, unexpected_passed=1)},
        {"prove": Results(passed=6, failed=1, unexpected_passed=1, errors=1)},
    ),
    "ctest": Project(
        ("cmake", "ctest"),
        {"CMakeLists.txt": CMAKE},
        "ctest",
        "tests passed",
        {"ctest": Results(passed=1, failed=3, skipped=1)},
        {"ctest": Results(passed=1, failed=3, skipped=1)},
        ("cmake .",),
        {"ctest": {"b", "e", "h"}},
    ),
    "meson": Project(
        ("meson", "ninja"),
        {"meson.build": MESON},
        "meson test -C build",
        "^Ok:",
        {"meson": Results(1, 3, 1, 1, 1)},
        {"meson": Results(1, 3, 1, 1, 1)},
        ("meson setup build",),
    ),
    "meson that shows what tests print": Project(
        ("meson", "ninja"),
        {"meson.build": MESON},
        "meson test -v -C build",
        "^Ok:",
        {"meson": Results(1, 3, 1, 1, 1)},
        {"meson": Results(1, 3, 1, 1, 1)},
        ("meson setup build",),
    ),
    "gtest": Project(
        ("g++",),
        {"a.cc": GTEST},
        "./a",
        r"\[=+\] \d+ tests .* ran",
        {"gtest": Results(passed=2, failed=1, skipped=1)},
        {"gtest": Results(passed=2, failed=1, skipped=1)},
        ("g++ -o a a.cc -lgtest -pthread",),
        {"gtest": {"Thing.Bad"}},
    ),
    "pytest": Project(
        ("pytest",),
        {"test_it.py": PYTEST, "test_more.py": "def test_a(): pass\n"},
        "pytest -p no:cacheprovider",
        "=+ ERRORS",
        {"pytest": Results(2, 1, 1, 0, 1, 1)},
        {"pytest": Results(2, 1, 1, 0, 1, 1)},
        failing={"pytest": {"test_it.py::test_b"}},
    ),
    "pytest that names each test": Project(
        ("pytest",),
        {"test_it.py": PYTEST},
        "pytest -v -p no:cacheprovider",
        "=+ ERRORS",
        {"pytest": Results(1, 1, 1, 0, 1, 1)},
        {"pytest": Results(1, 1, 1, 0, 1, 1)},
        failing={"pytest": {"test_it.py::test_b"}},
    ),
    "unittest": Project(
        ("python",),
        {"test_it.py": UNITTEST},
        "python -m unittest",
        "^Ran ",
        {},
        {"unittest": Results(1, 1, 1, 0, 1, 1)},
        failing={"unittest": {"test_b (test_it.T.test_b)" if sys.version_info >= (3, 11) else "test_b (test_it.T)"}},
    ),
    "tcltest": Project(
        ("tclsh",),
        {"all.tcl": TCLTEST},
        "tclsh all.tcl",
        r"Total\s",
        {"tcltest": Results(failed=1)},
        {"tcltest": Results(passed=1, failed=1, skipped=1)},
        failing={"tcltest": {"a-1.2"}},
    ),
    "regrtest": Project(
        ("python3",),
        {},
        "PYTHON -m test -j2 test_bool test_winreg test_no_such",
        "== Tests result",
        {"regrtest": Results(passed=1, failed=1, skipped=1)},
        {"regrtest": Results(passed=1, failed=1, skipped=1)},
        ("PYTHON -c 'import test.test_bool, test.libregrtest'",),
        {"regrtest": {"test_no_such"}},
    ),
}


def run(command: str, directory: Path) -> tuple[int, str]:
    """Run a command and return its exit code and what it prints, as a builder's log would have it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST"))},
        "PATH": PATHS,
        "LC_ALL": "C",
        "TERM": "dumb",
    }
    # a Python with its own test suite is seldom the one in a virtual environment
    python = shutil.which("python3", path=os.pathsep.join(("/usr/bin", PATHS))) or sys.executable
    done = subprocess.run(
        ["sh", "-c", command.replace("PYTHON", python)],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=600,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("name", sorted(PROJECTS))
def test_a_real_runner_is_read(tested: Callable[..., Any], tmp_path: Path, name: str) -> None:
    """Failures are known before the summary comes, and at the end every count is the runner's own."""
    project = PROJECTS[name]
    missing = [each for each in project.needs if shutil.which(each, path=PATHS) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for path, text in project.files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    for command in project.make:
        code, printed = run(command, tmp_path)
        if code != 0:
            pytest.skip(f"`{command}` can't be run here: {printed[-300:]}")
    _, printed = run(project.run, tmp_path)
    lines = printed.splitlines()
    first = next((index for index, line in enumerate(lines) if re.search(project.summary, line)), len(lines))
    step = tested("900-thing")
    assert step.write("\n".join(lines[:first])).poll() == project.live, printed
    assert step.write("\n".join(lines[first:])).end("failed") == project.end, printed
    for suite, names in project.failing.items():
        assert set(step.reader.ledger.suites[suite].failing) == names
