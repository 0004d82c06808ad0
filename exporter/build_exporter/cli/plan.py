"""`build-exporter plan`: the steps of an upcoming build, their weights and totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from build_exporter.cli.plan_builders import BUILDERS
from build_exporter.cli.plan_output import output_options, show_plan
from build_exporter.model.events import PlannedStep, SourceFile
from build_exporter.plan.blfs import read_blfs
from build_exporter.plan.book import Revision, merge_weights, read_book
from build_exporter.plan.jhalfs_makefile import JhalfsMakefile, is_makefile, read
from build_exporter.plan.jhalfs_sources import jhalfs_sources, sources_directory
from build_exporter.plan.weighted import WeightedPlan, WeightedStep
from build_exporter.plan.yaml_plan import read_yaml

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


@plan.command()
@_book
@_revision
@output_options
def lfs(book: Path, rev: Revision, **options: Any) -> None:
    """Plan a build of the LFS book: the steps that jhalfs would make of it, in its order and by its names."""
    show_plan(lambda: read_book(book, rev), **options)


@plan.command("yaml")
@click.argument("file", type=click.Path(path_type=Path))
@output_options
def yaml_(file: Path, **options: Any) -> None:
    """Read a plan from a YAML FILE; the guide describes its form."""
    show_plan(lambda: read_yaml(file), **options)


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
    show_plan(lambda: _jhalfs(path, book, rev), **options)


@plan.command()
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...")
@_book
@_revision
@output_options
def blfs(packages: tuple[str, ...], book: Path, rev: Revision, **options: Any) -> None:
    """Plan packages of the BLFS book, in the order given; their dependencies are not resolved."""
    show_plan(lambda: read_blfs(book, packages, rev), **options)


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


for _command in BUILDERS:
    plan.add_command(_command)
