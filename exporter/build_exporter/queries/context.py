"""Input of queries: the builds, one moment in time, and what other rooms know about running steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from build_exporter.analysis.fit import Fit
from build_exporter.config.schema import Thresholds
from build_exporter.estimate import Accuracy, Estimate, remaining
from build_exporter.failures import Card, card
from build_exporter.journal.positions import START, Position
from build_exporter.model.redaction import redact
from build_exporter.model.text import plain_line
from build_exporter.probes.state import ProbeState
from build_exporter.queries.incidents import Incident
from build_exporter.tracker import Build, Run, Step, expected_at_start
from build_exporter.verdicts import Judgement


class NotFoundError(LookupError):
    """A query asks for a build, step or run that is not there; the text names it."""


class BadRequestError(ValueError):
    """A query's parameters contradict each other or name nothing; the text says which and what is allowed."""


def _no_verdict(run: Run, step: Step) -> Judgement | None:
    return None


def _planned(run: Run, step: Step, now: float) -> float | None:
    return expected_at_start(run, step)


def _nowhere(build: str) -> Position:
    return START


def _nothing_free(run: Run) -> Sequence[Fit]:
    return ()


@dataclass(frozen=True, slots=True)
class Context:
    """All builds at one moment; cheap to make, and safe to use in any thread.

    The tracker's state goes on changing in its own thread, so queries copy each mapping before they iterate over it.

    Attributes:
        builds: the tracker's builds by name.
        now: Unix seconds.
        verdict: returns what a running step is doing, with the evidence; None where nothing judges it.
        estimate: returns what is left of a run at a time.
        expected: returns what a step should take in all, in seconds.
        accuracy: how good estimates of the builds' earlier runs were, as far as that was worked out.
        card: returns the first-error card of a failed step; without more from the journal alone.
        thresholds: from when on a step counts as overdue and the like.
        escalation: seconds until an alert that nobody acknowledges goes to tier 2, 3 and so on.
        probes: what the probes of services have found.
        host_incidents: what the machine does to running builds.
        journal: the journal's directory.
        position: returns how far a build's journal has been read.
        fits: returns whether disk and memory suffice for a run's steps to come; empty where what is free is not known.
    """

    builds: Mapping[str, Build]
    now: float
    verdict: Callable[[Run, Step], Judgement | None] = _no_verdict
    estimate: Callable[[Run, float], Estimate | None] = remaining
    expected: Callable[[Run, Step, float], float | None] = _planned
    accuracy: Accuracy | None = None
    card: Callable[[Run, Step], Card] = field(default=card)
    thresholds: Thresholds = field(default_factory=Thresholds)
    escalation: Sequence[float] = ()
    host_incidents: Sequence[Incident] = ()
    probes: Sequence[ProbeState] = ()
    journal: str = ""
    position: Callable[[str], Position] = _nowhere
    fits: Callable[[Run], Sequence[Fit]] = _nothing_free

    def newest(self) -> list[tuple[Build, Run]]:
        """Return each build with its newest run, the most recently active first."""
        found = [(build, build.current) for build in list(self.builds.values()) if build.current is not None]
        return sorted(found, key=lambda pair: pair[1].last_event or 0.0, reverse=True)

    def build(self, name: str) -> tuple[Build, Run]:
        """Return a build and its newest run.

        Raises:
            NotFoundError: there is none of that name.
        """
        build = self.builds.get(name)
        if build is None or build.current is None:
            raise NotFoundError(f"no build {shown(name)}")
        return build, build.current

    def step(self, run: Run, phase: str, name: str) -> Step:
        """Return a step by its names, exact or as `shown`.

        Raises:
            NotFoundError: the run has no such step.
        """
        found = run.steps.get((phase, name))
        if found is not None:
            return found
        for step in list(run.steps.values()):
            if shown(step.step) == name and shown(step.phase) == phase:
                return step
        raise NotFoundError(f"no step {shown(phase)}/{shown(name)} in {run.build}")


@lru_cache(maxsize=4096)
def shown(name: str) -> str:
    """Return a name from outside as it may be shown anywhere: one line, no control characters, secrets masked."""
    return redact(plain_line(name))


def shown_or_none(text: str | None) -> str | None:
    """Return a short text from outside as it may be shown, None for an empty one."""
    return shown(text) if text else None
