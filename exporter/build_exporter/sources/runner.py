"""Sources at work beside the exporter: each in a thread of its own, so that none can hold up another or a scrape."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import SourceError

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between looks at a record."""

REST_RATIO = 50.0
"""A look that takes long is followed by a rest so many times as long: a source costs two percent of a core at most."""


class RunningSource:
    """One attached source, looked at again and again until stopped.

    Attributes:
        up: whether the newest look could read the record.
    """

    def __init__(self, attachment: Attachment, clock: Callable[[], float] = time.time) -> None:
        self.up = True
        self._attachment = attachment
        self._clock = clock
        self._told = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    @property
    def name(self) -> str:
        """Kind and build, as shown by `build_exporter_source_up`; a source may learn its build from the record."""
        return f"{self._attachment.source.kind}/{self._attachment.source.build}"

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """End looking soon; a look that hangs is left behind."""
        self._stop.set()

    def _run(self) -> None:
        rest_ratio = 0.0
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                self._attachment.look(self._clock())
            except (SourceError, OSError) as error:
                self._fail(str(error))
            except Exception as error:  # noqa: BLE001 - whatever a source runs into is its own affair
                self._fail(f"{type(error).__name__}: {error}", unexpected=True)
            else:
                if not self.up:
                    log.info("source is back", extra={"source_name": self.name})
                self.up, self._told = True, ""
            took = time.perf_counter() - began
            # the first look reads a whole past; what it costs says nothing of those to come
            self._stop.wait(max(LOOK_SECONDS, took * rest_ratio))
            rest_ratio = REST_RATIO
        self._attachment.close()

    def _fail(self, told: str, *, unexpected: bool = False) -> None:
        self.up = False
        if told != self._told:
            self._told = told
            log.log(
                logging.ERROR if unexpected else logging.WARNING,
                "source cannot be read",
                exc_info=unexpected,
                extra={"source_name": self.name, "error": told},
            )


class SourceRunner:
    """The sources an exporter watches."""

    def __init__(self, attachments: Iterable[Attachment]) -> None:
        self.sources = [RunningSource(attachment) for attachment in attachments]

    def start(self) -> None:
        """Start them all."""
        for source in self.sources:
            source.start()

    def stop(self) -> None:
        """Stop them all."""
        for source in self.sources:
            source.stop()

    def up(self) -> dict[str, bool]:
        """Return whether each can read its record, by name; two of the same name are up when both are."""
        found: dict[str, bool] = {}
        for source in self.sources:
            found[source.name] = found.get(source.name, True) and source.up
        return found
