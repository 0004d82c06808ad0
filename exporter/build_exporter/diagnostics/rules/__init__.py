"""The one ordered table of what lines of a build's output are evidence of.

Each row has examples that are its tests: it must match them, and no row before it may. The table is in parts by who
speaks; their order here is the order of the table. Rows of a user's configuration come before all of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from build_exporter.diagnostics.rules.compilers import COMPILERS
from build_exporter.diagnostics.rules.configure import CONFIGURE
from build_exporter.diagnostics.rules.languages import LANGUAGES
from build_exporter.diagnostics.rules.machine import MACHINE
from build_exporter.diagnostics.rules.packages import PACKAGES
from build_exporter.diagnostics.rules.programs import PROGRAMS
from build_exporter.diagnostics.rules.relayed import NOISE, RELAYED
from build_exporter.diagnostics.rules.rule import Rank, Rule
from build_exporter.diagnostics.rules.tests import TESTS

RULES: Final[tuple[Rule, ...]] = (
    *NOISE,
    *MACHINE,
    *PACKAGES,
    *RELAYED,
    *TESTS,
    *CONFIGURE,
    *LANGUAGES,
    *COMPILERS,
    *PROGRAMS,
)

WORDS: Final = tuple(sorted({word for rule in RULES for word in rule.words}))
"""Every literal of the table: a line with none of them is evidence of nothing."""


__all__ = ["RULES", "WORDS", "Rank", "Rule", "own_rule_of", "own_rules", "rule_of", "use"]


_own: tuple[Rule, ...] = ()


def use(rules: tuple[Rule, ...]) -> None:
    """Set the rules of the user's configuration, which come before those of the table from now on."""
    global _own  # noqa: PLW0603 - the table is one for the whole process, and so are a user's rows of it
    _own = rules


def own_rules() -> tuple[Rule, ...]:
    """Return the rules of the user's configuration."""
    return _own


def rule_of(text: str) -> Rule | None:
    """Return the first rule that a line matches, the user's own before those of the table; None where none does."""
    return own_rule_of(text) or _rule_of(text)


def own_rule_of(text: str) -> Rule | None:
    """Return the first of the user's own rules that a line matches, None where none does."""
    return next((rule for rule in _own if rule.matches(text)), None)


@lru_cache(maxsize=1024)
def _rule_of(text: str) -> Rule | None:
    return next((rule for rule in RULES if rule.matches(text)), None)
