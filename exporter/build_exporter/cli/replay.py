"""`build-exporter replay`: replay a recorded run to see the exporter and its dashboards at work."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

import click

from build_exporter.cli.options import journal_option
from build_exporter.cli.output import stop
from build_exporter.formatting import duration
from build_exporter.journal.append import Writer
from build_exporter.journal.current import make_run
from build_exporter.journal.layout import run_path
from build_exporter.model.events import BuildFinished, encode_line
from build_exporter.model.names import is_build_name, run_name
from build_exporter.replay import Log, logs_of, read_recording, replayed

_TICK = 0.5
"""Seconds between looks at the logs that are written while nothing else happens."""


class _EndedError(Exception):
    """The replay was asked to stop."""


def _end(number: int, frame: FrameType | None) -> None:
    # once is enough: the end itself must not be interrupted
    signal.signal(number, signal.SIG_IGN)
    raise _EndedError


def _run_file(journal: str, build: str, begin: float, *, new: bool) -> str:
    """Return the file of the run to write: one of its own where it happens now, the recorded one as history."""
    if not new:
        return run_path(journal, build, run_name(begin))
    Path(journal, build).mkdir(parents=True, exist_ok=True)
    return make_run(journal, build, begin)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@journal_option
@click.option("--speed", type=click.FloatRange(min=0.001, max=1e6), default=1.0, show_default=True, metavar="N",
              help="How many times as fast as recorded.")  # fmt: skip
@click.option("--build", metavar="NAME", help="Name of the build it becomes. Default: as recorded.")
@click.option("--logs", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIRECTORY",
              help="The recorded logs. Default: `logs` beside FILE.")  # fmt: skip
@click.option("--keep-times", is_flag=True, help="Write all lines at once with their recorded times, as history.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def replay(
    file: Path, journal: str, speed: float, build: str | None, logs: Path | None, keep_times: bool, quiet: bool
) -> None:
    """Write a recorded run into the journal again, as if it happened now.

    Logs of its steps are written again too, beside the run, and grow while the steps run. Ended early, by Ctrl-C or
    SIGTERM, it leaves the run as interrupted.

    \b
    build-exporter replay examples/recorded/mini-lfs/*.jsonl --speed 60
    """
    try:
        recording = read_recording(file)
    except ValueError as error:
        stop("", str(error), 1)
    if recording.unreadable and not quiet:
        click.echo(f"{recording.unreadable} lines of {file} are no events and left out", err=True)
    name = build or recording.build
    if not is_build_name(name):
        stop("", f"{name!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    begin = recording.start if keep_times else time.time()
    try:
        writer = Writer(_run_file(journal, name, begin, new=not keep_times))
    except OSError as error:
        stop("", f"{error.filename or journal}: {error.strerror}", 1)
    run = Path(writer.path).stem
    if not quiet:
        click.echo(f"{name}, run {run}: {duration(recording.seconds / speed)} at {speed:g} times the speed", err=True)
    if keep_times:
        speed = 1.0
    found = logs_of(recording, logs or file.parent / "logs", Path(writer.path).with_suffix(".logs").absolute(), speed)
    paths = {name: log.recorded.absolute() if keep_times else log.copy for name, log in found.items()}
    recording = replace(recording, logs=paths)
    growing = [] if keep_times else list(found.values())
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    now = begin
    try:
        with click.progressbar(
            replayed(recording, name, run, begin, speed), length=len(recording.lines), label=name, hidden=quiet
        ) as bar:
            started = time.monotonic()
            for due, line in bar:
                if not keep_times:
                    _wait(started, due, growing)
                now = begin + due
                writer.append_lines(line)
    except _EndedError:
        writer.append(
            encode_line(BuildFinished(time=now if keep_times else time.time(), build=name, status="interrupted"))
        )
        raise SystemExit(130) from None
    except OSError as error:
        stop("", f"{error.filename or writer.path}: {error.strerror}", 1)


def _wait(started: float, due: float, growing: list[Log]) -> None:
    """Wait until so many seconds have passed, while the logs grow."""
    while True:
        passed = min(due, time.monotonic() - started)
        for log in growing:
            log.grow(passed)
        if passed >= due:
            return
        time.sleep(min(_TICK, due - passed))
