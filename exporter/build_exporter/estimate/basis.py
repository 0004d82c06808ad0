"""The basis of an estimate, in words."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Final

from build_exporter.estimate.sources import Source
from build_exporter.estimate.table import VARIANTS

if TYPE_CHECKING:
    from build_exporter.estimate.outlook import Outlook

NOTICEABLE: Final = 0.03
"""Pace (logarithm) that is worth a word."""
OTHER_MACHINE: Final = 0.22
RELEVANT: Final = 0.05
"""A source that gives less of the time than this share is not named."""


def basis_of(outlook: Outlook, done: int) -> str:
    """Return what an estimate rests on: `3 earlier runs of this build (this one is 4 % slower), 12 finished steps`."""
    parts = [*_runs(outlook), *_figures(outlook, done)]
    parts.append(_counted(done, "finished step") if done else "no finished step yet")
    return ", ".join(parts)


def _share(outlook: Outlook, *sources: Source) -> float:
    return sum(outlook.shares.get(id(source), 0.0) for source in sources) / (sum(outlook.shares.values()) or 1.0)


def _runs(outlook: Outlook) -> list[str]:
    parts = []
    pairs = list(zip(outlook.sources.runs, outlook.history.runs, strict=True))
    own = [source for source, past in pairs if past.own]
    if _share(outlook, *own) > RELEVANT:
        best = max(own, key=lambda source: _share(outlook, source))
        parts.append(f"{_counted(len(own), 'earlier run')} of this build{_pace(best)}")
    elif any(source.compared for source in own):
        parts.append(f"{_counted(len(own), 'earlier run')} of this build left out{_unlike(own)}")
    builds = sorted({past.build for source, past in pairs if not past.own and _share(outlook, source) > RELEVANT / 3})
    others = [source for source, past in pairs if not past.own]
    if builds and _share(outlook, *others) > RELEVANT:
        best = max(others, key=lambda source: _share(outlook, source))
        parts.append(f"runs of {', '.join(builds[:3])}{_pace(best)}")
    return parts


def _unlike(sources: list[Source]) -> str:
    middle = max(sources, key=lambda source: source.compared).middle
    if abs(middle) < OTHER_MACHINE:
        return " (steps took other times)"
    return f" (steps take {exp(middle):.1f} times as long now)"


def _figures(outlook: Outlook, done: int) -> list[str]:
    parts, sources = [], outlook.sources
    if _share(outlook, *sources.variants) > RELEVANT:
        best = max(range(len(VARIANTS)), key=lambda place: _share(outlook, sources.variants[place]))
        parts.append(f"typical times of steps at -j{outlook.facts.jobs_or_default} {VARIANTS[best].words}")
    if _share(outlook, sources.plan_sbu, sources.plan_seconds) > RELEVANT:
        parts.append("the plan's figures")
    if not done and _share(outlook, *sources.variants, sources.plan_sbu) > RELEVANT:
        known = "as here before" if outlook.history.sbu_seconds else "assumed, as this machine has shown none yet"
        parts.append(f"{outlook.facts.sbu_seconds:.0f} s for an SBU, {known}")
    return parts


def _pace(source: Source) -> str:
    if source.differs:
        return " (with another -j, tests or ABIs: converted)"
    if not source.compared or abs(source.pace) < NOTICEABLE:
        return ""
    factor = exp(source.pace)
    if abs(source.pace) > OTHER_MACHINE:
        return f" (as of another machine, scaled by {factor:.2f})"
    return f" (this one is {abs(factor - 1) * 100:.0f} % {'slower' if factor > 1 else 'faster'})"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
