"""Facts of how a run builds (jobs, tests, ABIs), and their effect compared with another run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from build_exporter.estimate.history import History, PastRun
from build_exporter.estimate.table import DEFAULT_JOBS, Variant, typical_steps
from build_exporter.tracker import Run
from build_exporter.tracker.names import Name, name_of

DEFAULT_SBU: Final = 120.0
"""Seconds of an SBU on a machine that nothing is known of yet."""
SERIAL_SHARE: Final = 0.5
"""Serial part of a step that the table doesn't know."""
TESTS_PRIOR: Final = {"none": 0.5, "critical": 0.25, "all": 0.25}
ABIS_PRIOR: Final = {1: 0.9, 2: 0.07, 3: 0.03}
MULTILIB_PRIOR: Final = {1: 0.02, 2: 0.6, 3: 0.38}
UNLIKELY: Final = 0.02
"""Probability of what contradicts what is known of the build."""
MULTILIB_WORDS: Final = ("multilib", "m32", "all")


@dataclass(frozen=True, slots=True)
class Facts:
    """How a run builds; None where unknown."""

    jobs: int | None
    tests: str | None
    multilib: bool
    sbu_seconds: float

    @property
    def jobs_or_default(self) -> int:
        """Parallel jobs, those of the book where nobody knows."""
        return self.jobs or DEFAULT_JOBS

    def prior(self, variant: Variant) -> float:
        """Return how probable a variant is before the first step."""
        abis = (MULTILIB_PRIOR if self.multilib else ABIS_PRIOR)[variant.abis]
        if self.tests is None:
            return TESTS_PRIOR[variant.tests] * abis
        return (1.0 if variant.tests == self.tests else UNLIKELY) * abis

    def shift(self, past: PastRun, name: Name) -> float:
        """Return the logarithm of a step's time with this run's settings over that with an earlier run's."""
        jobs_differ = self.jobs is not None and past.jobs is not None and self.jobs != past.jobs
        tests_differ = self.tests is not None and past.tests is not None and self.tests != past.tests
        if not jobs_differ and not tests_differ:
            return 0.0
        before, now = past.jobs or self.jobs_or_default, self.jobs or past.jobs or DEFAULT_JOBS
        typical = typical_steps().get(name)
        if typical is None:
            return log((SERIAL_SHARE + (1 - SERIAL_SHARE) / now) / (SERIAL_SHARE + (1 - SERIAL_SHARE) / before))
        was = typical.sbu(before, past.tests or "none", 1)
        return log(typical.sbu(now, self.tests or past.tests or "none", 1) / was) if was > 0 else 0.0

    def differ(self, past: PastRun) -> bool:
        """Return whether an earlier run is known to have had other settings."""
        return any(
            a is not None and b is not None and a != b for a, b in ((self.jobs, past.jobs), (self.tests, past.tests))
        )


def facts_of(run: Run, history: History) -> Facts:
    """Return what is known of how a run builds."""
    words = run.target.lower().split("-")
    multilib = any(word.startswith(MULTILIB_WORDS) for word in words)
    jobs = run.jobs_used or None
    tests = run.tests or next((past.tests for past in history.runs if past.own and past.tests), None)
    return Facts(jobs, tests, multilib, _sbu_of(history.runs))


def _sbu_of(runs: Sequence[PastRun]) -> float:
    """Return the seconds of an SBU that the newest run with steps of the table took."""
    table = typical_steps()
    for past in runs[:3]:
        ratios = []
        for step in past.steps:
            typical = table.get(name_of(step.phase, step.step, step.version))
            if typical is not None and step.seconds >= 1:
                ratios.append(step.seconds / typical.sbu(past.jobs or DEFAULT_JOBS, past.tests or "none", 1))
        if len(ratios) > 2:
            return sorted(ratios)[len(ratios) // 2]
    return DEFAULT_SBU
