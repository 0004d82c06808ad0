"""`build-exporter plan`: the steps of an upcoming build, their weights and totals."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec

from build_exporter.cli.options import USAGE_ERROR, journal_option
from build_exporter.cli.plan_estimate import PlanEstimate, estimate_lines, estimate_object, estimate_plan
from build_exporter.cli.plan_table import as_object, table
from build_exporter.config.problems import ConfigError
from build_exporter.journal.append import Writer
from build_exporter.journal.current import join_run
from build_exporter.model.events import Plan, PlannedStep, SourceFile, TestScope
from build_exporter.model.names import is_build_name
from build_exporter.plan.blfs import read_blfs
from build_exporter.plan.book import Revision, merge_weights, read_book
from build_exporter.plan.book_entities import BookError
from build_exporter.plan.jhalfs_makefile import JhalfsMakefile, is_makefile, read
from build_exporter.plan.jhalfs_sources import jhalfs_sources, sources_directory
from build_exporter.plan.weighted import WeightedPlan, WeightedStep
from build_exporter.plan.yaml_plan import read_yaml
from build_exporter.sources.attach import lines_of

F = TypeVar("F", bound=Callable[..., Any])

_book = click.option(
    "--book",
    metavar="DIR",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The book's XML: the directory with general.ent.",
)
_revision = click.option(
    "--rev",
    type=click.Choice(["systemd", "sysv"]),
    default="systemd",
    show_default=True,
    help="Which of its two books.",
)


@click.group()
def plan() -> None:
    """Show the steps of a build before it begins, with the times and spaces that are known, and their totals.

    SBU is the time that the first step of an LFS build takes. Problems are reported on standard error.

    \b
    build-exporter plan lfs --book ~/lfs-git
    build-exporter plan yaml my-system.yaml --emit --build my-system
    """


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
            "--output",
            type=click.Choice(["table", "json", "event"]),
            default="table",
            show_default=True,
            help="`event` prints lines of the journal.",
        ),
    ):
        command = option(command)
    return command


@plan.command()
@_book
@_revision
@output_options
def lfs(book: Path, rev: Revision, **options: Any) -> None:
    """Plan a build of the LFS book: the steps that jhalfs would make of it, in its order and by its names."""
    _output(lambda: read_book(book, rev), **options)


@plan.command("yaml")
@click.argument("file", type=click.Path(path_type=Path))
@output_options
def yaml_(file: Path, **options: Any) -> None:
    """Read a plan from a YAML FILE; the guide describes its form."""
    _output(lambda: read_yaml(file), **options)


@plan.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--book",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the steps' times and spaces from this LFS book.",
)
@click.option(
    "--rev", type=click.Choice(["systemd", "sysv"]), help="Which of the two books. Default: detected from the steps."
)
@output_options
def jhalfs(path: Path, book: Path | None, rev: Revision | None, **options: Any) -> None:
    """Plan the build that jhalfs has prepared; PATH is its directory or Makefile."""
    _output(lambda: _jhalfs(path, book, rev), **options)


@plan.command()
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...")
@_book
@_revision
@output_options
def blfs(packages: tuple[str, ...], book: Path, rev: Revision, **options: Any) -> None:
    """Plan packages of the BLFS book, in the order given; their dependencies are not resolved."""
    _output(lambda: read_blfs(book, packages, rev), **options)


def _jhalfs(path: Path, book: Path | None, revision: Revision | None) -> WeightedPlan:
    candidates = (path, path / "Makefile", path / "jhalfs" / "Makefile")
    file = next((each for each in candidates if is_makefile(each)), None)
    if file is None:
        raise ValueError(f"{path}: no Makefile of jhalfs")
    makefile = read(file)
    found: Mapping[str, WeightedStep] = {}
    notes: list[str] = []
    declared: list[SourceFile] = []
    if book is not None:
        weighted = read_book(book, revision or revision_of(makefile))
        found = merge_weights(makefile.steps, weighted.steps)
        declared = [each for step in weighted.steps for each in step.planned.sources or ()]
        unknown = [step.target for step in makefile.steps if step.target not in found]
        notes = list(weighted.notes)
        if unknown:
            notes.append(f"{len(unknown)} of {len(makefile.steps)} steps are not in the book: {', '.join(unknown)}")
    directory = sources_directory(file.parent.absolute())
    sources = jhalfs_sources(file.parent, makefile, directory, lambda: declared)
    steps = [_weighted(planned, found.get(planned.step)) for planned in makefile.plan(sources=sources)]
    tarballs = str(directory) if directory.is_dir() else None
    return WeightedPlan(tuple(steps), tuple(makefile.milestones()), tuple(notes), tarballs)


def _weighted(planned: PlannedStep, known: WeightedStep | None) -> WeightedStep:
    """Return a step with the weights of the book's."""
    if known is None:
        return WeightedStep(planned)
    weights = {"sbu": known.planned.sbu, "disk_bytes": known.planned.disk_bytes}
    return WeightedStep(msgspec.structs.replace(planned, **weights), known.sbu, known.disk)


def revision_of(makefile: JhalfsMakefile) -> Revision:
    """Return which of the two books a Makefile is made of: the one with sysvinit, else the one with systemd."""
    return "sysv" if any(step.target.endswith("-sysvinit") for step in makefile.steps) else "systemd"


def _output(
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
        _stop("--build must name the build: 1 to 100 of A-Z a-z 0-9 . _ + -", USAGE_ERROR)
    try:
        made = make()
    except ConfigError as error:
        # each line is FILE:LINE:COLUMN: MESSAGE already
        click.echo(str(error), err=True)
        raise SystemExit(USAGE_ERROR) from None
    except OSError as error:
        _stop(f"{error.filename}: {error.strerror}", 1)
    except (BookError, ValueError) as error:
        _stop(str(error), 1)
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
        _append(journal, build, lines)


def _estimate(
    made: WeightedPlan, journal: str, build: str | None, estimate: bool, jobs: int | None, tests: TestScope | None
) -> PlanEstimate | None:
    return estimate_plan(made, journal, build, jobs, tests) if estimate else None


def _append(journal: str, build: str, lines: list[bytes]) -> None:
    try:
        writer = Writer(join_run(journal, build, time.time()))
        for line in lines:
            writer.append(line)
        writer.close()
    except (OSError, ValueError) as error:
        _stop(f"the journal can't be written: {error}", 1)


def _stop(message: str, code: int) -> NoReturn:
    click.echo("\n".join(f"build-exporter plan: {line}" for line in message.splitlines()), err=True)
    raise SystemExit(code)
