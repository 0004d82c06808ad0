"""The form of a rule: the line it matches, the failure class it is evidence of, and its rank."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

MAX_MATCHED: Final = 1000
"""Characters of a line that a pattern is tried on: what a failure is stands at the beginning."""


class Rank(IntEnum):
    """How much a line reveals about the cause; of several lines the one of the highest rank is the reason.

    Of lines of one rank the first counts, but of `PROGRAM` and `PLAIN` the last before the build stopped: tools that go
    on regardless say such things all the time.
    """

    NOISE = 0
    """Printed by builds that go well, too: never a reason of its own."""
    MAKE = 10
    """The builder hands a failure on: make's `***`, ebuild, makepkg, nix, cargo's "could not compile", CI."""
    LAST = 20
    """Nothing known; the last words before the builder stopped."""
    RELAYED = 30
    """A tool hands on what another one has said before."""
    PLACED = 40
    """Words in an unknown language after FILE:LINE:COLUMN."""
    PLAIN = 50
    """Somebody says "error"."""
    PROGRAM = 60
    """A known kind of tool names its trouble."""
    STOP = 70
    """The builder's own failure: no rule to make a target."""
    TOOL = 80
    """A compiler, linker, configure script, patch … names what is wrong with its input."""
    TEST = 82
    """A test failed."""
    ROOT = 90
    """Memory, disk, a crash: whatever else is printed follows from it."""
    OWN = 200
    """A rule of the user's configuration: who knows his build better than the table decides himself."""


class Rule(NamedTuple):
    """A row of the table; the first rule that a line matches decides.

    Attributes:
        kind: class of failure, one of `model.states.FailureClass`.
        speaker: who says so: `compiler`, `linker`, `shell` …
        rank: how much it counts.
        words: literals one of which is in every line that matches: lines without any are not looked at.
        pattern: of the line without prefix, with straight quotes, foreign words replaced by the English ones.
        hint: what people do about it.
        examples: lines that the rule must match and no rule before it does.
    """

    kind: str
    speaker: str
    rank: int
    words: tuple[str, ...]
    pattern: str
    hint: str
    examples: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Return whether a line is evidence by this rule."""
        if self.words and not any(word in text for word in self.words):
            return False
        return _compiled(self.pattern).search(text[:MAX_MATCHED]) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class FailureRule:
    """A failure rule of a plug-in: a line that `pattern` finds is the reason of a failure of this class.

    Attributes:
        error_class: one of the closed set of failure classes.
        pattern: a regular expression, searched for in a line without time stamps and other prefixes.
        hint: what people do about it.
    """

    error_class: str
    pattern: str
    hint: str = ""
