"""The one ordered table of what lines of a build's output are evidence of.

Each row has examples that are its tests: it must match them, and no row before it may. The table is in parts by who
speaks; their order here is the order of the table. Rows of a user's configuration come before all of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from build_exporter.diagnostics.rules.compilers import COMPILERS
from build_exporter.diagnostics.rules.configure import CONFIGURE
from build_exporter.diagnostics.rules.machine import MACHINE
from build_exporter.diagnostics.rules.programs import PROGRAMS
from build_exporter.diagnostics.rules.relayed import NOISE, RELAYED
from build_exporter.diagnostics.rules.rule import Rank, Rule
from build_exporter.diagnostics.rules.tests import TESTS

RULES: Final[tuple[Rule, ...]] = (*NOISE, *MACHINE, *RELAYED, *TESTS, *CONFIGURE, *COMPILERS, *PROGRAMS)

WORDS: Final = tuple(sorted({word for rule in RULES for word in rule.words}))
"""Every literal of the table: a line with none of them is evidence of nothing."""


__all__ = ["RULES", "WORDS", "Rank", "Rule", "rule_of"]


def rule_of(text: str, own: tuple[Rule, ...] = ()) -> Rule | None:
    """Return the first rule that a line matches, a user's `own` before those of the table; None where none does."""
    return next((rule for rule in own if rule.matches(text)), None) or _rule_of(text)


@lru_cache(maxsize=1024)
def _rule_of(text: str) -> Rule | None:
    return next((rule for rule in RULES if rule.matches(text)), None)
