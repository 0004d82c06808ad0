"""Facts of how a run builds (jobs, tests, ABIs), and their effect compared with another run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import Final

from build_exporter.estimate.abis import abis_of
from build_exporter.estimate.history import History, PastRun
from build_exporter.estimate.table import DEFAULT_JOBS, Variant, typical_steps
from build_exporter.tracker import Run
from build_exporter.tracker.names import Name

DEFAULT_SBU: Final = 140.0
"""Seconds of an SBU on a machine that nothing is known of yet."""
SERIAL_SHARE: Final = 0.5
"""Serial part of a step that the table doesn't know."""
TESTS_PRIOR: Final = {"none": 0.5, "critical": 0.25, "all": 0.25}
ABIS_PRIOR: Final = {1: 0.9, 2: 0.07, 3: 0.03}
MULTILIB_PRIOR: Final = {1: 0.02, 2: 0.6, 3: 0.38}
UNLIKELY: Final = 0.02
"""Probability of what contradicts what is known of the build."""
MULTILIB_WORDS: Final = ("multilib", "m32", "ml", "all")


@dataclass(frozen=True, slots=True)
class Facts:
    """How a run builds; None where unknown. `abis` is known from its steps, before them from an earlier run."""

    jobs: int | None
    tests: str | None
    multilib: bool
    sbu_seconds: float
    abis: int | None = None

    @property
    def jobs_or_default(self) -> int:
        """Parallel jobs, those of the book where nobody knows."""
        return self.jobs or DEFAULT_JOBS

    @property
    def likely_abis(self) -> int | None:
        """The number of ABIs as far as it is known; of a multilib build two until it shows."""
        return self.abis or (2 if self.multilib else None)

    def prior(self, variant: Variant) -> float:
        """Return how probable a variant is before the first step."""
        abis = (MULTILIB_PRIOR if self.multilib else ABIS_PRIOR)[variant.abis]
        if self.abis is not None:
            abis = 1.0 if variant.abis == self.abis else UNLIKELY
        if self.tests is None:
            return TESTS_PRIOR[variant.tests] * abis
        return (1.0 if variant.tests == self.tests else UNLIKELY) * abis

    def shift(self, past: PastRun, name: Name) -> float:
        """Return the logarithm of a step's time with this run's settings over that with an earlier run's."""
        if not self.differ(past):
            return 0.0
        before, now = past.jobs or self.jobs_or_default, self.jobs or past.jobs or DEFAULT_JOBS
        typical = typical_steps().get(name)
        if typical is None:
            return log((SERIAL_SHARE + (1 - SERIAL_SHARE) / now) / (SERIAL_SHARE + (1 - SERIAL_SHARE) / before))
        was = typical.sbu(before, past.tests or "none", past.abis or 1)
        will = typical.sbu(now, self.tests or past.tests or "none", self.likely_abis or past.abis or 1)
        return log(will / was) if was > 0 else 0.0

    def differ(self, past: PastRun) -> bool:
        """Return whether an earlier run is known to have had other settings."""
        pairs = ((self.jobs, past.jobs), (self.tests, past.tests), (self.likely_abis, past.abis))
        return any(a is not None and b is not None and a != b for a, b in pairs)


def facts_of(run: Run, history: History, done: Iterable[tuple[Name, float]] = ()) -> Facts:
    """Return what is known of how a run builds; `done` has the seconds of its steps so far by name."""
    multilib = _is_multilib(run.target)
    jobs = run.jobs_used or None
    own = [past for past in history.runs if past.own]
    tests = run.tests or next((past.tests for past in own if past.tests), None)
    before = next((past.abis for past in own if past.abis is not None and past.target == run.target), None)
    if before is None and not multilib and any(_is_multilib(past.target) for past in own):
        before = 1
    return Facts(jobs, tests, multilib, history.sbu_seconds or DEFAULT_SBU, abis_of(done, jobs, tests) or before)


def _is_multilib(target: str) -> bool:
    return any(word.startswith(MULTILIB_WORDS) for word in target.lower().split("-"))
