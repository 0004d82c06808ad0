"""Check whether disk and memory suffice for the steps to come, before they start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from build_exporter.analysis.samples import identity
from build_exporter.model.states import StepState
from build_exporter.tracker import Key, Run, RunSummary, Step, expected_seconds, step_progress

RECENT: Final = 3
"""Newest earlier runs that are searched for a step's need."""
MAX_SHORTAGES: Final = 20

Resource = Literal["disk", "memory"]
Basis = Literal["history", "plan"]


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A step that will not fit.

    `needed_bytes` is what it needs, `available_bytes` what there will be when it starts, `short_bytes` the difference;
    `in_seconds` is when it should start, null where that is not known. `basis` names where the need comes from.
    """

    phase: str
    step: str
    needed_bytes: int
    available_bytes: int
    short_bytes: int
    in_seconds: float | None
    basis: Basis
    advice: str


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the running steps and those to come fit; `shortages` in the order of the plan, the first comes first.

    `known_steps` is how many of the `steps` have a known need. `largest_bytes` is the most that one of them needs.
    """

    resource: Resource
    available_bytes: int
    steps: int
    known_steps: int
    largest_bytes: int | None
    shortages: list[Shortage]


@dataclass(frozen=True, slots=True)
class Need:
    """Space a step needs while it runs, and what it leaves behind (negative: it frees space); bytes."""

    peak: int
    stays: int
    basis: Basis


def disk_needs(history: Sequence[RunSummary]) -> dict[Key, Need]:
    """Return the disk space of steps in the newest earlier run that recorded it, by `identity`."""
    found: dict[Key, Need] = {}
    for summary in sorted(history, key=lambda each: each.run)[-RECENT:]:
        usage = [(identity(key), used) for key, used in summary.usage.items()]
        for (name, used), (_, later) in zip(usage, [*usage[1:], ("", None)], strict=False):
            level, next_before = used.disk_before_bytes, later.disk_before_bytes if later is not None else None
            stays = next_before - level if next_before is not None and level is not None else 0
            if used.disk_bytes is not None or stays:
                found[name] = Need(used.disk_bytes or 0, stays, "history")
    return found


class _Scale:
    """Ratio of this run's needs to those known: of the same package if it was built before, else of all steps."""

    def __init__(self, run: Run, known: Mapping[Key, Need]) -> None:
        self._sums: dict[str | None, list[int]] = {None: [0, 0]}
        for step in list(run.steps.values()) if known else ():
            taken = step.disk_bytes
            need = known.get(identity(step.key)) if taken is not None else None
            if need is None or not need.peak or taken is None:
                continue
            for name in (None, _package(step)):
                mine = self._sums.setdefault(name, [0, 0])
                mine[0] += taken
                mine[1] += need.peak

    def of(self, step: Step, need: Need) -> Need:
        """Return a need as this run's own measurements suggest it."""
        mine, theirs = self._sums.get(_package(step), self._sums[None])
        return Need(round(need.peak * mine / theirs), need.stays, need.basis) if mine and theirs else need


def _package(step: Step) -> str:
    return (step.package or identity(step.key)[1]).partition("-pass")[0]


def fit_disk(run: Run, history: Sequence[RunSummary], free_bytes: int, now: float, reserve_bytes: int = 0) -> Fit:
    """Return whether the disk has room for each step to come.

    Args:
        run: the run.
        history: summaries of earlier runs.
        free_bytes: what is free now; what running steps have taken of their need so far is given back in the account.
        now: Unix seconds.
        reserve_bytes: what must stay free.
    """
    known = disk_needs(history)
    scale = _Scale(run, known)
    taken = sum(
        (step_progress(run, step, now) or 0.0) * need.peak
        for step in list(run.running.values())
        if (need := _disk_need(step, known, scale)) is not None
    )
    level = free_bytes + round(taken) - reserve_bytes
    account = _Account("disk", free_bytes)
    for step, seconds in _coming(run, now):
        need = _disk_need(step, known, scale)
        account.check(step, need, level, seconds, "free space, or move the build to a larger file system")
        level -= need.stays if need is not None else 0
    return account.fit()


def memory_needs(history: Sequence[RunSummary], jobs: int | None) -> dict[Key, Need]:
    """Return what steps needed of memory in earlier runs, by `identity`: their peak, times how many more jobs run."""
    found: dict[Key, Need] = {}
    for summary in sorted(history, key=lambda each: each.run)[-RECENT:]:
        times = max(1.0, jobs / summary.jobs) if jobs and summary.jobs else 1.0
        for key, used in summary.usage.items():
            if used.max_rss_bytes is not None:
                name = identity(key)
                before = found[name].peak if name in found else 0
                found[name] = Need(max(before, round(used.max_rss_bytes * times)), 0, "history")
    return found


def fit_memory(run: Run, history: Sequence[RunSummary], available_bytes: int, now: float) -> Fit:
    """Return whether memory is enough for each step to come, at the jobs the run uses."""
    jobs = run.jobs_used
    known = memory_needs(history, jobs)
    account = _Account("memory", available_bytes)
    for step, seconds in _coming(run, now):
        need = known.get(identity(step.key)) or _planned(step.planned_memory_bytes)
        advice = "add swap, or close what else uses memory"
        if need is not None and jobs is not None and jobs > 1:
            advice = (
                f"build it with -j{max(1, int(jobs * available_bytes / need.peak))} instead of -j{jobs}, or add swap"
            )
        account.check(step, need, available_bytes, seconds, advice)
    return account.fit()


def _disk_need(step: Step, known: Mapping[Key, Need], scale: _Scale) -> Need | None:
    need = known.get(identity(step.key))
    return scale.of(step, need) if need is not None else _planned(step.planned_disk_bytes)


def _planned(figure: int | None) -> Need | None:
    return Need(figure, 0, "plan") if figure else None


def _coming(run: Run, now: float) -> Iterator[tuple[Step, float | None]]:
    """Yield the running steps and those to come, in order, with the seconds until each should start."""
    ahead: float | None = 0.0
    for step in list(run.steps.values()):
        if step.state.is_done:
            continue
        running = step.state is StepState.RUNNING
        yield step, 0.0 if running else ahead
        expected = expected_seconds(run, step)
        gone = now - step.start if running and step.start is not None else 0.0
        ahead = None if ahead is None or expected is None else ahead + max(0.0, expected - gone)


class _Account:
    """Collects the shortages."""

    def __init__(self, resource: Resource, available: int) -> None:
        self._resource = resource
        self._available = available
        self._needs: list[int] = []
        self._steps = 0
        self._found: list[Shortage] = []

    def check(self, step: Step, need: Need | None, level: int, seconds: float | None, advice: str) -> None:
        """Count a step, and note it where it needs more than there will be."""
        self._steps += 1
        if need is None or not need.peak:
            return
        self._needs.append(need.peak)
        if need.peak > level and len(self._found) < MAX_SHORTAGES:
            self._found.append(
                Shortage(
                    phase=step.phase,
                    step=step.step,
                    needed_bytes=need.peak,
                    available_bytes=max(0, level),
                    short_bytes=need.peak - max(0, level),
                    in_seconds=seconds,
                    basis=need.basis,
                    advice=advice,
                )
            )

    def fit(self) -> Fit:
        """Return the result."""
        return Fit(
            resource=self._resource,
            available_bytes=self._available,
            steps=self._steps,
            known_steps=len(self._needs),
            largest_bytes=max(self._needs, default=None),
            shortages=self._found,
        )
