"""What an estimate rests on, in words."""

from __future__ import annotations

from math import exp
from typing import Final

from build_exporter.estimate.facts import Facts
from build_exporter.estimate.history import History
from build_exporter.estimate.sources import Source, Sources
from build_exporter.estimate.table import VARIANTS

NOTICEABLE: Final = 0.03
"""Pace (logarithm) that is worth a word."""
OTHER_MACHINE: Final = 0.22
RELEVANT: Final = 0.02
"""A source with less of the weight than this is not named."""


def basis_of(sources: Sources, history: History, facts: Facts, done: int) -> str:
    """Return what an estimate rests on: `3 earlier runs of this build (this run is 4 % slower)`."""
    whole = sum(source.weight for source in sources.all) or 1.0
    own = [s for s, past in zip(sources.runs, history.runs, strict=True) if past.own]
    others = {
        past.build: s
        for s, past in zip(sources.runs, history.runs, strict=True)
        if not past.own and s.weight > RELEVANT * whole
    }
    parts = []
    if own:
        parts.append(f"{_counted(len(own), 'earlier run')} of this build{_pace(max(own, key=lambda s: s.weight))}")
    if others and (not own or sum(s.weight for s in others.values()) > sum(s.weight for s in own) / 2):
        parts.append(f"runs of {', '.join(sorted(others)[:3])}{_pace(max(others.values(), key=lambda s: s.weight))}")
    if sources.plan_seconds.pairs:
        parts.append("the plan's seconds")
    table = sum(s.weight for s in sources.variants)
    if not own and not others:
        if any(s.pairs for s in sources.variants):
            best = max(range(len(VARIANTS)), key=lambda place: sources.variants[place].weight)
            parts.append(f"typical step times at -j{facts.jobs_or_default} {VARIANTS[best].words}")
        elif table:
            parts.append("the plan")
    parts.append(_counted(done, "finished step") + " of this run" if done else "no finished step yet")
    return ", ".join(parts)


def _pace(source: Source) -> str:
    if not source.pairs or abs(source.pace) < NOTICEABLE:
        return ""
    factor = exp(source.pace)
    if abs(source.pace) > OTHER_MACHINE:
        return f" (as on another machine: scaled by {factor:.2f})"
    return f" (this one is {abs(factor - 1) * 100:.0f} % {'slower' if factor > 1 else 'faster'})"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
