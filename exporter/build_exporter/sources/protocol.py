"""The interface of sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from build_exporter.model.events import Event

API_VERSION: Final = 1
"""Version of what plug-ins rely on, `build_exporter.plugin`; it rises only when something they use is taken away."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A source's settings: the record's path, the build's name if given, and the kind's options.

    The path is made absolute: what a source reports of it must mean the same to whoever reads the journal.
    """

    path: Path
    build: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the path absolute, links left as they are."""
        object.__setattr__(self, "path", self.path.absolute())


class SourceEvent(NamedTuple):
    """An event and the start, in Unix seconds, of the run it belongs to.

    `nth` is for records that hold no times: the event is the nth start, or the nth end, of its step, counted from 1.
    It is known to a run that has seen so many, whatever time it bears. With 0 the event's time decides. Progress may
    say of which attempt it is: progress of an earlier attempt is ignored.
    With `closes` it is recorded only for a known run without an end.
    """

    run_start: float
    event: Event
    nth: int = 0
    closes: bool = False


class BuildContext(NamedTuple):
    """Machine and directories of a build, from its record: returned by a source's optional method `build_context`.

    That method is called from another thread than `poll`, takes nothing, and does no reading of its own.

    Attributes:
        new_system: the top of the system that is being built, on this machine.
        cross_tools: the directory that the tools were installed into which run here and make code for it.
        pids: processes at the root of the build's tree.
    """

    new_system: Path | None = None
    cross_tools: Path | None = None
    pids: tuple[int, ...] = ()


class SourceError(Exception):
    """The record can't be read at the moment; its text says what and why, for one line of the log."""


@runtime_checkable
class JournalAware(Protocol):
    """A source that wants to know the journal it writes to: what earlier runs took is a plan for the next."""

    def remember(self, journal: str) -> None:
        """Learn of the journal's directory, before the first poll."""
        ...


class WithJournal:
    """Base of sources that look at the journal they write to, for earlier runs."""

    _journal: str | None = None

    def remember(self, journal: str) -> None:
        """Learn of the journal's directory."""
        self._journal = journal


class Source(Protocol):
    """Reads one foreign record.

    A new instance emits the record from its beginning; after that each `poll` emits what is new. Times come from
    the record (its dates, the times of its files), never from the time of the poll: so an instance made after a
    restart emits the same events again, and the caller skips what the journal already holds.
    A source only ever reads.
    """

    kind: str
    build: str

    def poll(self, now: float, *, over: bool = False) -> Iterable[SourceEvent]:
        """Return the record's new events in the order in which they happened.

        Args:
            now: Unix seconds, to judge how long something has been silent.
            over: nothing more will come: whatever still runs was interrupted or has failed.

        Raises:
            SourceError: the record can't be read.
        """
        ...
