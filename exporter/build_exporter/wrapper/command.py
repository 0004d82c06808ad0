"""The entry point of `build-exporter run`."""

from __future__ import annotations

import os
import time

from build_exporter.wrapper.launch import Launch
from build_exporter.wrapper.options import UsageError, parse
from build_exporter.wrapper.reason import explain_safely, oom_kills
from build_exporter.wrapper.record import Record
from build_exporter.wrapper.signals import die_of, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from build_exporter.wrapper.options import Options
    from build_exporter.wrapper.record import Outcome
    from build_exporter.wrapper.signals import Dispositions


def run(arguments: list[str]) -> None:
    """Run what follows the word `run` on the command line and exit as it does; returns only if help is asked for.

    Wrong use ends the process with code 2 and one line on standard error.
    """
    try:
        options = parse(arguments)
    except UsageError as error:
        line = f"build-exporter run: {error} (see build-exporter run --help)\n"
        os.write(2, line.encode("utf-8", "surrogateescape"))
        os._exit(2)
    if not options.help:
        _exit_as(_run(options))


def _run(options: Options) -> Outcome:
    _keep_standard_descriptors_apart()
    dispositions = watch()
    _undo_locale_coercion()
    record = Record(options, time.time())
    kills = oom_kills()
    outcome = _run_with_log(options, dispositions, record) if options.log else None
    if outcome is None:
        outcome = _run_without_log(options, dispositions, record)
    ended = time.time()
    if outcome.status == "failed" or (outcome.status == "interrupted" and not outcome.termination_requested):
        explain_safely(outcome, options.log, kills)
    record.finished(ended, outcome)
    return outcome


def _run_with_log(options: Options, dispositions: Dispositions, record: Record) -> Outcome | None:
    """Run the command with a log; return None, having started nothing, if there can be none."""
    from build_exporter.wrapper.output_log import open_log, redirect, run_with_log  # noqa: PLC0415 - the quick way has no use

    log = open_log(options.log)
    redirection = redirect() if log >= 0 else None
    if redirection is None:
        options.log = ""
        return None
    return run_with_log(options, dispositions, record, log, redirection)


def _run_without_log(options: Options, dispositions: Dispositions, record: Record) -> Outcome:
    launch = Launch(options.command, dispositions)
    pid = os.fork()
    if pid == 0:
        launch.become({})
    record.started(time.time(), pid)
    began = time.monotonic()
    launch.go()
    _release_standard_descriptors()

    # the command is running: what is loaded from here on delays no one
    from build_exporter.wrapper.resources import MemoryPeak, account  # noqa: PLC0415
    from build_exporter.wrapper.supervise import Supervisor, outlive  # noqa: PLC0415

    peak = MemoryPeak(pid)
    outcome = outlive(lambda: Supervisor(pid).wait(peak), pid)
    account(outcome, peak, began)
    outcome.message = launch.error()
    return outcome


def _exit_as(outcome: Outcome) -> NoReturn:
    if outcome.signal:
        # whoever waits sees what it would have seen: a shell's loop ends on Ctrl-C, $? is 128 + n
        die_of(outcome.signal)
    # nothing is left to flush or to free, and tearing an interpreter down takes milliseconds
    os._exit(outcome.exit_code)


def _keep_standard_descriptors_apart() -> None:
    """Fill closed standard descriptors, or the journal would become the command's output; it gets them closed."""
    while True:
        descriptor = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if descriptor > 2:
            os.close(descriptor)
            return


def _release_standard_descriptors() -> None:
    """Leave input and output to the command alone: when it closes one, whoever is at the other end learns of it."""
    descriptor = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(descriptor, 0)
    os.dup2(descriptor, 1)


def _undo_locale_coercion() -> None:
    """Take back the LC_CTYPE that Python sets for itself, and for its children, where there is only the C locale."""
    if os.environ.get("LC_CTYPE", "") not in ("C.UTF-8", "C.utf8", "UTF-8"):
        return
    try:
        descriptor = os.open("/proc/self/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # as it was when the process began
        before = b"\0"
        while block := os.read(descriptor, 65536):
            before += block
    except OSError:
        return
    finally:
        os.close(descriptor)
    if b"\0LC_CTYPE=" not in before:
        del os.environ["LC_CTYPE"]
