"""DejaGnu, automake's harnesses, and glibc's own: tests as `PASS: name`, and a summary of rows."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import Runner, Table, number

CHECK: Final = "make check"
"""The name of what `make check` runs until a summary names it."""

_OUTCOMES: Final[dict[str, Outcome]] = {
    "PASS": "passed",
    "FAIL": "failed",
    "XFAIL": "expected_failed",
    "KFAIL": "expected_failed",
    "XPASS": "unexpected_passed",
    "KPASS": "unexpected_passed",
    "SKIP": "skipped",
    "UNSUPPORTED": "skipped",
    "UNTESTED": "skipped",
    "UNRESOLVED": "errors",
    "ERROR": "errors",
}
CASES: Final = tuple(f"\n{word}: ".encode() for word in _OUTCOMES)
"""Beginnings of a test's line."""

_CASE: Final = re.compile(rf"^({'|'.join(_OUTCOMES)}): (\S.*)$")


class DejaGnu(Runner):
    """Reads `=== gcc tests ===`, `FAIL: name`, and `=== gcc Summary ===` with its `# of expected passes  1234`.

    Several may run at once and write into one log: then the tests may be counted with another of them until its
    summary comes. `contrib/test_summary` and `grep Summ` print again what was there: that is left out.
    """

    WORDS = (*CASES, b" tests ===", b" Summary", b"\ncat <<'EOF' |")
    _START: Final = re.compile(r"^\s*=== ([\w+./ -]{1,60}?) tests ===\s*$")
    _DIGEST: Final = "cat <<'EOF' |"
    _DIGEST_END: Final = "EOF"

    def __init__(self) -> None:
        self._table = Table(
            re.compile(r"^\s*=== (?P<suite>[\w+./ -]{1,60}?) Summary(?: for \S+)? ===\s*$"),
            re.compile(r"^# of (?P<word>[a-zA-Z ]+?)\s+(?P<count>\d+)\s*$"),
            " Summary",
            {
                "expected passes": "passed",
                "unexpected failures": "failed",
                "expected failures": "expected_failed",
                "known failures": "expected_failed",
                "unknown successes": "unexpected_passed",
                "unexpected successes": "unexpected_passed",
                "unsupported tests": "skipped",
                "untested testcases": "skipped",
                "unresolved testcases": "errors",
                "DejaGnu errors": "errors",
            },
            may_be_empty=True,
        )
        self._begun: dict[str, int] = {}
        self.takes_all = False

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return self.takes_all or bool(self._table.suite)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self.takes_all:
            self.takes_all = line.strip() != self._DIGEST_END
            return True
        if line.startswith(self._DIGEST):
            self.takes_all = True
            return True
        self._take(self._table.feed(line), ledger)
        if self._table.suite:
            return True
        if "===" in line and (start := self._START.match(line)) is not None:
            self._begun[start[1]] = self._begun.pop(start[1], 0) + 1
            ledger.suite(start[1]).begin()
            return True
        if self._begun and (case := _CASE.match(line)) is not None:
            ledger.suite(next(reversed(self._begun))).case(_OUTCOMES[case[1]], case[2])
            return True
        return False

    def finish(self, ledger: Ledger) -> None:
        """Take a summary that the log ends with."""
        self._take(self._table.finish(), ledger)

    def _take(self, found: tuple[str, Results] | None, ledger: Ledger) -> None:
        if found is None:
            return
        name, results = found
        if name in ledger.suites and ledger.suites[name].was_open and name not in self._begun:
            # reported again: each run has its beginning and one summary
            return
        ledger.summary(name, results)
        left = self._begun.pop(name, 0) - 1
        if left > 0:
            self._begun = {name: left, **self._begun}


class ShownLog(Runner):
    """Takes automake's `test-suite.log` where it is shown in a log: its tests have been written before."""

    WORDS = (b"test-suite.log",)
    _START: Final = re.compile(r"^\s+\S.*: \S*test-suite\.log\s*$")
    _END: Final = re.compile(r"^(?:Testsuite summary|make(?:\[\d+\])?: )")

    def __init__(self) -> None:
        self.takes_all = False

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return self.takes_all

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self.takes_all:
            self.takes_all = self._END.match(line) is None
        else:
            self.takes_all = "test-suite.log" in line and self._START.match(line) is not None
        return self.takes_all


class Automake(Runner):
    """Reads `PASS: name` and what sums it up: automake's summary, that of its older harness, or glibc's."""

    WORDS = (*CASES, b"Testsuite summary", b"Summary of ", b" passed", b" failed", b" behaved as ", b" did not behave ")
    _OLD: Final = re.compile(
        r"^(?:All (?P<all>\d{1,9}) tests (?:passed|behaved as expected)|(?P<one>1) test passed"
        r"|(?P<bad>\d{1,9}) of (?P<of>\d{1,9}) tests? (?:failed|did not behave as expected))"
        r"(?: \((?P<odd>\d{1,9}) (?P<kind>expected failure|unexpected pass)(?:e?s)?\))?\s*$"
    )

    def __init__(self) -> None:
        words = {
            "PASS": "passed",
            "FAIL": "failed",
            "XFAIL": "expected_failed",
            "XPASS": "unexpected_passed",
            "SKIP": "skipped",
            "UNSUPPORTED": "skipped",
            "UNRESOLVED": "errors",
            "ERROR": "errors",
        }
        self._automake = Table(
            re.compile(r"^Testsuite summary for (?P<suite>.{1,80}?)\s*$"),
            re.compile(r"^# (?P<word>[A-Z]+):\s+(?P<count>\d+)\s*$"),
            "Testsuite summary",
            words,
        )
        self._glibc = Table(
            re.compile(r"^(?:Summary of test results:|\s*=== Summary of results ===)\s*$"),
            re.compile(r"^\s+(?P<count>\d+) (?P<word>[A-Z]+)\s*$"),
            "Summary of ",
            words,
            name="glibc",
        )
        self._name = CHECK
        self._since: Counter[str] = Counter()

    @property
    def is_busy(self) -> bool:
        """Whether it is inside a block, so that any line may matter."""
        return bool(self._automake.suite or self._glibc.suite)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        for table in (self._automake, self._glibc):
            self._take(table.feed(line), ledger)
            if table.suite:
                return True
        if line[:1].isupper() and (case := _CASE.match(line)) is not None:
            return self._case(_OUTCOMES[case[1]], case[1], case[2], ledger)
        if line[:1] == "A" or line[:1].isdigit():
            return self._old(line, ledger)
        return False

    def finish(self, ledger: Ledger) -> None:
        """Take a summary that the log ends with."""
        for table in (self._automake, self._glibc):
            self._take(table.finish(), ledger)

    def _case(self, outcome: Outcome, word: str, name: str, ledger: Ledger) -> bool:
        if not self._since and word not in ("PASS", "FAIL", "XFAIL", "XPASS", "SKIP"):
            # many tools begin a line with ERROR; among tests it is one of them
            return False
        self._since[outcome] += 1
        ledger.suite(self._name).case(outcome, name, once=True)
        return True

    def _take(self, found: tuple[str, Results] | None, ledger: Ledger) -> None:
        if found is None:
            return
        name, results = found
        ledger.summary(name, results, of=self._name if self._name in (CHECK, name) else None)
        self._name = CHECK if name == "glibc" else name
        self._since.clear()

    def _old(self, line: str, ledger: Ledger) -> bool:
        found = self._OLD.match(line)
        if found is None or (found["one"] and not self._since):
            return False
        total = number(found["all"] or found["of"] or "1")
        odd = number(found["odd"] or "0")
        unexpected = odd if found["kind"] == "unexpected pass" else 0
        expected = odd if found["kind"] == "expected failure" else min(self._since["expected_failed"], total)
        failed = max(0, number(found["bad"] or "0") - unexpected)
        ledger.summary(
            self._name,
            Results(
                passed=max(0, total - failed - unexpected - expected),
                failed=failed,
                expected_failed=expected,
                unexpected_passed=unexpected,
                skipped=self._since["skipped"],
            ),
        )
        self._since.clear()
        return True


class Autotest(Runner):
    """Reads `  3: a test    FAILED (file.at:6)`, and `2 failed (1 expected failure).` or `9 tests were successful.`."""

    WORDS = (
        b"\n## ",
        b" successful",
        b" behaved as ",
        b"\nERROR: ",
        b" passed unexpectedly",
        b" failed",
        b" ok\n",
        b" ok ",
        b" FAILED (",
        b"expected failure",
        b" skipped",
        b"UNEXPECTED PASS",
    )
    _START: Final = re.compile(r"^## .{1,100} test suite\. ##\s*$")
    _CASE: Final = re.compile(
        r"^\s*\d+: (.+?)\s+(ok|FAILED \(|expected failure|skipped|UNEXPECTED PASS)(?:[ (].*|\S+\))?\s*$"
    )
    _GOOD: Final = re.compile(
        r"^(?:All )?(\d{1,9}) tests? (?:were successful|was successful|behaved as expected)"
        r"(?: \((\d{1,9}) expected failures?\))?\.\s*$"
    )
    _RUN: Final = re.compile(r"^ERROR: (?:All )?(\d{1,9}|[Oo]nly one) tests? (?:were|was) run[,.]\s*$")
    _PASSED: Final = re.compile(r"^(\d{1,9}) passed unexpectedly[,.]\s*$")
    _FAILED: Final = re.compile(r"^(\d{1,9}) failed(?: unexpectedly| \((\d{1,9}) expected failures?\))?\.\s*$")
    _WORDS: Final[dict[str, Outcome]] = {
        "ok": "passed",
        "FAILED (": "failed",
        "expected failure": "expected_failed",
        "skipped": "skipped",
        "UNEXPECTED PASS": "unexpected_passed",
    }
    _NAME: Final = "autotest"

    def __init__(self) -> None:
        self._is_open = False
        self._skipped = 0
        self._run: int | None = None
        self._unexpected = 0

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if self._START.match(line) is not None:
            self._is_open, self._skipped = True, 0
            ledger.suite(self._NAME).begin()
            return True
        if (good := self._GOOD.match(line)) is not None:
            expected = number(good[2] or "0")
            self._end(Results(passed=max(0, number(good[1]) - expected), expected_failed=expected), ledger)
            return True
        if self._is_open and (case := self._CASE.match(line)) is not None:
            self._skipped += case[2] == "skipped"
            ledger.suite(self._NAME).case(self._WORDS[case[2]], case[1], once=True)
            return True
        return self._bad(line, ledger)

    def _bad(self, line: str, ledger: Ledger) -> bool:
        if (run := self._RUN.match(line)) is not None:
            self._run, self._unexpected = (number(run[1]) if run[1].isdecimal() else 1), 0
            return True
        if self._run is None:
            return False
        if (passed := self._PASSED.match(line)) is not None:
            self._unexpected = number(passed[1])
            if line.rstrip().endswith("."):
                self._failing(0, 0, ledger)
            return True
        if (failed := self._FAILED.match(line)) is not None:
            self._failing(number(failed[1]), number(failed[2] or "0"), ledger)
            return True
        return False

    def _failing(self, failed: int, expected: int, ledger: Ledger) -> None:
        passed = max(0, (self._run or 0) - failed - self._unexpected)
        self._run = None
        self._end(Results(passed, max(0, failed - expected), expected, self._unexpected), ledger)

    def _end(self, results: Results, ledger: Ledger) -> None:
        ledger.summary(self._NAME, results + Results(skipped=self._skipped))
        self._is_open, self._skipped = False, 0
