"""Logs of builds that really failed: class and reason are right, and the page says how often."""

from __future__ import annotations

import confusion
import pytest

TRIED = confusion.tried()


@pytest.mark.parametrize("tried", TRIED, ids=lambda tried: tried.scenario.name)
def test_a_real_failure_has_its_reason(tried: confusion.Tried) -> None:
    """What a tool of this field prints when it fails is understood."""
    assert tried.has_class, tried.found
    assert tried.has_reason, tried.found


def test_every_class_is_provoked_three_ways() -> None:
    """No class rests on a single tool's words."""
    kinds = [each.scenario.error_class for each in TRIED]
    assert min(map(kinds.count, set(kinds))) >= 3
    assert len(set(kinds)) == 23


def test_the_page_has_the_table() -> None:
    """Who reads the page sees the numbers of this version."""
    assert confusion.table(TRIED) in confusion.PAGE.read_text(encoding="utf-8")
