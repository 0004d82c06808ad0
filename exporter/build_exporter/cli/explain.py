"""`build-exporter explain`: why a step failed, from the journal and its log; needs no running exporter."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from build_exporter.cli.folded import folded
from build_exporter.cli.options import config_option, load_config, recorded_journal_option
from build_exporter.cli.output import print_json, stop
from build_exporter.cli.query_source import served_elsewhere
from build_exporter.failures import Card, card
from build_exporter.failures.step_log import last_lines
from build_exporter.formatting import clock_time, count_of, duration
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import nearest_names
from build_exporter.model.states import FailureClass, StepState
from build_exporter.model.text import plain_line
from build_exporter.monitor import read_newest
from build_exporter.queries.commands.errors import ErrorRow, errors
from build_exporter.queries.context import Context
from build_exporter.queries.request import Request
from build_exporter.queries.run_reader import JournalRuns
from build_exporter.sources.registry import kinds
from build_exporter.tracker import Run, Step, Tracker

NO_LOG: Final = "none is known; BE_LOG_DIR=DIR has the hook keep one for each step, --log FILE has `run`"


@click.command()
@click.argument("step", required=False)
@recorded_journal_option
@click.option("--build", metavar="NAME", help="Of this build; without it the one that failed last.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@config_option("Configuration file, for its failure rules.")
def explain(step: str | None, journal: str, build: str | None, output: str, config_path: str | None) -> None:
    """Explain why a step failed: the reason, the lines around it, and what to do.

    STEP is the name of a failed step, or phase/step; without it the one that failed last of those whose cause is
    known. The log is read again, so the answer needs no running exporter. Exits with 1 when
    nothing fails now: it then says what failed earlier in the run.

    \b
    Example:
      build-exporter explain 810-gcc --build lfs-12.4
    """
    configure_logging("warn", "logfmt")
    load_config(config_path)
    tracker = read_newest(journal)
    runs = [b.current for b in tracker.builds.values() if b.current is not None and build in (None, b.name)]
    if build is not None and not runs:
        if (elsewhere := served_elsewhere(journal, build)) is not None:
            stop("explain", f"no build {build}: {elsewhere}")
        stop("explain", f"no build {build} in {journal}; there are: {nearest_names(build, list(tracker.builds))}")
    found = _failed(runs, step)
    if found is None:
        if (elsewhere := served_elsewhere(journal)) is not None:
            stop("explain", elsewhere)
        if step is not None and not any(_is_named(each, step) for run in runs for each in run.steps.values()):
            if step in tracker.builds:
                stop("explain", f"{step} is a build, no step: build-exporter explain --build {step}")
            known = {_as_named(each, step) for run in runs for each in run.steps.values()}
            stop("explain", f"no step {step}; there are: {nearest_names(step, known)}")
        click.echo("null" if output == "json" else folded("\n".join(_repaired(journal, tracker, build, step))))
        raise SystemExit(1)
    made = card(*found, last_lines(journal, *found))
    if output == "json":
        print_json(made)
    else:
        # of a watched build somebody else decides where its output goes
        no_log = "none is known" if found[0].source in kinds() else NO_LOG
        click.echo(folded("\n".join(_lines(made, time.time(), no_log))))


def _failed(runs: list[Run], name: str | None) -> tuple[Run, Step] | None:
    """Return the step of that name that failed, or the one that failed last: those that only follow come after."""
    failed = [(run, step) for run in runs for step in run.failed.values() if name is None or _is_named(step, name)]
    return max(failed, key=lambda pair: (_has_cause(pair[1]), pair[1].end or 0.0), default=None)


def _repaired(journal: str, tracker: Tracker, build: str | None, name: str | None) -> Iterator[str]:
    """Yield what failed in the newest runs, of one step or of all, where none of it fails now."""
    request = Request(Context(tracker.builds, time.time()), journal, build, events=JournalRuns(journal, tracker).events)
    failed = (row for row in errors(request).rows if isinstance(row, ErrorRow))
    rows = [row for row in failed if name in (None, row.step, f"{row.phase}/{row.step}")]
    if not rows:
        yield "nothing has failed" if name is None else f"{plain_line(name)} has not failed"
        return
    if name is None:
        yield f"nothing fails now; {count_of(len(rows), 'attempt')} failed earlier, the last of them:"
    last = rows[0]
    run = tracker.builds[last.build].current
    step = run.steps.get((last.phase, last.step)) if run is not None else None
    state = step.state if step is not None else StepState.PENDING
    since = "has succeeded since" if state is StepState.SUCCEEDED else f"is {state.label} now"
    yield f"{last.build}: {last.phase}/{last.step} failed {clock_time(last.time)}, attempt {last.attempt}; it {since}"
    yield f"  class      {last.error_class}"
    if last.message:
        yield f"  reason     {last.message}"
    if last.log:
        yield f"  log file   {last.log}"
    yield f"  all        build-exporter errors --build {last.build}"


def _has_cause(step: Step) -> bool:
    return step.error_class != FailureClass.OTHER or bool(step.message)


def _is_named(step: Step, name: str) -> bool:
    return name in (step.step, f"{step.phase}/{step.step}")


def _as_named(step: Step, name: str) -> str:
    return f"{step.phase}/{step.step}" if "/" in name else step.step


def _lines(made: Card, now: float, no_log: str) -> Iterator[str]:
    attempt = f", attempt {made.attempt}" if made.attempt > 1 else ""
    since = f" {duration(now - made.since)} ago ({clock_time(made.since)})" if made.since is not None else ""
    yield click.style(f"{made.build}: {made.phase}/{made.step} failed{since}{attempt}", bold=True)
    yield f"  class      {click.style(made.class_, fg='red')}"
    yield f"  reason     {made.reason}"
    if made.location is not None:
        yield f"  place      {made.location}"
    ended = [f"exit code {made.exit_code}"] if made.exit_code is not None else []
    ended += [made.signal] if made.signal is not None else []
    if ended:
        yield f"  ended      {', '.join(ended)}"
    if made.context:
        yield "  log"
        yield from (f"    {line}" for line in made.context)
    for text in (each for each in made.evidence if each not in ended):
        yield f"  evidence   {text}"
    if made.hint is not None:
        yield f"  hint       {made.hint}"
    if made.blocked_steps:
        wait = "waits" if made.blocked_steps == 1 else "wait"
        yield f"  blocked    {count_of(made.blocked_steps, 'step')} {wait} for it"
    yield f"  log file   {_log_file(made.log) if made.log else no_log}"
    if made.page is not None:
        yield f"  page       {made.page}"


def _log_file(path: str) -> str:
    try:
        Path(path).stat()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return path if os.access(path, os.R_OK) else f"{path}: {os.strerror(errno.EACCES)}"
