"""Failure rules of installed packages: loaded in isolation, checked, and tried after those of the configuration."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from build_exporter.diagnostics.rules.rule import FailureRule, Rank, Rule
from build_exporter.entry_points import entry_points
from build_exporter.model.states import FailureClass
from build_exporter.sources.isolation import PluginError
from build_exporter.sources.plugins import origin, with_timeout

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger(__name__)

GROUP: Final = "build_exporter.failure_rules"
MOST: Final = 200
"""Rules of one plug-in."""


def plugin_rules() -> list[Rule]:
    """Return the rules of every plug-in that can be used; the others are logged with the reason."""
    found: list[Rule] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found += rules_of(point)
        except PluginError as problem:
            log.warning("failure rules not taken", extra={"package": origin(point), "error": str(problem)})
    return found


def rules_of(point: EntryPoint) -> list[Rule]:
    """Return the rules of one plug-in.

    Raises:
        PluginError: it cannot be loaded, hangs, or a rule of it is none.
    """
    load = with_timeout(point.load)
    given = with_timeout(lambda: list(load()))
    if len(given) > MOST:
        raise PluginError(f"it has more than {MOST} rules")
    return [_checked(number, rule) for number, rule in enumerate(given, 1)]


def _checked(number: int, rule: object) -> Rule:
    if not isinstance(rule, FailureRule):
        raise PluginError(f"rule {number} is no FailureRule")
    try:
        pattern, error_class = re.compile(rule.pattern), FailureClass(rule.error_class)
    except (re.error, ValueError, TypeError) as problem:
        raise PluginError(f"rule {number}: {problem}") from None
    if pattern.search("") is not None:
        raise PluginError(f"rule {number} has a pattern that every line matches")
    return Rule(error_class, "plug-in", Rank.OWN, (), rule.pattern, str(rule.hint), ())


def all_rules(own: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules of the user before those of plug-ins."""
    return (*own, *plugin_rules())
