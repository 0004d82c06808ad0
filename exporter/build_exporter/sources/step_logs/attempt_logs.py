"""Read the logs of one attempt: the one that the step names, and those that its builder writes beside it.

Each line is read once. A log that starts again makes all readers start again, with all logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from build_exporter.sources.files import TailFile
from build_exporter.sources.jhalfs.step_tests import runs_tests, script_of, test_log
from build_exporter.sources.step_logs.growth import TASK_WORDS
from build_exporter.sources.step_logs.progress import LogProgress
from build_exporter.sources.step_logs.reader import Reader
from build_exporter.sources.step_logs.scan import LineScan, Near, last_lines, plain, word_count
from build_exporter.sources.step_logs.suites import SuiteReader

LAST_LINES: Final = 20
"""Lines at a log's end in which a counter is searched: the newest counts."""

MAX_READ_BYTES: Final = 512 * 1024 * 1024
"""Bytes read of one log."""

STALE_SECONDS: Final = 2.0
"""A log beside that was not written to since so long before the attempt began is of an earlier one."""

ROUNDS: Final = 3
"""Most restarts of a log handled within one poll; the next poll continues."""

MayRead = Callable[[Path], bool]
"""Return whether a file may be read for the attempt's run; raises OSError where there is none."""


class AttemptLogs:
    """Reads the logs of one attempt.

    Attributes:
        path: the log that the step names.
        readers: what they are read by.
        runs_tests: whether the step's script keeps what tests print.
        behind: whether there was more than the last poll was to read.
    """

    def __init__(
        self,
        make_readers: Callable[[], list[Reader]],
        path: Path,
        step: str,
        start: float | None,
        *,
        skip: bool = False,
    ) -> None:
        """Begin with nothing read.

        Args:
            make_readers: returns new readers.
            path: the log that the step names.
            step: the step's name.
            start: when the attempt began, in Unix seconds; None where a log beside may be older.
            skip: pass over what is in the log at the first poll: it is of other steps.
        """
        self.path = path
        self.readers = make_readers()
        self.runs_tests = False
        self.behind = False
        self._make_readers = make_readers
        self._beside = test_log(path)
        self._step = step
        self._start = start
        self._skip = skip
        self._skipped = 0
        self._files: dict[Path, TailFile] = {}
        self._is_script_read = False

    @property
    def read_bytes(self) -> int:
        """Bytes of the step's own log that have been read."""
        file = self._files.get(self.path)
        return file.position - self._skipped if file is not None else 0

    def read(self, may_read: MayRead, *, over: bool, share: int | None = None) -> bool:
        """Read what is new, of each log at most about `share` bytes; return whether the step's own may be read.

        Raises:
            OSError: the step's own log can't be read.
        """
        self.behind = False
        if not may_read(self.path):
            return False
        self._read_step_script(may_read)
        for _ in range(ROUNDS):
            if self._read_all(may_read, over=over, share=share):
                break
            self.readers = self._make_readers()
            self._files.clear()
            self._skip, self._skipped = False, 0
        return True

    def _read_all(self, may_read: MayRead, *, over: bool, share: int | None) -> bool:
        """Read every log; return whether none began again that had been read before."""
        if not self._read_file(self.path, self.readers, over=over, share=share):
            return False
        beside = self._beside
        if beside is None:
            return True
        readers = [reader for reader in self.readers if isinstance(reader, SuiteReader)]
        try:
            return not self._is_fresh(beside, may_read) or self._read_file(beside, readers, over=over, share=share)
        except OSError:
            # there is not always one
            return True

    def _is_fresh(self, path: Path, may_read: MayRead) -> bool:
        changed = path.stat(follow_symlinks=False).st_mtime
        return may_read(path) and (self._start is None or changed >= self._start - STALE_SECONDS)

    def _read_file(self, path: Path, readers: Sequence[Reader], *, over: bool, share: int | None) -> bool:
        file = self._files.get(path)
        is_new = file is None
        if file is None:
            file = TailFile(path, follow_links=False)
        more = True
        began = file.position
        while more and file.position < MAX_READ_BYTES:
            if share is not None and file.position - began >= share:
                self.behind = True
                break
            read = file.read_block(over=over)
            if read.from_start and not is_new:
                return False
            self._files[path] = file
            more, is_new = read.more, False
            if self._skip and path == self.path:
                self._skip, self._skipped = more, file.position
                continue
            if read.data:
                _feed(read.data, readers, is_newest=not more)
        return True

    def _read_step_script(self, may_read: MayRead) -> None:
        if self._is_script_read:
            return
        self._is_script_read = True
        try:
            script = script_of(self.path, self._step)
            self.runs_tests = script is not None and may_read(script) and runs_tests(script)
        except OSError:
            return


def _feed(block: bytes, readers: Sequence[Reader], *, is_newest: bool = True) -> None:
    """Give readers the lines of a block that they want, and progress the number of its tasks.

    Of the newest block it gets the last lines, too.
    """
    block = plain(block)
    kinds = tuple(map(type, readers))
    suites = next((reader for reader in readers if isinstance(reader, SuiteReader)), None)
    if suites is not None:
        suites.feed_block()
    for line, words in LineScan(_words(kinds)).lines(block, lambda: suites is not None and suites.is_busy):
        wanting = _wanting(kinds, words)
        for place, reader in enumerate(readers):
            if place in wanting or reader.is_busy:
                reader.feed(line, words)
    for each in readers:
        if isinstance(each, LogProgress):
            each.feed_block(word_count(TASK_WORDS).count(block), last_lines(block, LAST_LINES) if is_newest else ())


@cache
def _words(kinds: tuple[type[Reader], ...]) -> tuple[bytes, ...]:
    """Return the words of kinds of readers."""
    return tuple(dict.fromkeys(word for kind in kinds for word in words_of(kind)))


@lru_cache(1024)
def _wanting(kinds: tuple[type[Reader], ...], words: Near) -> frozenset[int]:
    """Return which of the readers want a line that may hold some words."""
    return frozenset(place for place, kind in enumerate(kinds) if not words_of(kind).isdisjoint(words))


@cache
def words_of(kind: type[Reader]) -> frozenset[bytes]:
    """Return the words of a kind of readers."""
    words: tuple[bytes, ...] = getattr(kind, "WORDS")  # noqa: B009 - a property of the protocol
    return frozenset(words)
