"""Run a command with a copy of its output in a log."""

from __future__ import annotations

import os
import termios
import time

from build_exporter.wrapper.launch import Launch
from build_exporter.wrapper.record import complain
from build_exporter.wrapper.resources import MemoryPeak, account
from build_exporter.wrapper.session import Session, SessionSupervisor
from build_exporter.wrapper.signals import signal
from build_exporter.wrapper.supervise import Supervisor, outlive, send
from build_exporter.wrapper.tee import Stream, Tee
from build_exporter.wrapper.terminal import PseudoTerminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.options import Options
    from build_exporter.wrapper.record import Outcome, Record
    from build_exporter.wrapper.signals import Dispositions


class Redirection:
    """Descriptors the command gets in place of its standard ones, and where their streams go.

    A terminal is replaced by a pseudo-terminal, anything else by a pipe. With input and output on a terminal the
    command gets a session of its own on that; with output alone it keeps the real terminal for signals and prompts.
    """

    def __init__(self) -> None:
        self.descriptors: dict[int, int] = {}
        self.streams: list[Stream] = []
        self.terminals: list[PseudoTerminal] = []
        self.session_terminal: PseudoTerminal | None = None
        if os.isatty(0) and os.isatty(1) and _same(0, 1):
            self.session_terminal = self._by_terminal(1, keyboard=0)
            self.descriptors[0] = self.descriptors[1]
        elif _is_open(1):
            self._replace(1)
        if _is_open(2) and _same(1, 2):
            self.descriptors[2] = self.descriptors[1]
        elif _is_open(2):
            self._replace(2)

    def close_command_ends(self) -> None:
        """Leave the ends the command writes to, to the command."""
        for descriptor in set(self.descriptors.values()):
            os.close(descriptor)

    def _replace(self, descriptor: int) -> None:
        if os.isatty(descriptor):
            self._by_terminal(descriptor)
            return
        source, self.descriptors[descriptor] = os.pipe()
        self.streams.append(Stream(source, descriptor))

    def _by_terminal(self, descriptor: int, keyboard: int = -1) -> PseudoTerminal:
        terminal = PseudoTerminal(descriptor, keyboard)
        self.descriptors[descriptor] = terminal.slave
        self.terminals.append(terminal)
        self.streams.append(Stream(terminal.master, descriptor, terminal))
        return terminal


class _Resizing(Supervisor):
    """Waits for a command that writes to a pseudo-terminal while the real one signals it."""

    def __init__(self, pid: int, terminals: list[PseudoTerminal]) -> None:
        super().__init__(pid)
        self._terminals = terminals

    def _pass_on(self, received: signal.struct_siginfo) -> None:
        super()._pass_on(received)
        if received.si_signo == signal.SIGWINCH and self._terminals:
            for terminal in self._terminals:
                terminal.resize()
            # what it had from the real terminal may have come before the new size
            send(self.pid, signal.SIGWINCH)


def open_log(path: str) -> int:
    """Return a descriptor of the truncated log, or -1 after reporting why there is none."""
    try:
        # appending: should two commands share a log, they do not write over each other
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
        return os.open(path, flags, 0o644)
    except OSError as error:
        complain(f"log {path}: {error.strerror}")
        return -1


def redirect() -> Redirection | None:
    """Return pipes and pseudo-terminals in place of the command's output, None after reporting why there are none."""
    try:
        return Redirection()
    except (OSError, termios.error) as error:
        complain(f"log: {error}")
        return None


def run_with_log(
    options: Options, dispositions: Dispositions, record: Record, log: int, redirection: Redirection
) -> Outcome:
    """Run the command with a copy of its output in `log`; return how it ended."""
    launch = Launch(options.command, dispositions)
    terminal = redirection.session_terminal
    session = None
    if terminal:
        session = Session(launch, terminal, redirection.descriptors)
        pid = session.pid
    else:
        pid = os.fork()
        if pid == 0:
            launch.become(redirection.descriptors)
    redirection.close_command_ends()
    tee = Tee(redirection.streams, log, options.log)
    if terminal:
        terminal.take()
    tee.start()
    record.started(time.time(), pid)
    began = time.monotonic()
    launch.go()
    peak = MemoryPeak(pid)
    if session and terminal:
        supervisor: Supervisor = SessionSupervisor(session, terminal, tee)
    else:
        supervisor = _Resizing(pid, redirection.terminals)
    outcome = outlive(lambda: supervisor.wait(peak), session.leader if session else pid)
    # before the copying thread ends: the kernel keeps its account apart, the log is none of the command's I/O
    account(outcome, peak, began)
    tee.finish()
    if terminal:
        terminal.release(ended=True)
    outcome.message = launch.error()
    return outcome


def _is_open(descriptor: int) -> bool:
    # what stands in for a closed one is not inherited
    return os.get_inheritable(descriptor)


def _same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino, first.st_rdev) == (second.st_dev, second.st_ino, second.st_rdev)
