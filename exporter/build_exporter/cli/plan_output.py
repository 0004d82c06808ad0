"""Options that all plans share, and how plans are shown, estimated and recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from build_exporter.cli.options import journal_option, words_of
from build_exporter.cli.output import stop, stop_at_unreadable_plans
from build_exporter.cli.plan_estimate import PlanEstimate, Wanted, estimate_lines, estimate_object, estimate_plan
from build_exporter.cli.plan_table import as_object, table
from build_exporter.formatting import count_of
from build_exporter.journal.append import Writer
from build_exporter.journal.current import join_run
from build_exporter.model.events import Plan, TestScope
from build_exporter.model.names import is_build_name
from build_exporter.plan.weighted import WeightedPlan
from build_exporter.sources.event_lines import lines_of

F = TypeVar("F", bound=Callable[..., Any])


def output_options(command: F) -> F:
    """Add the options that all plans share."""
    for option in (
        click.option("--build", metavar="NAME", help="The line of builds, for --output event and --emit."),
        journal_option,
        click.option(
            "--tarballs",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="Where the steps' files are: with --emit, `serve` verifies them by the plan's checksums.",
        ),
        click.option("--emit", is_flag=True, help="Append the plan to the build's unfinished run, or to a new one."),
        click.option(
            "--estimate",
            is_flag=True,
            help="Estimate how long it takes here: by the journal's runs, the plan's figures, typical times of steps.",
        ),
        click.option(
            "--jobs", type=click.IntRange(1, 10_000), metavar="N", help="With --estimate: the -j. Default: all CPUs."
        ),
        click.option(
            "--tests",
            type=click.Choice(["none", "critical", "all"]),
            help="With --estimate: whose test suites run; critical are those of the toolchain.",
        ),
        click.option(
            "--at-once",
            type=click.IntRange(1, 10_000),
            metavar="N",
            help="With --estimate: how many steps run side by side. Default: as in the build's last run.",
        ),
        click.option(
            "--output",
            type=click.Choice(["table", "json", "event"]),
            default="table",
            show_default=True,
            help="`event` prints lines of the journal.",
        ),
    ):
        command = option(command)
    return command


def show_plan(
    make: Callable[[], WeightedPlan],
    output: str,
    emit: bool,
    journal: str,
    build: str | None,
    tarballs: Path | None,
    **estimating: Any,
) -> None:
    """Print the plan and, where asked to, estimate it and append it to the journal."""
    if (emit or output == "event" or build is not None) and not is_build_name(build or ""):
        stop("plan", "--build must name the build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    with stop_at_unreadable_plans("plan"):
        made = make()
    for note in made.notes:
        click.echo(f"build-exporter plan: {note}", err=True)
    lines = []
    directory = made.tarballs if tarballs is None else str(tarballs.absolute())
    if build is not None:
        now = round(time.time(), 6)
        steps = [step.planned for step in made.steps]
        milestones = list(made.milestones) or None
        event = Plan(time=now, build=build, steps=steps, milestones=milestones, tarballs=directory)
        lines = list(lines_of(event))
    found = _estimate(made, journal, build, **estimating)
    if output == "table":
        click.echo("\n".join([*table(made), *(["", *estimate_lines(found)] if found is not None else [])]))
    elif output == "json":
        answer = as_object(made) | ({"estimate": estimate_object(found)} if found is not None else {})
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        click.echo(b"".join(lines), nl=False)
    if emit and build is not None:
        path = _append(journal, build, lines)
        click.echo(f"wrote the plan of {count_of(len(made.steps), 'step')} to {path}", err=True)


def _estimate(
    made: WeightedPlan,
    journal: str,
    build: str | None,
    estimate: bool,
    jobs: int | None,
    tests: TestScope | None,
    at_once: int | None,
) -> PlanEstimate | None:
    return estimate_plan(made, journal, Wanted(build, jobs, tests, at_once)) if estimate else None


def _append(journal: str, build: str, lines: list[bytes]) -> str:
    try:
        path = join_run(journal, build, time.time())
        writer = Writer(path)
        for line in lines:
            writer.append(line)
        writer.close()
    except (OSError, ValueError) as error:
        stop("plan", f"the journal can't be written: {words_of(error)}", 1)
    return path
