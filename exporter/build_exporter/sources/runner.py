"""Run sources in threads of their own, so that none can delay another or a scrape."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import BuildContext, SourceError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Seconds between polls of a record."""

REST_RATIO = 50.0
"""Rest after a poll, as a multiple of the CPU time it took: a source costs two percent of a core at most. Waiting for a
slow disk or a free core costs none; the rest is then as long as the poll."""

LONGEST_REST_SECONDS = 10.0
"""Whatever a poll took, what happens to the record is known so soon after."""

TIMEOUT_SECONDS = 60.0
"""A poll that runs this long without an event is considered hung."""

WATCH_SECONDS = 1.0
"""Interval of checks for hung sources."""

RELOG_SECONDS = 60.0
"""Least time between two lines of the log on a source whose trouble has other words each time."""

UNRECOGNISED_BYTES = 64 * 1024
"""A file of this size from which no event came is likely to be of another kind."""


class RunningSource:
    """One source, attached and polled in a thread of its own until stopped.

    Args:
        attach: makes the source and where it writes; it may look at the record, which may block.
        label: its name until it is attached.
        clock: the time in Unix seconds.
        timeout: seconds after which a poll without an event is taken to hang.

    Attributes:
        refusal: what `attach` raised.
    """

    def __init__(
        self,
        attach: Callable[[], Attachment],
        label: str = "",
        clock: Callable[[], float] = time.time,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.refusal: Exception | None = None
        self._attach = attach
        self._attachment: Attachment | None = None
        self._is_prepared = threading.Event()
        self._may_poll = threading.Event()
        self._label = label
        self._clock = clock
        self._timeout = timeout
        self._can_read = True
        self._is_unrecognised = False
        self._hangs = False
        self._moved = ((0, 0), time.monotonic())
        self._polls = 0
        self._is_polling = False
        self._logged = ""
        self._logged_at = -RELOG_SECONDS
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    @property
    def name(self) -> str:
        """Kind and build, as shown by `build_exporter_source_up`; a source may learn its build from the record."""
        attachment = self._attachment
        return self._label if attachment is None else f"{attachment.source.kind}/{attachment.source.build}"

    def build_context(self) -> tuple[str, BuildContext] | None:
        """Return the build and where it runs, None if the source does not know."""
        source = self._attachment.source if self._attachment is not None else None
        build_context = getattr(source, "build_context", None)
        return None if source is None or build_context is None else (source.build, build_context())

    @property
    def up(self) -> bool:
        """Whether the newest poll could read the record, and none hangs."""
        return self._can_read and not self._hangs

    def prepare(self) -> None:
        """Start attaching."""
        self._is_polling = True
        self._thread.start()

    def is_prepared(self, seconds: float) -> bool:
        """Wait at most so long for the source to be attached or refused; return whether it is."""
        return self._is_prepared.wait(seconds)

    def start(self) -> None:
        """Start polling, once attached."""
        if self._thread.ident is None:
            self.prepare()
        self._may_poll.set()

    def watch(self) -> None:
        """Check whether a poll hangs; log it once."""
        mark, since = self._moved
        now = time.monotonic()
        newest = (self._polls, self._attachment.taken if self._attachment is not None else 0)
        if not self._is_polling or newest != mark:
            self._moved = (newest, now)
            if self._hangs:
                self._hangs = False
                log.info("source is back", extra={"source_name": self.name})
        elif now - since > self._timeout and not self._hangs:
            self._hangs = True
            whose = getattr(self._attachment and self._attachment.source, "origin", "built in")
            log.warning(
                "source hangs", extra={"source_name": self.name, "origin": whose, "seconds": round(now - since)}
            )

    def stop(self) -> None:
        """Ask the thread to stop; a hung poll is abandoned."""
        self._stop.set()
        self._may_poll.set()

    def _run(self) -> None:
        attachment = self._attached()
        self._is_prepared.set()
        self._may_poll.wait()
        if self.refusal is not None:
            self._is_polling = False
            self._fail(str(self.refusal))
        if attachment is not None:
            self._poll(attachment)
            attachment.close()

    def _attached(self) -> Attachment | None:
        """Return the attachment once its record may be looked at, None when it is refused or the source is stopped."""
        while not self._stop.is_set():
            try:
                self._attachment = self._attach()
            except OSError as error:
                self._fail(_words(error))
            except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
                self.refusal = error
                return None
            else:
                return self._attachment
            self._is_polling = False
            self._is_prepared.set()
            self._stop.wait(LONGEST_REST_SECONDS)
        return None

    def _poll(self, attachment: Attachment) -> None:
        rest_ratio = 0.0
        while not self._stop.is_set():
            began, used = time.perf_counter(), time.thread_time()
            self._polls += 1
            self._is_polling = True
            try:
                attachment.poll(self._clock())
            except (SourceError, OSError) as error:
                self._fail(_words(error))
            except Exception as error:  # noqa: BLE001 - whatever a source runs into is its own affair
                self._fail(f"{type(error).__name__}: {error}", unexpected=True)
            else:
                if not self._can_read:
                    log.info("source is back", extra={"source_name": self.name})
                self._can_read, self._logged = True, ""
                self._look_for_events(attachment)
            finally:
                self._is_polling = False
            took, used = time.perf_counter() - began, time.thread_time() - used
            self._stop.wait(max(POLL_SECONDS, min(LONGEST_REST_SECONDS, max(took, used * rest_ratio))))
            # the first poll that succeeds reads a whole past; what it costs says nothing of those to come
            rest_ratio = REST_RATIO if self._can_read else 0.0

    def _look_for_events(self, attachment: Attachment) -> None:
        """Log once that a long file has given no event."""
        record = attachment.record
        if self._is_unrecognised or attachment.taken or record is None or not record.is_file():
            return
        size = record.stat().st_size
        if size >= UNRECOGNISED_BYTES:
            self._is_unrecognised = True
            log.warning(
                "nothing recognised in a file: is it of this kind?",
                extra={"source_name": self.name, "path": str(record), "bytes": size},
            )

    def _fail(self, message: str, *, unexpected: bool = False) -> None:
        self._can_read = False
        if not self._logged or (message != self._logged and time.monotonic() - self._logged_at > RELOG_SECONDS):
            self._logged, self._logged_at = message, time.monotonic()
            log.log(
                logging.ERROR if unexpected else logging.WARNING,
                "source cannot be read",
                exc_info=unexpected,
                extra={"source_name": self.name, "error": message},
            )


def _words(error: Exception) -> str:
    is_of_file = isinstance(error, OSError) and isinstance(error.filename, str)
    return f"{error.filename}: {error.strerror}" if is_of_file else str(error)  # type: ignore[attr-defined]


class SourceRunner:
    """The sources an exporter watches.

    Args:
        sources: a label for each, and what attaches it.
    """

    def __init__(self, sources: Iterable[tuple[str, Callable[[], Attachment]]]) -> None:
        self.sources = [RunningSource(attach, label) for label, attach in sources]
        self._stop = threading.Event()

    def prepare(self, seconds: float) -> bool:
        """Attach them all; return whether all are attached within so long. The others are when their records answer.

        Raises:
            Exception: what one of them was refused with.
        """
        until = time.monotonic() + seconds
        for source in self.sources:
            source.prepare()
        prepared = [source.is_prepared(max(0.0, until - time.monotonic())) for source in self.sources]
        for source in self.sources:
            if source.refusal is not None:
                raise source.refusal
        return all(prepared)

    def start(self) -> None:
        """Start them all."""
        for source in self.sources:
            source.start()
        if self.sources:
            threading.Thread(target=self._watch, name="sources", daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            for source in self.sources:
                source.watch()

    def stop(self) -> None:
        """Stop them all."""
        self._stop.set()
        for source in self.sources:
            source.stop()

    def build_context(self) -> dict[str, BuildContext]:
        """Return where builds run, for sources that know."""
        return dict(found for source in self.sources if (found := source.build_context()) is not None)

    def up(self) -> dict[str, bool]:
        """Return whether each can read its record, by name; two of the same name are up when both are."""
        found: dict[str, bool] = {}
        for source in self.sources:
            found[source.name] = found.get(source.name, True) and source.up
        return found
