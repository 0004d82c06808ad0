"""Test suites in consoles of builds by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.tracker import Run

DEJAGNU = """\
make  check-DEJAGNU
\t\t=== gas tests ===
FAIL: gas/nop
\t\t=== gas Summary ===

# of expected passes\t\t265
# of unexpected failures\t1
make[4]: *** [Makefile:2241: check-DEJAGNU] Error 1
\t\t=== ld tests ===
FAIL: ld-elf/eh5
\t\t=== ld Summary ===

# of expected passes\t\t1441
# of unexpected failures\t1
# of unsupported tests\t\t4
make[2]: *** [Makefile:6312: check-ld] Error 2
"""


def counts(run: Run) -> dict[str, tuple[int, ...]]:
    """Return passed, failed, skipped and errors of each suite of a run."""
    return {
        name: (each.passed, each.failed, each.skipped or 0, each.errors or 0)
        for step in run.steps.values()
        for name, each in step.tests.items()
    }


def test_suites_after_the_first_failure_count(console: Callable[[str], Run]) -> None:
    """With `make -k` the suites that run after make has given up a target have their results, too."""
    assert counts(console(DEJAGNU)) == {"gas": (265, 1, 0, 0), "ld": (1441, 1, 4, 0)}


def test_suites_behind_prefixes(console: Callable[[str], Run]) -> None:
    """What a continuous integration or a container puts before each line takes no result away."""
    for prefix in ("2025-09-14T03:12:31.8579732Z ", "#23 29.47 ", "[ALL  ]    "):
        run = console("".join(f"{prefix}{line}\n" for line in DEJAGNU.splitlines()))
        assert counts(run) == {"gas": (265, 1, 0, 0), "ld": (1441, 1, 4, 0)}, prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\ntest result: bad. 1 passed; 1 failed; 0 ignored;\n",
            "cargo test",
        ),
        ("ok  \tos\t1.2s\n--- FAIL: TestA (0.01s)\nFAIL\tnet\t12.3s\n", "go test"),
        ("-- Testing: 2 tests, 1 workers --\nTesting Time: 1s\n  Passed: 1\n  Failed: 1\n", "lit"),
        ("test 0001...OK (1 out of 2)\ntest 0002...FAILED\nTESTDONE: 1 tests out of 2 reported OK: 50%\n", "curl"),
        ("***** Start testing of t *****\nTotals: 1 passed, 1 failed, 0 skipped, 0 blacklisted, 1ms\n", "qttest"),
    ],
)
def test_a_console_of_tests_alone(text: str, expected: str, console: Callable[[str], Run]) -> None:
    """A captured run of tests is a build's test stage, whatever the language."""
    run = console(text)
    assert counts(run) == {expected: (1, 1, 0, 0)}
    assert {phase for phase, _ in run.steps} == {"test"}


def test_pytest_itself(tmp_path: Path, console: Callable[[str], Run]) -> None:
    """The console of the installed pytest, subtests among its tests, has the results that it prints."""
    (tmp_path / "test_a.py").write_text(
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n"
        "        for n in range(3):\n            with self.subTest(n=n):\n                pass\n"
        "    def test_b(self):\n        self.fail('x')\n"
    )
    for options in ([], ["-v"], ["-q"]):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_a.py"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert counts(console("$ make check\n" + ended.stdout)) == {"pytest": (1, 1, 0, 0)}


def test_a_test_that_passes_when_repeated(console: Callable[[str], Run]) -> None:
    """A run of CTest that repeats a failed test until it passes has succeeded."""
    run = console(
        "Test project /b\n1/1 Test #1: a ...***Failed    0.01 sec\n    Start 1: a\n"
        "    Test #1: a ...   Passed    0.01 sec\n\n100% tests passed out of 1\n"
    )
    assert run.state.name == "SUCCEEDED"


def test_a_shuffled_make(console: Callable[[str], Run]) -> None:
    """GNU make 4.4 with `--shuffle` adds words to its messages: the exit code is known all the same."""
    run = console("make: Entering directory '/x'\ngcc -c a.c\nmake: *** [Makefile:2: all] Error 7 shuffle=123\n")
    assert (run.state.name, [step.exit_code for step in run.steps.values()]) == ("FAILED", [7])


def test_an_ignored_failure_of_a_shuffled_make(console: Callable[[str], Run]) -> None:
    """With `--shuffle`, too, a failure of a make below that is ignored fails no build."""
    ignored = console(
        "make: Entering directory '/x'\nmake[1]: Entering directory '/x/a'\ngcc -c a.c\n"
        "make[1]: *** [Makefile:2: all] Error 1 shuffle=123\nmake[1]: Leaving directory '/x/a'\n"
        "make: [Makefile:2: a] Error 2 (ignored) shuffle=123\ngcc -c b.c\nmake: Leaving directory '/x'\n"
    )
    assert ignored.state.name == "SUCCEEDED"


@pytest.mark.parametrize(
    ("last", "state"), [("[1/5] Generating version.h", "SUCCEEDED"), ("[1/5] Building C object a.o", "INTERRUPTED")]
)
def test_an_incremental_ninja_that_ends_early(last: str, state: str, console: Callable[[str], Run]) -> None:
    """Where a restat prunes the rest ninja itself ends at `[1/5]`: the build has succeeded; one cut has not."""
    assert console(f"ninja: Entering directory `b'\n{last}\n").state.name == state


@pytest.mark.parametrize(("edge", "state"), [("", "interrupted"), ("FAILED: [code=130] a.o \nexit 130\n", "failed")])
def test_ninja_calls_a_failed_command_an_interruption(edge: str, state: str, console: Callable[[str], Run]) -> None:
    """Ninja says that a user interrupted it where a command ended by a signal, too: one that failed before counts."""
    text = f"[1/5] cc -c b.c\n[2/5] cc -c a.c\n{edge}ninja: build stopped: interrupted by user.\n"
    assert console(text).state.name.lower() == state


GO_EVENTS = (
    ("start", None, None), ("output", "TestB", '    a_test.go:4: want "x"\n'),
    ("output", "TestB", "--- FAIL: TestB (0.00s)\n"), ("fail", "TestB", None),
    ("output", None, "FAIL\tex/a\t0.009s\n"), ("fail", None, None),
    ("output", None, "\tex/b\t\tcoverage: 0.0% of statements\n"), ("pass", None, None),
    ("output", None, "ok  \tex/c\t0.014s\n"), ("pass", None, None),
)  # fmt: skip


def test_events_of_go_count_as_their_text(console: Callable[[str], Run]) -> None:
    """A log of `go test -json` has the results of the text in it: a package without tests is skipped, not passed."""
    lines = ["go test -json -cover ./...", "ok  \tex/first\t0.1s"]
    for action, test, output in GO_EVENTS:
        event = {"Time": "2026-11-30T06:51:10.28Z", "Action": action, "Package": "ex/a", "Test": test, "Output": output}
        lines.append(json.dumps({key: value for key, value in event.items() if value}, separators=(",", ":")))
    run = console("\n".join([*lines, ""]))
    assert counts(run) == {"go test": (2, 1, 1, 0)}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Makefile:2: *** [a.o] error 1\n\nremake: Target 'all' not remade because of errors.\n", "failed"),
        ("*** Error code 1 (continuing)\n\nStop.\nbmake: stopped in /b\n", "failed"),
        ("gcc -c b.c -o b.o\n", "succeeded"),
    ],
)
def test_other_makes_that_go_on_after_a_failure(console: Callable[[str], Run], text: str, state: str) -> None:
    """With -k, remake's last word is its failure, and bmake's exit status of 0 hides one: the console has it."""
    assert console(f"gcc -c a.c -o a.o\n{text}").state == state
