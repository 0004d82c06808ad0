"""Record a step in the journal, and warn the user once when the journal can't be written."""

from __future__ import annotations

import os

from build_exporter.journal.append import Writer
from build_exporter.journal.layout import JOURNAL_VARIABLE, RUN_FILE_VARIABLE, default_journal, pid_namespace
from build_exporter.wrapper.event_line import event_line
from build_exporter.wrapper.pressure import machine_waits, waits_since
from build_exporter.wrapper.run_file import BUILD_VARIABLE, find_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.options import Options
    from build_exporter.wrapper.run_file import RunFile

_INTERRUPTING = (1, 2, 15)
"""SIGHUP, SIGINT, SIGTERM: someone ended the command, it did not fail."""


class Outcome:
    """Result of the command and resources used by it and all its waited-for descendants.

    `exit_code` follows shells, 128 + n after a signal n; times in seconds, sizes in bytes, -1 where not known.
    """

    __slots__ = (
        "cpu_seconds",
        "error_class",
        "exit_code",
        "gave_up",
        "max_rss_bytes",
        "message",
        "read_bytes",
        "seconds",
        "signal",
        "termination_requested",
        "written_bytes",
    )

    def __init__(self, wait_status: int) -> None:
        code = os.waitstatus_to_exitcode(wait_status)
        self.signal = max(0, -code)
        self.exit_code = code if code >= 0 else 128 - code
        self.seconds = self.cpu_seconds = 0.0
        self.max_rss_bytes = self.read_bytes = self.written_bytes = -1
        self.termination_requested = self.gave_up = False
        self.message = self.error_class = ""

    @property
    def status(self) -> str:
        """The step's status; a command that fails after it was asked to end has been interrupted."""
        if self.exit_code == 0:
            return "succeeded"
        # a shell whose command died of a signal exits with 128 + n itself
        is_signal_code = self.exit_code - 128 in _INTERRUPTING and not self.gave_up
        return "interrupted" if is_signal_code or (self.termination_requested and not self.signal) else "failed"


class Record:
    """The events of one wrapped command, in one run file; what cannot be written is kept for later."""

    def __init__(self, options: Options, now: float) -> None:
        self._options = options
        self._writer: Writer | None = None
        self._pending = b""
        self._run: RunFile | None = None
        self._waits: dict[str, float] = {}
        try:
            self._run = run = find_run(options, now)
        except OSError as error:
            complain(f"journal {error.filename or options.journal or default_journal()}: {error.strerror}")
            return
        self._writer = Writer(run.path)
        if run.begins:
            self._append(
                event_line(
                    {
                        "time": now,
                        "event": "build_started",
                        "build": run.build,
                        "run": run.run,
                        "source": "run",
                        "target": options.target or None,
                        "jobs": options.jobs,
                        "pid": os.getpid(),
                        "pid_namespace": pid_namespace(),
                    }
                )
            )
        run.unlock()
        if not self._pending:
            os.environ[RUN_FILE_VARIABLE] = run.path
            os.environ[BUILD_VARIABLE] = run.build
            if options.journal:
                os.environ[JOURNAL_VARIABLE] = os.path.abspath(options.journal)  # noqa: PTH100

    def started(self, now: float, pid: int) -> None:
        """Record the step's start, as process `pid`, at `now` in Unix seconds."""
        if self._run is None or self._options.no_step:
            return
        options = self._options
        self._waits = machine_waits()
        self._append(
            event_line(
                {
                    **self._step(now, "step_started"),
                    "package": options.package or None,
                    "version": options.version or None,
                    "log": os.path.abspath(options.log) if options.log else None,  # noqa: PTH100
                    "pid": pid,
                    "pid_namespace": pid_namespace(),
                }
            )
        )

    def finished(self, now: float, outcome: Outcome) -> None:
        """Record the step's end, and for a whole build the run's, in one write."""
        if self._run is None:
            return
        lines = b""
        if not self._options.no_step:
            lines = event_line(
                {
                    **self._step(now, "step_finished"),
                    "status": outcome.status,
                    "exit_code": outcome.exit_code,
                    "signal": outcome.signal or None,
                    "seconds": round(outcome.seconds, 6),
                    "cpu_seconds": round(outcome.cpu_seconds, 6),
                    "max_rss_bytes": _known(outcome.max_rss_bytes),
                    "read_bytes": _known(outcome.read_bytes),
                    "written_bytes": _known(outcome.written_bytes),
                    **waits_since(self._waits),
                    "error_class": outcome.error_class or None,
                    "message": outcome.message or None,
                }
            )
        if self._run.whole:
            lines += event_line(
                {"time": now, "event": "build_finished", "build": self._run.build, "status": outcome.status}
            )
        if lines:
            self._append(lines)
        self._keep(now)

    def _step(self, now: float, event: str) -> dict[str, str | int | float | None]:
        assert self._run is not None
        build = self._run.build
        phase, step = self._options.phase_name, self._options.step_name
        return {"time": now, "event": event, "build": build, "phase": phase, "step": step}

    def _append(self, lines: bytes) -> None:
        if self._writer is None:
            return
        complained = bool(self._pending)
        self._pending += lines
        try:
            self._writer.append_lines(self._pending)
        except OSError as error:
            # tried again with the next event
            if not complained:
                complain(f"journal {self._writer.path}: {error.strerror}")
            _remove_empty(self._writer.path)
            self._writer.close()
        else:
            self._pending = b""

    def _keep(self, now: float) -> None:
        """Keep what could not be written until the end."""
        if self._pending and self._run is not None:
            from build_exporter.journal.spool import keep  # noqa: PLC0415 - needed where the journal failed alone

            keep(self._run.path, self._pending, now)


def _remove_empty(path: str) -> None:
    """Remove a run's file that nothing could be written to: it would stand for a newer run than the last one is."""
    try:
        if os.stat(path).st_size == 0:  # noqa: PTH116
            os.unlink(path)  # noqa: PTH108
    except OSError:
        pass


def complain(what: str) -> None:
    """Report on standard error, in one line, what the wrapper continues without."""
    line = f"build-exporter run: {what}; going on without it\n"
    try:  # noqa: SIM105 - contextlib would take a millisecond to load
        os.write(2, line.encode("utf-8", "surrogateescape"))
    except OSError:
        pass


def _known(value: int) -> int | None:
    return value if value >= 0 else None
