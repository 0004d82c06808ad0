"""Signals of the wrapper and its child: block, restore, and die of one."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    try:
        # the same functions without the enum classes, whose loading would be a quarter of all the wrapper costs
        import _signal as signal
    except ImportError:
        import signal

__all__ = ["FROM_KERNEL", "OF_TERMINAL", "STOPS", "Dispositions", "die_of", "signal", "watch"]

FROM_KERNEL = 0x80
"""`si_code` of a signal that no process sent: one of the terminal goes to the whole foreground group."""

STOPS = frozenset((signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
OF_TERMINAL = STOPS | {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT}

_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
_WATCHED = frozenset(int(number) for number in signal.valid_signals()) - _FAULTS - {signal.SIGKILL, signal.SIGSTOP}


class Dispositions:
    """Signal dispositions of the bare command, restored in the child before exec."""

    __slots__ = ("_child_ignored", "_mask", "_reset")

    def __init__(self, mask: set[int]) -> None:
        self._mask = mask
        self._reset = () if _inherits_ignored_pipe() else (signal.SIGPIPE,)
        self._child_ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
        if self._child_ignored:
            # else the kernel would reap the command itself and no one learn how it ended
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def restore(self) -> None:
        """Put this process's signals back as they were when the wrapper was started."""
        for number in (*self._reset, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if self._child_ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def watch() -> Dispositions:
    """Hold back every signal that can be, for `sigtimedwait` to take; return what the child needs to undo it."""
    return Dispositions({int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)})


def next_signal(seconds: float) -> signal.struct_siginfo | None:
    """Return the next signal held back, None if none comes in time."""
    return signal.sigtimedwait(_WATCHED, max(0.0, seconds))


def die_of(number: int) -> None:
    """End this process by a signal, without a core of its own; returns only if the signal does not kill."""
    import resource  # noqa: PLC0415 - only here

    try:
        # one byte rather than none: with none, a program that takes cores would still be called
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (1 if hard != 0 else 0, hard))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    except (OSError, ValueError):
        pass
    os.kill(os.getpid(), number)


def _inherits_ignored_pipe() -> bool:
    """Return whether SIGPIPE was ignored before Python came to ignore it itself, which nothing records.

    The parent decides: a shell or service that ignores it passes that on. One that ignores SIGXFSZ as well is taken for
    Python, which ignores both and gives its children neither.
    """
    try:
        descriptor = os.open(f"/proc/{os.getppid()}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        received = os.read(descriptor, 8192).partition(b"\nSigIgn:")[2].split(maxsplit=1)
        ignored = int(received[0], 16) if received else 0
    except (OSError, ValueError):
        return False
    finally:
        os.close(descriptor)
    return bool(ignored >> (signal.SIGPIPE - 1) & 1) and not ignored >> (signal.SIGXFSZ - 1) & 1
