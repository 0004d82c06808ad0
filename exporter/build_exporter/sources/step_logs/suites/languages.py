"""Runners that come with a language: Rust's libtest and nextest, Go's, and those of Node."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.results import Ledger, Outcome, Results
from build_exporter.sources.step_logs.suites.runner import Runner, number


class Cargo(Runner):
    """Reads libtest, `test name ... ok`, `test result: ok. 12 passed; 2 failed; …`, and nextest's summary."""

    WORDS = (
        b"\nrunning ",
        b" ... ok",
        b" ... FAILED",
        b" ... ignored",
        b"\ntest result: ",
        b" tests run: ",
        b" test run: ",
        b"s] (",
        b" Starting ",
    )
    NAME: Final = "cargo test"
    _START: Final = re.compile(r"^running (\d{1,9}) tests?\s*$")
    _CASE: Final = re.compile(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)\b")
    _END: Final = re.compile(r"^test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored;")
    _NEXT: Final = re.compile(r"^ *Summary \[.*?\] .*?\btests? run: (.*)$")
    _BEGIN: Final = re.compile(r"^ *Starting \d{1,9} tests? across ")
    _LISTED: Final = re.compile(
        r"^ *(?:TRY \d+ )?(?!FLAKY|LEAK |PASS|SLOW)[A-Z-]+ \[ *[\d.]+s\] \( *\d+/\d+\) (\S+ \S+)\s*$"
    )
    _COUNT: Final = re.compile(r"(\d{1,9}) (passed|failed|skipped|timed out|exec failed)\b")
    _WORDS: Final[dict[str, Outcome]] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}

    def __init__(self) -> None:
        self._is_listed = False

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (start := self._START.match(line)) is not None:
            if number(start[1]):
                ledger.suite(self.NAME).begin()
        elif (case := self._CASE.match(line)) is not None:
            ledger.suite(self.NAME).case(self._WORDS[case[2]], case[1])
        elif (end := self._END.match(line)) is not None:
            ledger.summary(self.NAME, Results(number(end[1]), number(end[2]), skipped=number(end[3])))
        elif (summary := self._NEXT.match(line)) is not None:
            counts = {word: number(count) for count, word in self._COUNT.findall(summary[1])}
            bad = sum(counts.get(word, 0) for word in ("failed", "timed out", "exec failed"))
            ledger.summary("nextest", Results(counts.get("passed", 0), bad, skipped=counts.get("skipped", 0)))
            # before it a failure may be one of several attempts
            self._is_listed = bad > 0
        elif self._is_listed and self._BEGIN.match(line) is not None:
            self._is_listed = False
        elif self._is_listed and (listed := self._LISTED.match(line)) is not None:
            ledger.suite("nextest").name("failed", listed[1])
        else:
            return False
        return True


class GoTest(Runner):
    """Reads `go test`: packages by `ok  \tpkg\t0.1s` and `FAIL\tpkg\t0.1s`, names from `--- FAIL: TestX (0.01s)`.

    The latter stands behind what a test printed last, where that had no line's end. With `-cover` a package without
    tests is `\tpkg\t\tcoverage: 0.0% of statements`.
    """

    WORDS = (b"\nok  \t", b"\nFAIL\t", b"\n?   \t", b"--- FAIL: ", b"\t\tcoverage: ")
    NAME: Final = "go test"
    _PACKAGE: Final = re.compile(r"^(ok  |FAIL|\?   )\t(\S+)(?:\s|$)")
    _UNTESTED: Final = re.compile(r"^\t\S+\t\tcoverage: ")
    _FAILED: Final = re.compile(r"^(?:\S.*)?--- FAIL: ([^\s/]+) \([\d.]+s\)\s*$")
    _WORDS: Final[dict[str, Outcome]] = {"ok  ": "passed", "FAIL": "failed", "?   ": "skipped"}

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (package := self._PACKAGE.match(line)) is not None:
            ledger.suite(self.NAME).case(self._WORDS[package[1]])
        elif self._UNTESTED.match(line) is not None:
            ledger.suite(self.NAME).case("skipped")
        elif (failed := self._FAILED.match(line)) is not None:
            ledger.suite(self.NAME).name("failed", failed[1])
        else:
            return False
        return True


class NodeTest(Runner):
    """Reads the rows of `node --test`: `# tests 5`, `# pass 4`, `# fail 1`, …, or with another sign for the `#`."""

    WORDS = (
        b"# tests ",
        b"# pass ",
        b"# fail ",
        b"# cancelled ",
        b"# skipped ",
        b"# todo ",
        b"# duration_ms ",
        b"\xe2\x84\xb9 ",
    )
    NAME: Final = "node"
    _ROW: Final = re.compile(
        r"^(?:#|\u2139) (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]{1,20})\s*$"
    )

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        row = self._ROW.match(line)
        if row is None:
            return False
        if row[1] == "tests":
            self._counts = {}
        if row[1] == "duration_ms":
            self.finish(ledger)
        else:
            self._counts[row[1]] = number(row[2].partition(".")[0])
        return True

    def finish(self, ledger: Ledger) -> None:
        """Sum up the rows so far."""
        counts, self._counts = self._counts, {}
        if "tests" in counts and "pass" in counts:
            # its TAP names the same tests before
            skipped = counts.get("skipped", 0) + counts.get("todo", 0)
            failed, cancelled = counts.get("fail", 0), counts.get("cancelled", 0)
            ledger.summary(self.NAME, Results(counts["pass"], failed, skipped=skipped, errors=cancelled), of="tap")


class NodeTools(Runner):
    """Reads Node's own tools/test.py: `[02:10|% 100|+ 4033|-   2]: Done`, and names from `=== release test-x ===`."""

    WORDS = (b"|+ ", b"\n=== ")
    NAME: Final = "node"
    _COUNT: Final = re.compile(r"^\[\d\d:\d\d\|% +(\d{1,3})\|\+ +(\d{1,7})\|- +(\d{1,7})\]: (\w*)")
    _NAME: Final = re.compile(r"^=== (?:release|debug) (\S+) ===\s*$")

    def __init__(self) -> None:
        self._newest = (0, 0)

    def feed(self, line: str, ledger: Ledger) -> bool:
        """Take one line."""
        if (named := self._NAME.match(line)) is not None:
            ledger.suite(self.NAME).name("failed", named[1])
            return True
        count = self._COUNT.match(line)
        if count is None:
            return False
        passed, failed = number(count[2]), number(count[3])
        if count[4] == "Done":
            ledger.summary(self.NAME, Results(passed, failed))
            self._newest = (0, 0)
            return True
        suite = ledger.suite(self.NAME)
        suite.seen["passed"] += max(0, passed - self._newest[0])
        suite.seen["failed"] += max(0, failed - self._newest[1])
        self._newest = (passed, failed)
        return True
