"""The plan of an emerge: what it has begun, what it is still to merge, and how long that took before.

Where nothing names what is to come (no mtimedb, no `emerge -p`), the count in the log does: what is left
stands as one step.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from build_exporter.model.events import Plan, PlannedStep
from build_exporter.sources.portage.history import MERGE, History
from build_exporter.sources.portage.host_state import HostState
from build_exporter.sources.portage.lines import split_package
from build_exporter.sources.portage.pending import Pending
from build_exporter.sources.portage.session import Session
from build_exporter.tracker.step import UNKNOWN_WEIGHT

UNNAMED: Final = "packages-not-named-yet"
"""The step that stands for what is left."""


class Planner:
    """Emits plans: the whole once, then additions, and the whole again when something is left out."""

    def __init__(self, build: str, history: History, host: HostState) -> None:
        self._build = build
        self._history = history
        self._host = host

    def emit(self, session: Session, time: float, *, ended: bool) -> Plan | None:
        """Return the event for an emerge's plan at `time`; None when nothing is new."""
        self._remember_pending(session, ended=ended)
        steps = self._steps(session, ended=ended)
        if not steps:
            return None
        keys = tuple((step.phase, step.step) for step in steps)
        emitted, session.planned = session.planned, keys
        if emitted is None:
            # an earlier poll, before a restart, may have known more than is left to see: only add to it
            return Plan(time=time, build=self._build, steps=steps, continues=self._host.mtimedb.exists)
        lost = set(emitted) - set(keys)
        if lost or (ended and emitted != keys):
            return Plan(time=time, build=self._build, steps=steps)
        have = set(emitted)
        fresh = [step for step in steps if (step.phase, step.step) not in have]
        if not fresh:
            return None
        unnamed = [step for step in steps if step.step == UNNAMED and step not in fresh]
        return Plan(time=time, build=self._build, steps=[*fresh, *unnamed], continues=True)

    def _steps(self, session: Session, *, ended: bool) -> list[PlannedStep]:
        steps = [
            self._step(session, merge.kind, merge.package, merge.step)
            for merge in session.merges.values()
            if merge.kind
        ]
        if session.pending:
            is_one_root = len({each.root for each in session.pending}) == 1
            for each in session.pending:
                name = each.package if is_one_root else session.step_name(each.package, each.root)
                if name not in session.merges:
                    steps.append(self._step(session, each.kind, each.package, name))
        elif not ended and session.left:
            if self._host.mtimedb.exists:
                # whose list it holds is not clear: rather no plan than one that seems complete
                return []
            steps.append(self._unnamed(session))
        return steps

    def _step(self, session: Session, kind: str, package: str, step: str) -> PlannedStep:
        name, version = split_package(package)
        return PlannedStep(
            phase=kind,
            step=step,
            package=name,
            version=version or None,
            expected_seconds=self._history.expected(kind, name, session.mark),
        )

    def _unnamed(self, session: Session) -> PlannedStep:
        merges = [merge for merge in session.merges.values() if merge.kind]
        known = [self._history.expected(merge.kind, merge.name, session.mark) for merge in merges]
        seconds = [each for each in known if each is not None]
        each = median(seconds) if seconds else UNKNOWN_WEIGHT
        return PlannedStep(phase=MERGE, step=UNNAMED, expected_seconds=round(each * session.left, 3))

    def _remember_pending(self, session: Session, *, ended: bool) -> None:
        seen = {merge.package for merge in session.merges.values()}
        if ended:
            session.pending = [each for each in session.pending if each.package not in seen]
            return
        lists = [*self._host.mtimedb.lists[:1], *self._host.pretended.lists]
        found = next((wanted for wanted in lists if _is_of(session, wanted, seen)), session.pending)
        session.pending = [each for each in found if each.package not in seen]


def _is_of(session: Session, wanted: list[Pending], seen: set[str]) -> bool:
    """Return whether a list is this emerge's: what it merges now is on it, or it is as long as what is left."""
    packages = {each.package for each in wanted}
    if any(merge.package in packages for merge in session.going_on):
        return True
    return not session.going_on and 0 < len(packages - seen) == session.left
