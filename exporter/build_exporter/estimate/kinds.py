"""Kinds of steps: of all steps of a kind the sources say the same, so that it is worked out once for all of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import exp, isnan, nan
from typing import Final

from build_exporter.estimate.history import History, log_of
from build_exporter.estimate.table import typical_steps
from build_exporter.model.states import DONE, StepState
from build_exporter.tracker import Run, Step, work_seconds
from build_exporter.tracker.names import Name, name_of, package_of

NO_NAME: Final[Name] = ("", "")
ANY: Final = "any"
"""The version of steps that no source knows, where they have one."""


@dataclass(slots=True, eq=False)
class Kind:
    """What distinguishes steps for the sources, and what the steps of it took that are done.

    Attributes:
        name: phase and bare name where an earlier run or the shipped table has it, else `NO_NAME`.
        package, version: where an earlier run has the name. Of steps that no source knows `version` only shows that
            they have one.
        planned_seconds, planned_sbu: figures of the plan.
        taken: logarithms of the seconds of the steps done.
    """

    name: Name
    package: str
    version: str | None
    planned_seconds: float | None
    planned_sbu: float | None
    taken: array[float] = field(default_factory=lambda: array("d"))

    @property
    def is_known(self) -> bool:
        """Whether a source knows such steps by name or figure."""
        return self.name is not NO_NAME or bool(self.planned_seconds or self.planned_sbu)


class Steps:
    """The steps of a run with their kinds.

    Attributes:
        all: every step; `of` has the kind of each, `times` the logarithm of its seconds, NaN unless it succeeded.
        kinds: each kind once.
    """

    def __init__(self, run: Run, history: History) -> None:
        succeeded = StepState.SUCCEEDED
        self.all = list(run.steps.values())
        self.kinds: list[Kind] = []
        self.of = self._sorted_out(history)
        self.times = array("d")
        for step, kind in zip(self.all, self.of, strict=True):
            seconds = nan
            if step.state is succeeded and step.seconds is not None:
                seconds = log_of(work_seconds(run, step) or 0.0)
                kind.taken.append(seconds)
            self.times.append(seconds)

    def _sorted_out(self, history: History) -> list[Kind]:
        """Return the kind of each step, as one object for all steps of a kind."""
        table, known = typical_steps(), history.names
        phases = {phase for phase, _ in (*table, *known)}
        found: dict[tuple[object, ...], Kind] = {}
        of = []
        for step in self.all:
            seconds, sbu = step.expected_seconds or None, step.sbu or None
            name, package, version = NO_NAME, "", None
            if step.phase in phases:
                name = name_of(step.phase, step.step, step.version)
                if name in known:
                    package, version = package_of(name, step.package), step.version
                elif name not in table:
                    name = NO_NAME
            if name is NO_NAME and step.version and not seconds and not sbu:
                version = ANY
            key = (name, package, version, seconds, sbu)
            kind = found.get(key)
            if kind is None:
                kind = found[key] = Kind(*key)
                self.kinds.append(kind)
            of.append(kind)
        return of

    def typical(self) -> Iterator[tuple[Name, float]]:
        """Yield name and seconds of the steps done that the shipped table has."""
        table = typical_steps()
        for kind in self.kinds:
            if kind.name in table:
                yield from ((kind.name, exp(seconds)) for seconds in kind.taken)

    def opened(self) -> list[tuple[Step, Kind]]:
        """Return the steps that run or are to come, in their order."""
        return [(step, kind) for step, kind in zip(self.all, self.of, strict=True) if step.state not in DONE]

    def last_ended(self, most: int) -> list[tuple[Kind, float]]:
        """Return kind and time of the steps that ended last, about as many as `most`, the last one first."""
        ended = [place for place, seconds in enumerate(self.times) if not isnan(seconds)]
        ends = array("d", [step.end or 0.0 for step in self.all])
        if len(ended) > most:
            since = sorted([ends[place] for place in ended])[-most]
            ended = [place for place in ended if ends[place] >= since]
        ended.sort(key=ends.__getitem__, reverse=True)
        return [(self.of[place], self.times[place]) for place in ended]

    def times_of(self, packages: AbstractSet[str]) -> dict[str, list[float]]:
        """Return what the steps done of some packages took, as logarithms."""
        found: dict[str, list[float]] = {}
        for step, seconds in zip(self.all, self.times, strict=True) if packages else ():
            if not isnan(seconds):
                package = package_of(name_of(step.phase, step.step, step.version), step.package)
                if package in packages:
                    found.setdefault(package, []).append(seconds)
        return found
