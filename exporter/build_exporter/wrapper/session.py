"""Run a command in its own session on a pseudo-terminal, with Ctrl-Z, fg and bg working."""

from __future__ import annotations

import fcntl
import os
import termios

from build_exporter.wrapper.record import Outcome
from build_exporter.wrapper.signals import FROM_KERNEL, OF_TERMINAL, STOPS, signal
from build_exporter.wrapper.supervise import Supervisor, figures_of, is_stopped, outcome_of, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.launch import Launch
    from build_exporter.wrapper.tee import Tee
    from build_exporter.wrapper.terminal import PseudoTerminal

_KEYS = frozenset((signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP))


class Session:
    """The processes of a command on a pseudo-terminal.

    A terminal belongs to a session, and the kernel does not let a session's only group be stopped. So a leader,
    which only waits and reports, stands between the wrapper and the command.
    """

    def __init__(self, launch: Launch, terminal: PseudoTerminal, descriptors: dict[int, int]) -> None:
        self._reports, report = os.pipe()
        self._rest = b""
        self.leader = os.fork()
        if self.leader == 0:
            try:
                os.close(self._reports)
                _lead(launch, terminal.slave, descriptors, report)
            finally:
                os._exit(1)
        os.close(report)
        received = self._read()
        # without a report the leader could not start the command
        self.pid = int(received[0][0]) if received else self.leader
        os.set_blocking(self._reports, False)

    def reports(self) -> list[tuple[float, ...]]:
        """Return the leader's reports since the last call: wait status, CPU seconds, kB, blocks read, written."""
        return self._read()

    def _read(self) -> list[tuple[float, ...]]:
        try:  # noqa: SIM105 - contextlib would take a millisecond to load
            self._rest += os.read(self._reports, 4096)
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        return [tuple(map(float, line.split())) for line in lines]


class SessionSupervisor(Supervisor):
    """Waits for a command in a session of its own, which no signal of the real terminal reaches by itself."""

    def __init__(self, session: Session, terminal: PseudoTerminal, tee: Tee) -> None:
        super().__init__(session.pid)
        self._session = session
        self._terminal = terminal
        self._tee = tee

    def _reap(self) -> Outcome | None:
        outcome = None
        ended, leader_status = os.waitpid(self._session.leader, os.WNOHANG)
        for status, *usage in self._session.reports():
            if os.WIFSTOPPED(int(status)):
                self._child_stopped(os.WSTOPSIG(int(status)))
            else:
                outcome = outcome_of(int(status), usage)
        if outcome is None and ended:
            # someone killed the leader alone: how the command ends, no one will know
            outcome = Outcome(leader_status)
        elif outcome is not None and not ended:
            # its account, with the command's in it, comes to ours by this
            os.waitpid(self._session.leader, 0)
        return outcome

    def _pass_on(self, received: signal.struct_siginfo) -> None:
        number = received.si_signo
        from_terminal = received.si_code == FROM_KERNEL and number in OF_TERMINAL
        if number in STOPS and from_terminal:
            self._stop_seen = number
        if number == signal.SIGWINCH:
            self._terminal.resize()
        elif number == signal.SIGCONT:
            self._resume()
        elif number in _KEYS and from_terminal:
            self._terminal.send(number)
        elif number == signal.SIGHUP or not from_terminal:
            send(self.pid, number)

    def _child_stopped(self, number: int) -> None:
        if self._stop_seen == 0 and number in STOPS:
            # it stopped its own job, as an editor does on request: that job is the wrapper's here
            self._suspend(number, 0)
        else:
            super()._child_stopped(number)

    def _suspend(self, number: int, whom: int) -> None:
        self._tee.catch_up()
        self._terminal.release()
        super()._suspend(number, whom)

    def _resume(self) -> None:
        self._terminal.resize()
        # before the command writes: the settings it left must be the real terminal's again
        self._terminal.take()
        self._tee.wake()
        if is_stopped(self.pid):
            send(-self.pid, signal.SIGCONT)


def _lead(launch: Launch, slave: int, descriptors: dict[int, int], report: int) -> None:
    """Become the session's leader, start the command in its foreground and report what becomes of it."""
    wrapper = os.getppid()
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        launch.become(descriptors)
    launch.leave()
    os.setpgid(pid, pid)
    os.tcsetpgrp(slave, pid)
    os.write(report, b"%d\n" % pid)
    while True:
        _, status, usage = os.wait4(pid, os.WUNTRACED)
        os.write(report, " ".join(map(str, (status, *figures_of(usage)))).encode() + b"\n")
        if not os.WIFSTOPPED(status):
            os._exit(Outcome(status).exit_code)
        send(wrapper, signal.SIGCHLD)
