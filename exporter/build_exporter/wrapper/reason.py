"""Find the reason of a failed command, only once it has failed: a command that succeeds pays nothing for it."""

from __future__ import annotations

import os

from build_exporter.wrapper.record import complain
from build_exporter.wrapper.resources import proc_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.record import Outcome

TAIL_BYTES = 1024 * 1024
"""Bytes read from the end of the log."""


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it began; 0 where it does not say."""
    return max(_counted(proc_file("/proc/vmstat")), _counted(proc_file(_memory_events())))


def explain_safely(outcome: Outcome, log: str, kills_before: int) -> None:
    """Explain, and should that fail, go on without: a fault of the wrapper must not become one of the build."""
    try:
        explain(outcome, log, kills_before)
    except Exception as error:  # noqa: BLE001
        complain(f"the reason: {error!r}")


def explain(outcome: Outcome, log: str, kills_before: int) -> None:
    """Set message and class of a command that has failed, from the end of its log and how it ended."""
    from build_exporter.diagnostics.diagnosis import diagnose  # noqa: PLC0415 - only who fails needs it

    lines = [outcome.message] if outcome.message else _last_lines(log)
    if outcome.status == "interrupted":
        outcome.gave_up = not outcome.signal and _gave_up(lines)
        if not outcome.gave_up:
            return
    code = None if outcome.signal else outcome.exit_code
    found = diagnose(lines, exit_code=code, signal=outcome.signal)
    outcome.message = outcome.message or (found.reason if lines else "")
    outcome.error_class = found.error_class
    kills = oom_kills() - kills_before
    if found.error_class == "killed" and kills > 0:
        outcome.error_class = "out-of-memory"
        outcome.message = f"{outcome.message} (the kernel killed {kills} for want of memory)"


def _gave_up(lines: list[str]) -> bool:
    """Tell whether ninja ended because a command did, whose exit code it hands on since 1.12: 130, 143 or 129.

    Of a command that ended by a signal or with 130 it says "interrupted by user"; without a terminal nobody was there.
    """
    last = next((line for line in reversed(lines) if line.strip()), "")
    said = last.partition("build stopped: ")[2]
    return said.startswith("subcommand failed") or (said.startswith("interrupted by user") and not os.isatty(0))


def _last_lines(log: str) -> list[str]:
    if not log:
        return []
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return []
    try:
        begin = max(0, os.fstat(descriptor).st_size - TAIL_BYTES)
        return os.pread(descriptor, TAIL_BYTES, begin).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    finally:
        os.close(descriptor)


def _memory_events() -> str:
    group = proc_file("/proc/self/cgroup").rpartition(b"0::")[2].partition(b"\n")[0].decode("utf-8", "surrogateescape")
    return f"/sys/fs/cgroup{group}/memory.events"


def _counted(text: bytes) -> int:
    found = text.partition(b"oom_kill ")[2].partition(b"\n")[0]
    return int(found) if found.isdigit() else 0
