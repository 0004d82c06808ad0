"""Signs that a suite was to run, for suites that leave no result."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.step_logs.suites.gnu import CHECK

_BEGUN: Final = (
    # automake goes there only where a directory has tests
    (re.compile(r"^g?make +check-TESTS\s*$"), CHECK),
    (re.compile(r"^\[\d+/\d+\] Running all tests\b"), "meson"),
    (re.compile(r"^No tests defined\."), "meson"),
    (re.compile(r"^No tests were found!!!"), "ctest"),
    (re.compile(r"^\[=+\] (?:Running )?0 tests from "), "gtest"),
)
_BROKEN: Final = re.compile(
    r"^g?make(?:\[\d+\])?: \*\*\* (?:\[(?:[^]\s]+:\d+: )?(?:check|test|tests)(?:-[\w-]+)?\] "
    r"|No rule to make target ['`](?:check|test|tests)')"
)
_NOTHING: Final = re.compile(r"^g?make(?:\[\d+\])?: Nothing to be done for ['`](?:check|test|tests)'")


class SuiteDetector:
    """Collects them from the lines of a log.

    Attributes:
        begun: what was to run.
        is_broken: make gave up a target that runs tests.
        is_nothing: make said that there is nothing to test.
        WORDS: see `Runner`.
    """

    WORDS: Final = (
        *(b"check-TESTS", b": *** ", b"Running all tests", b"No tests defined.", b"No tests were found!!!"),
        *(b"done for 'check'", b"done for 'test", b"done for `check'", b"done for `test"),
        *(b"] 0 tests from ", b"Running 0 tests from "),
    )

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.is_broken = False
        self.is_nothing = False

    def feed(self, line: str) -> None:
        """Take one line."""
        first = line[:1]
        if first in "mg":
            if "make" in line[:5]:
                self._feed_make(line)
        elif first in "[N":
            self.begun.update(name for pattern, name in _BEGUN if pattern.match(line) is not None)

    def _feed_make(self, line: str) -> None:
        if _BEGUN[0][0].match(line) is not None:
            self.begun.add(CHECK)
        elif _BROKEN.match(line) is not None:
            self.is_broken = True
            self.begun.add(CHECK)
        elif _NOTHING.match(line) is not None:
            self.is_nothing = True
