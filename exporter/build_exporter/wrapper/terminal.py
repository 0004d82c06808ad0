"""A pseudo-terminal in place of the real one, so that a logged command still has a terminal."""

from __future__ import annotations

import fcntl
import os
import termios
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Attributes = list[Any]

_INPUT, _OUTPUT, _LOCAL, _CHARACTERS = 0, 1, 3, 6
"""Indices of the flags in the result of `tcgetattr`."""

_SIGNAL_CHARACTERS = (termios.VINTR, termios.VQUIT, termios.VSUSP)
_TIOCSIG = 0x40045436
"""Sends a signal to a pseudo-terminal's foreground group, whoever its processes belong to."""


class PseudoTerminal:
    """A pseudo-terminal as large and as set as the terminal `outer`.

    With `keyboard`, the descriptor of a terminal to read from, what is typed goes to the command. The real terminal
    then leaves everything to the pseudo-terminal except two things, in which it follows the command's settings: which
    keys send signals, for these are meant for the whole job (make and all its recipes), and how output is translated,
    for others of the job may write to it as well.
    """

    def __init__(self, outer: int, keyboard: int = -1) -> None:
        self.outer = outer
        self.keyboard = keyboard
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self._before = self._within = termios.tcgetattr(outer)
        self._mirrored: Attributes = []
        self._taken = False
        # the supervisor lets the terminal go while the copying thread may be following a change
        self._lock = threading.Lock()
        termios.tcsetattr(self.slave, termios.TCSANOW, self._before)
        self.resize()

    def resize(self) -> None:
        """Make the pseudo-terminal as large as the real one; the kernel sends SIGWINCH on a change."""
        try:
            size = fcntl.ioctl(self.outer, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        except OSError:
            # the terminal has hung up
            pass

    def update(self) -> bool:
        """Follow the command's settings; return whether line feeds come with a carriage return put before them."""
        try:
            inner = termios.tcgetattr(self.master)
        except termios.error:
            return False
        with self._lock:
            if self._taken:
                self._follow(inner)
        return bool(inner[_OUTPUT] & termios.OPOST and inner[_OUTPUT] & termios.ONLCR)

    def take(self) -> bool:
        """Read the keyboard from now on if the job is in the foreground; return whether it may be read."""
        with self._lock:
            try:
                if not self._taken and os.tcgetpgrp(self.keyboard) == os.getpgrp():
                    self._before = termios.tcgetattr(self.keyboard)
                    self._mirrored = []
                    self._taken = True
                if self._taken:
                    self._follow(termios.tcgetattr(self.master))
            except (OSError, termios.error):
                self._taken = False
            return self._taken

    def release(self, *, ended: bool = False) -> None:
        """Put the real terminal back: as it was, or when the command has `ended`, as the command left its own."""
        with self._lock:
            if not self._taken:
                return
            self._taken = False
            settings = self._before
            try:
                inner = termios.tcgetattr(self.master)
                if ended and inner != self._within:
                    settings = inner
                if os.tcgetpgrp(self.keyboard) == os.getpgrp():
                    termios.tcsetattr(self.keyboard, termios.TCSANOW, settings)
            except (OSError, termios.error):
                # hung up
                pass

    def read_keyboard(self) -> bytes:
        """Return what has been typed; empty when the terminal has hung up or gone to another job."""
        try:
            typed = os.read(self.keyboard, 4096)
        except OSError:
            typed = b""
        if not typed:
            with self._lock:
                self._taken = False
        return typed

    def type(self, typed: bytes) -> bytes:
        """Hand typed bytes to the command; return those it can't take yet."""
        try:
            return typed[os.write(self.master, typed) :]
        except BlockingIOError:
            return typed
        except OSError:
            return b""

    def send(self, number: int) -> bool:
        """Signal the pseudo-terminal's foreground group; return whether that was possible."""
        try:
            fcntl.ioctl(self.master, _TIOCSIG, number)
        except OSError:
            try:
                os.killpg(os.tcgetpgrp(self.master), number)
            except OSError:
                return False
        return True

    def _follow(self, inner: Attributes) -> None:
        characters = [inner[_CHARACTERS][index] for index in _SIGNAL_CHARACTERS]
        wanted = [inner[_OUTPUT], inner[_LOCAL] & termios.ISIG, *characters]
        if wanted == self._mirrored:
            return
        outer = [*self._before[:_CHARACTERS], list(self._before[_CHARACTERS])]
        outer[_INPUT] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.INPCK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        outer[_OUTPUT] = inner[_OUTPUT]
        silent = termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN | termios.ISIG
        outer[_LOCAL] = outer[_LOCAL] & ~silent | inner[_LOCAL] & termios.ISIG
        outer[_CHARACTERS][termios.VMIN] = 1
        outer[_CHARACTERS][termios.VTIME] = 0
        for index, character in zip(_SIGNAL_CHARACTERS, characters, strict=True):
            outer[_CHARACTERS][index] = character
        termios.tcsetattr(self.keyboard, termios.TCSANOW, outer)
        self._mirrored = wanted
