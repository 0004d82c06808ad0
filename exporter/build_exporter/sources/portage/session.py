"""Emerges that continue at the same time, and which of them a line of emerge.log is of: the lines do not say.

A line is given to the emerge it continues best: by count (`3 of 12` follows `2 of 12`), by package, by what can be
its turn. What a later line shows to have been wrong is put right by `portage_log`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.sources.portage.history import MERGE
from build_exporter.sources.portage.lines import Entry, split_package
from build_exporter.sources.portage.pending import Pending

EXIT_SECONDS: Final = 60.0
"""`*** terminating.` comes within this after `*** exiting`; a later one is another emerge's."""

_JOBS: Final = re.compile(r"(?:--jobs[= ]|-j ?)(\d{1,4})\b")


@dataclass(slots=True, eq=False)
class Merge:
    """One package of an emerge.

    Attributes:
        started: Unix seconds of its first line; `moment` the time that was reported for it.
        next_start: Unix seconds at which the emerge began another package beside it, or after it; None before.
        kind: `merge` or `binary`, empty while unknown.
        status: how it ended, empty while it continues.
        is_locked: whether the emerge has said something that it says only once it has locked the build directory.
        used: what its build has used, as fields of its end.
    """

    step: str
    package: str
    root: str
    started: float
    moment: float
    next_start: float | None = None
    kind: str = ""
    status: str = ""
    is_locked: bool = False
    used: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Category and name: what its history goes by."""
        return split_package(self.package)[0]

    @property
    def phase(self) -> str:
        """The phase in which it is reported."""
        return self.kind or MERGE


@dataclass(slots=True, eq=False)
class Session:
    """One emerge: a run, once it merges something.

    Attributes:
        began: Unix seconds of its first line; `last` of its newest one, `newest` of the newest event.
        is_parallel: whether a package was completed beside which another had begun.
        start: what its run is named by; None while it has merged nothing.
        number, total: the newest `(number of total)`.
        merges: by step name, in the order of their first start; `open` those without an end of their own, by package.
        mark: how much of the history was there before it.
        exited: Unix seconds of its `*** exiting`, with `status`.
        pid: its process where that is known, 0 where it was looked for in vain; begun at `process_began`.
        planned: phase and step of the plan that was emitted; `pending` what it has not begun of its list.
    """

    began: float
    last: float
    command: str = ""
    start: float | None = None
    number: int = 0
    total: int = 0
    root: str = ""
    merges: dict[str, Merge] = field(default_factory=dict)
    open: dict[str, Merge] = field(default_factory=dict)
    mark: int = 0
    is_cleaning: bool = False
    exited: float | None = None
    status: int = 0
    jobs: int | None = None
    pid: int | None = None
    process_began: float = 0.0
    planned: tuple[tuple[str, str], ...] | None = None
    pending: list[Pending] = field(default_factory=list)
    newest: float = 0.0
    is_parallel: bool = False

    def see(self, time: float) -> float:
        """Record a line and return the time of its event: after all before it, even if the clock was set back."""
        self.last = time
        self.newest = time if time >= self.newest else round(self.newest + 0.001, 3)
        return self.newest

    @property
    def left(self) -> int:
        """Number of packages that have not begun."""
        return max(0, self.total - self.number)

    @property
    def going_on(self) -> list[Merge]:
        """The packages whose end has not been emitted."""
        return [merge for merge in self.merges.values() if not merge.status]

    @property
    def is_fresh(self) -> bool:
        """Whether it has merged nothing so far."""
        return self.start is None

    @property
    def is_complete(self) -> bool:
        """Whether all it had to merge was merged."""
        good = all(merge.status == "succeeded" for merge in self.merges.values())
        return bool(self.merges) and good and self.left == 0

    @property
    def target(self) -> str | None:
        """Its arguments, from its command line."""
        words = [word for word in self.command.split() if not word.startswith("-")]
        return " ".join(words)[:MAX_NAME_LENGTH] or None

    @property
    def keeps_going(self) -> bool:
        """Whether it goes on after a failure with what is left, and counts that anew."""
        return "--keep-going" in self.command

    def names(self, package: str) -> bool:
        """Return whether its command line asks for a package by its name."""
        name = split_package(package)[0]
        words = [word.lstrip("<>=~!") for word in self.command.split() if not word.startswith("-")]
        return any(split_package(word.partition(":")[0])[0] in (name, name.partition("/")[2]) for word in words)

    @property
    def reported_jobs(self) -> int | None:
        """Packages it may build at once, from its command line."""
        found = _JOBS.search(self.command)
        return int(found[1]) if found else None

    def step_name(self, package: str, root: str) -> str:
        """Return a step's name: the package, with its root where that is another than the emerge's first."""
        return package if root == (self.root or root) else f"{package} to {root}"[:MAX_NAME_LENGTH]


def session_of_merge(sessions: Sequence[Session], entry: Entry) -> Session | None:
    """Return the emerge that begins a package now; None where there is none."""
    fitting = [(fit, index) for index, session in enumerate(sessions) if (fit := _fit(session, entry))]
    return sessions[max(fitting)[1]] if fitting else None


def session_of_package(sessions: Sequence[Session], entry: Entry) -> Session | None:
    """Return the emerge in which the entry's package continues; None where it does in none."""
    having = [session for session in sessions if entry.package in session.open]
    return max(having, key=lambda s: (s.exited is None, s.total == entry.total, s.last), default=None)


def session_of_exit(sessions: Sequence[Session], status: int) -> Session | None:
    """Return the emerge that ends with a status now."""
    candidates = [session for session in sessions if session.exited is None]
    if status == 0:
        return max(candidates, key=lambda s: (not s.going_on, s.is_cleaning, s.began), default=None)
    return max(candidates, key=lambda s: (s.is_cleaning, s.began), default=None)


def session_of_cleaning(sessions: Sequence[Session]) -> Session | None:
    """Return the emerge that has merged what it could."""
    candidates = [session for session in sessions if not session.is_fresh and session.exited is None]
    return max(candidates, key=lambda s: (not s.going_on and s.left == 0, not s.going_on, s.began), default=None)


def session_of_termination(sessions: Sequence[Session], time: float) -> Session | None:
    """Return the emerge that is gone now: one that said it exits, else one that merged nothing, else any."""

    def turn(session: Session) -> tuple[bool, bool, bool, float]:
        exits = session.exited is not None and abs(time - session.exited) <= EXIT_SECONDS
        return (exits, session.is_fresh, not session.going_on, session.began)

    return max(sessions, key=turn, default=None)


def is_renumbered(session: Session, entry: Entry) -> bool:
    """Return whether a count starts again: after a failure `--keep-going` leaves out what can't be merged any more."""
    return not session.is_fresh and entry.number == 1 and entry.total < session.total


def _fit(session: Session, entry: Entry) -> int:
    if session.exited is not None:
        return 0
    if session.is_fresh:
        return 60 if entry.number == 1 else 10
    if entry.total == session.total:
        if entry.number == session.number + 1:
            return 100
        return 80 if entry.number > session.number else 30
    if is_renumbered(session, entry):
        return 70 if session.keeps_going and entry.total <= session.left + len(session.going_on) else 20
    return 5
