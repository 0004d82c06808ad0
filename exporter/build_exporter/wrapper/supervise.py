"""Supervise the command: wait, pass signals both ways, job control."""

from __future__ import annotations

import os
import time

from build_exporter.wrapper.record import Outcome, complain
from build_exporter.wrapper.resources import proc_file
from build_exporter.wrapper.signals import FROM_KERNEL, OF_TERMINAL, STOPS, next_signal, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Iterable

    from build_exporter.wrapper.resources import MemoryPeak

_GROUP_LAG_SECONDS = 0.05
"""Seconds by which the wrapper may get a signal later than the child, if it was sent to both."""

_BLOCK_BYTES = 512
"""Unit of getrusage's block counts."""

TERMINATING_SIGNALS = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


class Supervisor:
    """Waits for a command that shares the wrapper's process group, so has every signal of the terminal by itself."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.termination_requested = False
        self._stop_seen = 0

    def wait(self, peak: MemoryPeak) -> Outcome:
        """Return how the command ended, having passed on what was sent to the wrapper alone."""
        next_poll = time.monotonic()
        while True:
            received = next_signal(next_poll - time.monotonic())
            if received is None:
                next_poll = time.monotonic() + peak.sample()
            elif received.si_signo == signal.SIGCHLD:
                outcome = self._reap()
                if outcome is not None:
                    outcome.termination_requested = self.termination_requested
                    return outcome
            else:
                self.termination_requested |= received.si_signo in TERMINATING_SIGNALS
                self._pass_on(received)

    def _reap(self) -> Outcome | None:
        """Handle a state change of the command; return its outcome if it has ended."""
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return None
            if not os.WIFSTOPPED(status):
                return outcome_of(status, figures_of(usage))
            self._child_stopped(os.WSTOPSIG(status))

    def _pass_on(self, received: signal.struct_siginfo) -> None:
        number = received.si_signo
        if number in STOPS:
            self._stop_seen = number
        if number == signal.SIGCONT:
            self._stop_seen = 0
            self._resume()
            return
        # only the session leader gets SIGHUP for a lost terminal
        from_terminal = received.si_code == FROM_KERNEL and number in OF_TERMINAL and not _leads_session(number)
        # a command that signals its whole group has had its own
        if not from_terminal and received.si_pid not in (self.pid, os.getpid()):
            send(self.pid, number)

    def _child_stopped(self, number: int) -> None:
        """Stop as the command did, for the shell to see, unless it was stopped alone and no shell's job is this one.

        Below make, say, no one would wake the wrapper when the command is woken.
        """
        is_job = os.getpgrp() == os.getpid()
        stopped_together = self._stop_seen == number or (number in STOPS and _take(number))
        if is_job or stopped_together:
            self._suspend(number, os.getpid())

    def _resume(self) -> None:
        """Wake the command, if the shell has not woken it with the rest of the job."""
        if is_stopped(self.pid):
            send(self.pid, signal.SIGCONT)

    def _suspend(self, number: int, whom: int) -> None:
        """Stop this process, or with `whom` 0 its whole group, by a signal; wake the command when it continues."""
        self._stop_seen = 0
        # the shell may have seen others of the job stop, and woken it all before this one had
        if signal.sigtimedwait((signal.SIGCONT,), 0) is None:
            if number != signal.SIGSTOP:
                # one that still waits would stop it a second time
                signal.sigtimedwait((number,), 0)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
            os.kill(whom, number)
            signal.pthread_sigmask(signal.SIG_BLOCK, (number,))
            signal.sigtimedwait((signal.SIGCONT,), 0)
        self._resume()


def figures_of(usage: resource.struct_rusage) -> tuple[float, ...]:
    """Return CPU seconds, peak memory in kB, blocks read and blocks written."""
    return (usage.ru_utime + usage.ru_stime, usage.ru_maxrss, usage.ru_inblock, usage.ru_oublock)


def outcome_of(status: int, figures: Iterable[float]) -> Outcome:
    """Return an outcome from a wait status and the figures of `figures_of`."""
    outcome = Outcome(status)
    cpu_seconds, max_rss_kilobytes, blocks_read, blocks_written = figures
    outcome.cpu_seconds = cpu_seconds
    outcome.max_rss_bytes = int(max_rss_kilobytes) * 1024
    outcome.read_bytes = int(blocks_read) * _BLOCK_BYTES
    outcome.written_bytes = int(blocks_written) * _BLOCK_BYTES
    return outcome


def outlive(wait: Callable[[], Outcome], pid: int) -> Outcome:
    """Return the result of `wait`; if it fails, report it and wait for the process without it.

    A fault of the wrapper must not become one of the build.
    """
    try:
        return wait()
    except Exception as error:  # noqa: BLE001
        complain(f"measuring: {error!r}")
        return Outcome(os.waitpid(pid, 0)[1])


def send(pid: int, number: int) -> None:
    """Send a signal, to a process group where `pid` is negative; nothing happens if there is no such process."""
    try:  # noqa: SIM105 - contextlib would take a millisecond to load
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        # gone, or another user's (sudo): there the bare command could not have been reached either
        pass


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped; False if it is gone."""
    return proc_file(f"/proc/{pid}/stat").rpartition(b")")[2].lstrip().startswith(b"T")


def _leads_session(number: int) -> bool:
    return number == signal.SIGHUP and os.getsid(0) == os.getpid()


def _take(number: int) -> bool:
    return signal.sigtimedwait((number,), _GROUP_LAG_SECONDS) is not None
