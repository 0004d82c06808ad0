"""Isolate a plug-in's source: whatever it raises, returns or changes affects only itself."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from build_exporter.model.events import EVENT_TYPES, AnyEvent, Event, encode_line
from build_exporter.model.names import FUTURE_TOLERANCE_SECONDS, MAX_LINE_BYTES, MAX_TIME, is_build_name
from build_exporter.sources.event_lines import lines_of
from build_exporter.sources.protocol import Settings, Source, SourceError, SourceEvent

MAX_EVENTS_PER_POLL: Final = 250_000
"""Most events per poll: twenty years of Portage are some 120,000."""

MAX_ERROR_LENGTH: Final = 300

_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(AnyEvent)


class PluginError(SourceError):
    """A plug-in can't be used, or violated the interface; its text says how."""


class IsolatedSource:
    """A source that raises only `SourceError` and emits only valid events.

    After the plug-in's source has raised or emitted nonsense its state is undefined: the next poll makes a new
    one, which reads the record again.

    Args:
        kind: its name.
        origin: how errors begin: the package and its version.
        make: makes the plug-in's source; called with the first poll.
        settings: what it is made with.
    """

    def __init__(self, kind: str, origin: str, make: Callable[[], Source], settings: Settings) -> None:
        self.kind = kind
        self.build = settings.build or kind
        self.origin = origin
        self._make = make
        self._settings = settings
        self._source: Source | None = None

    def poll(self, now: float, *, over: bool = False) -> Iterator[SourceEvent]:
        """Yield the plug-in's events, each as it will be decoded from the journal.

        Raises:
            SourceError: the plug-in can't read the record, or fails in any way.
        """
        try:
            if self._source is None:
                self._source = self._make()
            yield from self._checked(self._source, now, over)
        except GeneratorExit:
            raise
        except PluginError as error:
            self._source = None
            raise self._error(str(error)) from None
        except SourceError as error:
            raise self._error(str(error)[:MAX_ERROR_LENGTH]) from None
        except BaseException as error:
            self._source = None
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            raise self._error(describe_error(error)) from None

    def _error(self, words: str) -> PluginError:
        return PluginError(words if words.startswith(self.origin) else f"{self.origin}: {words}")

    def _checked(self, source: Source, now: float, over: bool) -> Iterator[SourceEvent]:
        for count, emitted in enumerate(source.poll(now, over=over)):
            if count == MAX_EVENTS_PER_POLL:
                raise PluginError(f"it emitted more than {MAX_EVENTS_PER_POLL} events in one poll")
            if count == 0:
                self._take_name(source)
            elif source.build != self.build:
                raise PluginError(f"it changed the build's name while reading {self.build}")
            yield self._sound(emitted, now)

    def _take_name(self, source: Source) -> None:
        name = source.build
        if not isinstance(name, str) or not is_build_name(name):
            raise PluginError(f"it calls the build {str(name)[:100]!r}, which can't name one")
        if self._settings.build is not None and name != self._settings.build:
            raise PluginError(f"it calls the build {name} instead of {self._settings.build}")
        self.build = name

    def _sound(self, emitted: object, now: float) -> SourceEvent:
        """Return the emitted event if a journal can hold it.

        Raises:
            PluginError: it can't, and why.
        """
        if not isinstance(emitted, tuple) or not 2 <= len(emitted) <= len(SourceEvent._fields):
            raise PluginError(f"it emitted a {type(emitted).__name__} and not SourceEvent(run_start, event)")
        run_start, event, nth, closes = SourceEvent(*emitted)
        if type(event) not in EVENT_TYPES:
            raise PluginError(f"it emitted a {type(event).__name__} and not an event")
        if not isinstance(run_start, int | float) or not 0 <= run_start <= MAX_TIME:
            raise PluginError(f"it emitted a run that began at {str(run_start)[:40]}, which is no time in Unix seconds")
        if not isinstance(nth, int) or nth < 0:
            raise PluginError("it counted an event with what is no whole number")
        if event.build != self.build:
            raise PluginError(f"it emitted an event of {str(event.build)[:100]!r} while reading {self.build}")
        return SourceEvent(run_start, _as_decoded(event, now), nth, bool(closes))


def _as_decoded(event: Event, now: float) -> Event:
    """Return an event as it is when it comes back from the journal.

    Raises:
        PluginError: the journal would not take it, and why.
    """
    try:
        line = encode_line(event)
        found = _decoder.decode(line)
        if len(line) > MAX_LINE_BYTES:
            for _ in lines_of(event):
                pass
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise PluginError(f"it emitted an invalid {type(event).__name__}: {str(error)[:MAX_ERROR_LENGTH]}") from None
    if found.time > now + FUTURE_TOLERANCE_SECONDS:
        raise PluginError(f"it emitted a {type(event).__name__} far ahead of the clock")
    return found


def describe_error(error: BaseException) -> str:
    """Return an exception in few words: its type, its own words and the line it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    words = str(error)[:MAX_ERROR_LENGTH]
    return f"{type(error).__name__}{f': {words}' if words else ''}{place}"
