"""Copy the command's output to its original destination and into a log."""

from __future__ import annotations

import os
import select
import threading

from build_exporter.wrapper.record import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.terminal import PseudoTerminal

CHUNK_BYTES = 64 * 1024

_CATCH_UP_SECONDS = 0.5

_UNFINISHED_LINE_SECONDS = 0.1
"""Seconds to wait for the rest of a line, so that no other stream's lines come between."""

_LONGEST_LINE_BYTES = 1024 * 1024

_LEFT_OVER_BYTES = 2 * 1024 * 1024
"""Bytes still read after the command has ended: what exceeds a pipe's capacity is someone else's."""

_TERMINAL_POLL_SECONDS = 0.5
"""Seconds between checks whether the wrapper's job is in the foreground: shells do not notify a running job."""


class Stream:
    """Output on its way from `source` to `destination` and the log; `terminal` where the source is one."""

    __slots__ = ("carry", "destination", "source", "terminal")

    def __init__(self, source: int, destination: int, terminal: PseudoTerminal | None = None) -> None:
        self.source = source
        self.destination = destination
        self.terminal = terminal
        self.carry = b""


class Tee(threading.Thread):
    """Moves the output, and from a terminal the input, until the command has ended.

    Whatever happens to the log, the output continues; where the output's reader has gone, the command learns it as it
    would be without the wrapper, by SIGPIPE.
    """

    def __init__(self, streams: list[Stream], log: int, log_name: str) -> None:
        super().__init__(name="tee", daemon=True)
        self._streams = streams
        self._every_stream = tuple(streams)
        self._log = log
        self._log_name = log_name
        self._keyboard = next((s.terminal for s in streams if s.terminal and s.terminal.keyboard >= 0), None)
        self._typed = b""
        self._ended = False
        self._behind = False
        self._caught_up = threading.Event()
        self._woken, self._wake = os.pipe()

    def wake(self) -> None:
        """Have the terminal's state checked again."""
        os.write(self._wake, b"\0")

    def catch_up(self) -> None:
        """Copy what the command has written so far, before the terminal goes to another job."""
        self._caught_up.clear()
        self._behind = True
        self.wake()
        # a terminal held by Ctrl-S takes nothing: then the rest comes later
        self._caught_up.wait(_CATCH_UP_SECONDS)

    def finish(self) -> None:
        """Copy what the command left in its streams and end; call once the command has ended."""
        self._ended = True
        self.wake()
        self.join()

    def run(self) -> None:
        """Copy until `finish` is called."""
        while not self._ended:
            ready = self._poll()
            if not ready:
                self._write_carried()
            for descriptor, events in ready:
                if descriptor == self._woken:
                    os.read(self._woken, 64)
                elif self._keyboard and descriptor == self._keyboard.keyboard:
                    self._typed += self._keyboard.read_keyboard()
                else:
                    self._serve(descriptor, events)
            if self._behind:
                self._copy_rest()
                self._behind = False
                self._caught_up.set()
        self._copy_rest()
        self._write_carried()

    def _copy_rest(self) -> None:
        for stream in list(self._streams):
            taken = 0
            while stream in self._streams and taken < _LEFT_OVER_BYTES and _is_readable(stream.source):
                taken += self._copy(stream)

    def _poll(self) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for stream in self._streams:
            poll.register(stream.source, select.POLLIN)
        waits = _UNFINISHED_LINE_SECONDS if any(stream.carry for stream in self._every_stream) else None
        if self._keyboard is None:
            return poll.poll(waits and waits * 1000)
        if self._typed:
            # one chunk at a time: who types faster than the command reads must wait, as at any terminal
            poll.register(self._keyboard.master, select.POLLIN | select.POLLOUT)
        elif self._keyboard.take():
            poll.register(self._keyboard.keyboard, select.POLLIN)
        return poll.poll((waits or _TERMINAL_POLL_SECONDS) * 1000)

    def _write_carried(self) -> None:
        for stream in self._every_stream:
            self._write_log(stream.carry)
            stream.carry = b""

    def _serve(self, descriptor: int, events: int) -> None:
        if events & select.POLLOUT and self._keyboard:
            self._typed = self._keyboard.type(self._typed)
        if events & ~select.POLLOUT:
            for stream in list(self._streams):
                if stream.source == descriptor:
                    self._copy(stream)

    def _copy(self, stream: Stream) -> int:
        """Move one chunk of a stream; return its bytes, 0 when the stream has ended."""
        try:
            data = os.read(stream.source, CHUNK_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            # Linux's sign that a pseudo-terminal is closed
            data = b""
        if not data:
            self._streams.remove(stream)
            return 0
        taken = len(data)
        is_translated = stream.terminal is not None and stream.terminal.update()
        if is_translated:
            # the terminal outside adds the carriage returns again
            data = data.replace(b"\r\n", b"\n")
        self._pass_on(stream, data)
        self._write_log(_whole_lines(stream, data, is_translated=is_translated))
        return taken

    def _pass_on(self, stream: Stream, data: bytes) -> None:
        if stream.destination < 0:
            return
        try:
            _write_all(stream.destination, data)
        except OSError:
            stream.destination = -1
            if stream.terminal is None:
                os.close(stream.source)
                self._streams.remove(stream)

    def _write_log(self, data: bytes) -> None:
        if self._log < 0 or not data:
            return
        try:
            _write_all(self._log, data)
        except OSError as error:
            complain(f"log {self._log_name}: {error.strerror}")
            self._log = -1


def _whole_lines(stream: Stream, data: bytes, *, is_translated: bool) -> bytes:
    """Return the lines that may go to the log; the stream carries on the last one's beginning."""
    data = stream.carry + data
    end = data.rfind(b"\n") + 1 if len(data) < _LONGEST_LINE_BYTES else len(data)
    stream.carry = data[end:]
    return data[:end].replace(b"\r\n", b"\n") if is_translated else data[:end]


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # someone else set the shared file non-blocking
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
