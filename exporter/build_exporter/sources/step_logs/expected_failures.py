"""Tests that are known to fail: the shipped list, and the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from build_exporter.sources.step_logs.books_failures import EXPECTED, UNCOUNTED
from build_exporter.tracker import Step

Own = Mapping[str, "tuple[str, ...] | int"]
"""By package: patterns of the tests' names, or how many of them may fail."""

_ORDER: Final = re.compile(r"^(?:\w*\d-)+")
_ENDING: Final = re.compile(r"-v?\d[\w.+~-]*$")


@dataclass(frozen=True, slots=True)
class ExpectedFailurePatterns:
    """Known facts of a package's suites.

    Attributes:
        patterns: of names of tests that are known to fail.
        number: so many more may fail.
        is_uncounted: its suite prints no results that could be counted.
    """

    patterns: tuple[str, ...] = ()
    number: int = 0
    is_uncounted: bool = False

    def has(self, name: str) -> bool:
        """Return whether a test is known to fail: its name, the name's first word, or what follows the last slash."""
        if not self.patterns:
            return False
        word = name.split(None, 1)[0] if name.strip() else name
        forms = {name, word, word.rpartition("/")[2]}
        return any(form == pattern or fnmatchcase(form, pattern) for form in forms for pattern in self.patterns)


NO_EXPECTED_FAILURES: Final = ExpectedFailurePatterns()


class ExpectedFailures:
    """The lists, by package."""

    def __init__(self, own: Own | None = None, uncounted: Iterable[str] = ()) -> None:
        """Take the shipped lists and add the user's own to them."""
        self._patterns: dict[str, tuple[str, ...]] = {}
        self._numbers: dict[str, int] = {}
        self._uncounted = {name.lower() for name in uncounted}
        for package, given in (own or {}).items():
            if isinstance(given, int):
                self._numbers[package.lower()] = given
            else:
                self._patterns[package.lower()] = tuple(given)

    def of(self, step: Step) -> ExpectedFailurePatterns:
        """Return what is known of the package that a step builds."""
        names = names_of(step)
        shipped = tuple(known.test for known in EXPECTED if any(name in known.packages for name in names))
        patterns = shipped + tuple(pattern for name in names for pattern in self._patterns.get(name, ()))
        number = max((self._numbers.get(name, 0) for name in names), default=0)
        return ExpectedFailurePatterns(
            patterns, number, any(name in UNCOUNTED or name in self._uncounted for name in names)
        )


def names_of(step: Step) -> list[str]:
    """Return the names that a step's package may have in a list: as given, and as the step is called, in lower case.

    `sys-devel/gcc` is `gcc`, and so is the step `824-gcc` or `gcc-14.2.0`.
    """
    found: dict[str, None] = {}
    for name in (step.package or "", step.step):
        short = _ORDER.sub("", name.rpartition("/")[2].lower())
        for form in (short, _ENDING.sub("", short)):
            if form:
                found[form] = None
    return list(found)
