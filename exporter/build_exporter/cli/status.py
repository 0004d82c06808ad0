"""`build-exporter status`: where the builds are, read from the journal; needs no running exporter."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Iterator
from typing import Any

import click
import msgspec
from msgspec import to_builtins

from build_exporter.cli.folded import folded
from build_exporter.cli.options import is_default_journal, output_option, recorded_journal_option
from build_exporter.cli.output import print_json, stop
from build_exporter.cli.progress import begin_frame
from build_exporter.cli.query_http import UnreachableError
from build_exporter.cli.query_source import served_elsewhere
from build_exporter.cli.status_analysis import analysis_lines
from build_exporter.cli.status_sources import source_summary
from build_exporter.cli.status_verdicts import Verdicts, ask_exporter, nobody
from build_exporter.estimate import Estimator
from build_exporter.failures import card, excerpt
from build_exporter.failures.step_log import last_lines
from build_exporter.formatting import clock_time, count_of, duration, percent, size
from build_exporter.journal.follow import Follower
from build_exporter.journal.layout import SYSTEM_JOURNAL, builds, pid_namespace
from build_exporter.liveness import mark_writer
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import nearest_names
from build_exporter.model.states import BuildState, StepState
from build_exporter.model.text import plain_line
from build_exporter.monitor import read_again
from build_exporter.queries.build import sources_of
from build_exporter.queries.rates import rate, success_ratio
from build_exporter.queries.suites import suite as suite_row
from build_exporter.summary import bad_suites, elapsed, idle_since, is_bad, rank, state_text
from build_exporter.toolchain.steps import known_tools
from build_exporter.toolchain.summary import ccache_ratio
from build_exporter.toolchain.summary import summary as toolchain_summary
from build_exporter.tracker import Run, Step, Tracker, build_progress, step_progress

MAX_SUITES = 10
"""Suites with failures that are listed of one build."""

THROUGHPUT_WINDOW_SECONDS = 3600.0

WATCH_SECONDS = 2.0

_COLOURS = {"succeeded": "green", "failed": "red", "interrupted": "red", "running": "blue"}


@click.command()
@recorded_journal_option
@click.option("--build", metavar="NAME", help="Only this build.")
@output_option
@click.option("--short", is_flag=True, help="One line a build.")
@click.option("--watch", is_flag=True, help="Show it again every two seconds until Ctrl-C.")
@click.option(
    "--exporter",
    metavar="URL",
    help="The running exporter that says what steps are doing. Default: the one of this machine, if any.",
)
def status(journal: str, build: str | None, output: str, short: bool, watch: bool, exporter: str | None) -> None:
    """Show state, progress, time left, running and failed steps of each build's newest run, the worst and newest first.

    What the running steps are doing is known where an exporter runs.

    Exits with 1 when a shown build has failed or was interrupted, or a step of it failed and was never repeated,
    or there is no build; with 2 when there is none of the name given.

    \b
    build-exporter status
    build-exporter status --short --watch
    """
    configure_logging("warn", "logfmt")
    try:
        follower, tracker = Follower(journal), Tracker()
        while True:
            read_again(follower, tracker)
            good = _show(tracker, journal, build, output, exporter, short=short, again=watch)
            if not watch:
                raise SystemExit(0 if good else 1)
            time.sleep(WATCH_SECONDS)
    except UnreachableError as error:
        stop("status", str(error))
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _show(
    tracker: Tracker, journal: str, build: str | None, output: str, exporter: str | None, *, short: bool, again: bool
) -> bool:
    """Write what is asked for; return whether there is a build and all are well."""
    if build is not None and build not in tracker.builds and not again:
        if (elsewhere := served_elsewhere(journal, build)) is not None:
            stop("status", f"no build {build}: {elsewhere}")
        nearest = nearest_names(build, list(tracker.builds))
        stop("status", f"no build {build} in {journal}; there are: {nearest}")
    here = pid_namespace()
    estimator = Estimator(tracker.builds)
    found = (b.current for b in tracker.builds.values() if build in (None, b.name))
    for run in filter(None, (each.current for each in tracker.builds.values())):
        mark_writer(run, here)
    now = time.time()
    runs = by_urgency((run for run in found if run is not None), now)
    doing = nobody if short else ask_exporter(exporter, runs)
    if not short:
        _read_reasons(journal, runs)
    if again:
        begin_frame()
    if output == "json":
        print_json([as_object(run, now, estimator, doing) for run in runs])
    elif not runs:
        click.echo(f"no build in {journal}" if build is None else f"no build {build} in {journal} yet")
    elif short:
        click.echo("\n".join(short_line(run, now, estimator) for run in runs))
    else:
        texts = [
            "\n".join([*_lines(run, now, estimator, doing), *analysis_lines(tracker, run, journal, now)])
            for run in runs
        ]
        click.echo(folded("\n\n".join(texts)))
    if not (short and runs) and (elsewhere := served_elsewhere(journal, build)) is not None:
        click.echo(f"build-exporter status: {elsewhere}", err=True)
    if is_default_journal():
        _mention_system_journal(journal)
    return bool(runs) and not any(map(is_bad, runs))


def _read_reasons(journal: str, runs: Iterable[Run]) -> None:
    """Take from the logs the reasons that the journal does not have: the hook records none, and no exporter may run."""
    for run in runs:
        for step in run.failed.values():
            if step.log and not step.message:
                made = card(run, step, last_lines(journal, run, step))
                step.error_class, step.message = made.class_, made.reason


def _mention_system_journal(journal: str) -> None:
    """Say that root has builds in a journal of its own, which a user's status does not show."""
    if os.path.realpath(journal) != SYSTEM_JOURNAL and (names := builds(SYSTEM_JOURNAL)):
        count = count_of(len(names), "build")
        click.echo(f"{count} of the system: build-exporter status --journal {SYSTEM_JOURNAL}", err=True)


def by_urgency(runs: Iterable[Run], now: float) -> list[Run]:
    """Return the runs that need a person first, then those that run, then others; the newest of each first."""

    def key(run: Run) -> tuple[int, float]:
        return rank(run.state, len(run.failed), run.waiting_for, idle_since(run, now)), -(run.last_event or 0.0)

    return sorted(runs, key=key)


def short_line(run: Run, now: float, estimator: Estimator) -> str:
    """Return a run in one line: name, state, progress, what runs or failed, time left or when it ended."""
    parts = [run.build, _styled_state(run, now)]
    ratio = build_progress(run, now)
    if ratio is not None and run.state is not BuildState.SUCCEEDED:
        parts.append(percent(ratio))
    named = list((run.failed or run.running).values())
    if named:
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        parts.append(plain_line(f"{named[0].phase}/{named[0].step}") + more)
    left = estimator(run, now)
    if left is not None:
        parts.append(f"{duration(left.middle)} left")
    elif run.stopped is not None:
        parts.append(f"ended {clock_time(run.stopped)}")
    return "  ".join(parts)


def _styled_state(run: Run, now: float) -> str:
    colour = "yellow" if run.state is BuildState.SUCCEEDED and run.failed else _COLOURS.get(run.state.value)
    return click.style(state_text(run, now), fg=colour)


def next_step(run: Run) -> str | None:
    """Return what a person should do next about a run, None where nothing."""
    if run.waiting_for is not None:
        return "answer what it asks for"
    if run.failed:
        step = next(reversed(run.failed.values()))
        return f"build-exporter explain {shlex.quote(plain_line(step.step))} --build {run.build}"
    if run.state is BuildState.INTERRUPTED:
        return "run the build again: it is taken up where it stopped"
    if run.state is BuildState.SUCCEEDED:
        return f"build-exporter report {run.build} --output {run.build}.html"
    return None


def as_object(run: Run, now: float, estimator: Estimator, doing: Verdicts = nobody) -> dict[str, Any]:
    """Return what is shown of a run as plain data; times Unix seconds, durations seconds, shares as ratios."""
    estimate = estimator(run, now)
    hour = rate(run, now - THROUGHPUT_WINDOW_SECONDS, now)
    return {
        "build": run.build,
        "run": run.run,
        "state": run.state.value,
        "state_text": state_text(run, now),
        "start": run.start,
        "end": run.stopped,
        "progress_ratio": build_progress(run, now),
        "steps": {state.label: run.count(state) for state in StepState},
        "steps_finished": dict(run.finished),
        "success_ratio": success_ratio(run),
        "steps_per_hour": {
            "since_start": None if run.start is None else rate(run, run.start, run.stopped or now),
            "last_hour": hour,
        },
        "estimated_remaining_seconds": dict(estimate.by_percentile) if estimate else None,
        "estimate_basis": estimate.basis if estimate else None,
        "sbu_seconds": run.seconds_per_sbu,
        "toolchain": _toolchain_object(run),
        "waiting_for": run.waiting_for,
        "milestones": run.milestones,
        "sources": to_builtins(sources_of(run)),
        "warnings": sum(step.warnings or 0 for step in run.steps.values()),
        "bad_suites": [to_builtins(suite_row(suite.step, suite.report)) for suite in bad_suites(run.steps.values())],
        "running": [_running_object(run, step, now, estimator, doing) for step in run.running.values()],
        "failed": [_step_object(run, step, now, estimator) for step in run.failed.values()],
        "blocked": [f"{step.phase}/{step.step}" for step in run.blocked()],
    }


def _toolchain_object(run: Run) -> dict[str, Any]:
    known = run.toolchain
    return {
        "host": known.host if known is not None else None,
        "target": known.target if known is not None else None,
        "jobs": run.jobs_used,
        "ccache_hit_ratio": ccache_ratio(run),
        "tools": [msgspec.structs.asdict(tool) for tool in known_tools(run)],
    }


def _running_object(run: Run, step: Step, now: float, estimator: Estimator, doing: Verdicts) -> dict[str, Any]:
    judged = doing(run, step)
    return {
        **_step_object(run, step, now, estimator),
        "verdict": judged.verdict if judged is not None else None,
        "verdict_evidence": judged.evidence if judged is not None else (),
    }


def _step_object(run: Run, step: Step, now: float, estimator: Estimator) -> dict[str, Any]:
    return {
        "phase": step.phase,
        "step": step.step,
        "attempts": step.attempts,
        "start": step.start,
        "seconds": step.seconds if step.state is not StepState.RUNNING else now - (step.start or now),
        "expected_seconds": estimator.expected_seconds(run, step, now),
        "progress_ratio": step_progress(run, step, now),
        "exit_code": step.exit_code,
        "signal": step.signal,
        "error_class": step.error_class,
        "message": excerpt(step.message) or None,
        "log": step.log,
    }


def _lines(run: Run, now: float, estimator: Estimator, doing: Verdicts) -> Iterator[str]:
    name = click.style(run.build, bold=True)
    yield f"{name}  {_styled_state(run, now)}  run {run.run}"
    ratio = build_progress(run, now)
    if ratio is not None:
        filled = int(ratio * 40)
        yield f"  {'█' * filled}{'░' * (40 - filled)} {percent(ratio)}"
    if run.waiting_for is not None:
        yield f"  {click.style('waiting', fg='yellow')}    {plain_line(run.waiting_for)}"
    counts = [f"{run.count(each)} {each.label}" for each in StepState if run.count(each)]
    yield f"  steps      {', '.join(counts) or 'none yet'}"
    yield from _time_lines(run, now, estimator)
    hour = rate(run, now - THROUGHPUT_WINDOW_SECONDS, now)
    whole = rate(run, run.start, run.stopped or now) if run.start is not None else None
    if whole is not None:
        last = f", {hour:.1f} in the last hour" if hour is not None and run.stopped is None else ""
        yield f"  speed      {whole:.1f} steps an hour{last}"
    if run.seconds_per_sbu is not None:
        yield f"  SBU        {duration(run.seconds_per_sbu)}"
    built_with = toolchain_summary(run)
    if built_with:
        yield f"  toolchain  {plain_line(built_with)}"
    for milestone, reached in run.milestones.items():
        yield f"  milestone  {plain_line(milestone)} at {clock_time(reached)}"
    yield from source_summary(run)
    yield from _suite_lines(run)
    yield from _step_lines(run, now, estimator, doing)
    following = next_step(run)
    if following is not None:
        yield f"  next       {following}"


def _time_lines(run: Run, now: float, estimator: Estimator) -> Iterator[str]:
    ago = f", {duration(max(0.0, now - run.end))} ago" if run.end is not None else ""
    if run.start is not None:
        yield f"  time       {elapsed(run, now)}{ago}"
    elif run.end is not None:
        yield f"  ended      {clock_time(run.end)}{ago}"
    estimate = estimator(run, now)
    if estimate is not None:
        band = f"{duration(estimate.low)} to {duration(estimate.high)}"
        stands = run.state in (BuildState.FAILED, BuildState.INTERRUPTED) and not run.running
        when = " once it goes on" if stands else f", done about {clock_time(now + estimate.middle)}"
        yield f"  left       {duration(estimate.middle)} ({band}){when}"
        yield f"             by {plain_line(estimate.basis)}"


def _step_lines(run: Run, now: float, estimator: Estimator, doing: Verdicts) -> Iterator[str]:
    for step in run.running.values():
        judged = doing(run, step)
        word = f", {judged.verdict}" if judged is not None else ""
        yield f"  running    {_step_line(run, step, now, estimator)}{word}"
        yield from (f"             {text}" for text in (judged.evidence if judged is not None else ()))
    for step in run.failed.values():
        yield click.style(f"  failed     {_step_line(run, step, now, estimator)}: {step.error_class}", fg="red")
        yield from (f"             {line}" for line in excerpt(step.message).splitlines())
    blocked = run.blocked()
    if blocked:
        yield f"  blocked    {count_of(len(blocked), 'step')} {'waits' if len(blocked) == 1 else 'wait'} for it"


def _suite_lines(run: Run) -> Iterator[str]:
    bad = list(bad_suites(run.steps.values()))
    for suite in bad[:MAX_SUITES]:
        where = plain_line(f"{suite.step.phase}/{suite.step.step}, {suite.report.suite}")
        yield f"  {click.style('tests', fg='yellow')}      {where}: {suite.text}"
    if len(bad) > MAX_SUITES:
        yield f"             and {len(bad) - MAX_SUITES} more suites"


def _step_line(run: Run, step: Step, now: float, estimator: Estimator) -> str:
    parts = [plain_line(f"{step.phase}/{step.step}")]
    if step.attempts > 1:
        parts.append(f"attempt {step.attempts}")
    seconds = now - step.start if step.state is StepState.RUNNING and step.start is not None else step.seconds
    if seconds is not None:
        expected = estimator.expected_seconds(run, step, now) or 0.0
        parts.append(duration(seconds) + (f" of about {duration(expected)}" if expected >= 0.5 else ""))
    ratio = step_progress(run, step, now)
    if ratio is not None and step.state is StepState.RUNNING:
        parts.append(percent(ratio))
    if step.max_rss_bytes is not None:
        parts.append(f"peak {size(step.max_rss_bytes)}")
    return ", ".join(parts)
