"""Copies the command's output to where it went without the wrapper, and into a log."""

from __future__ import annotations

import os
import select
import threading

from build_exporter.wrapper.record import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.terminal import PseudoTerminal

CHUNK_BYTES = 64 * 1024

_LEFT_OVER_BYTES = 2 * 1024 * 1024
"""How much is still taken from a stream after the command has ended: more than a pipe can hold is someone else's."""

_TERMINAL_POLL_SECONDS = 0.5
"""How soon a terminal is taken when the wrapper's job comes to the foreground: shells do not tell a running job."""


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

    Whatever happens to the log, the output goes on; where the output's reader has gone, the command is told as it
    would be without the wrapper, by SIGPIPE.
    """

    def __init__(self, streams: list[Stream], log: int, log_name: str) -> None:
        super().__init__(name="tee", daemon=True)
        self._streams = streams
        self._log = log
        self._log_name = log_name
        self._keyboard = next((s.terminal for s in streams if s.terminal and s.terminal.keyboard >= 0), None)
        self._typed = b""
        self._ended = False
        self._woken, self._wake = os.pipe()

    def wake(self) -> None:
        """Have the terminal's state looked at again."""
        os.write(self._wake, b"\0")

    def finish(self) -> None:
        """Copy what the command left in its streams and end; call once the command has ended."""
        self._ended = True
        self.wake()
        self.join()
        for stream in self._streams:
            self._write_log(stream.carry)

    def run(self) -> None:
        """Copy until `finish` is called."""
        while not self._ended:
            for descriptor, events in self._poll():
                if descriptor == self._woken:
                    os.read(self._woken, 64)
                elif self._keyboard and descriptor == self._keyboard.keyboard:
                    self._typed += self._keyboard.read_keyboard()
                else:
                    self._serve(descriptor, events)
        for stream in list(self._streams):
            taken = 0
            while stream in self._streams and taken < _LEFT_OVER_BYTES and _is_readable(stream.source):
                taken += self._copy(stream)

    def _poll(self) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for stream in self._streams:
            poll.register(stream.source, select.POLLIN)
        if self._keyboard is None:
            return poll.poll()
        if self._typed:
            # one chunk at a time: who types faster than the command reads must wait, as at any terminal
            poll.register(self._keyboard.master, select.POLLIN | select.POLLOUT)
        elif self._keyboard.take():
            poll.register(self._keyboard.keyboard, select.POLLIN)
        return poll.poll(_TERMINAL_POLL_SECONDS * 1000)

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
            # how Linux tells that nobody holds a pseudo-terminal any more
            data = b""
        if not data:
            self._streams.remove(stream)
            return 0
        taken = len(data)
        is_translated = stream.terminal is not None and stream.terminal.look()
        if is_translated:
            # the terminal outside adds the carriage returns again
            data = data.replace(b"\r\n", b"\n")
        self._pass_on(stream, data)
        if is_translated or stream.carry:
            data = stream.carry + data
            stream.carry = b"\r" if data.endswith(b"\r") else b""
            data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
        self._write_log(data)
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
