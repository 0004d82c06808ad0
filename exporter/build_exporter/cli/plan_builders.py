"""`build-exporter plan` for what other builders say that they will do: Portage, Buildroot, BitBake."""

from __future__ import annotations

from typing import IO, Any, Final

import click

from build_exporter.cli.plan_output import output_options, show_plan
from build_exporter.model.events import PlannedStep
from build_exporter.plan.bitbake_graph import read_graph
from build_exporter.plan.weighted import WeightedPlan, WeightedStep
from build_exporter.sources.buildroot.plan import planned_steps, read_packages
from build_exporter.sources.portage.lines import split_package
from build_exporter.sources.portage.pending import read_pretended

MAX_BYTES: Final = 64 * 1024 * 1024

_file = click.argument("file", type=click.File("rb"))


@click.command()
@_file
@output_options
def portage(file: IO[bytes], **options: Any) -> None:
    """Plan what `emerge -p` says that it would merge; FILE has its output, `-` is standard input.

    \b
    emerge -p @world | build-exporter plan portage - --estimate --build portage
    """
    show_plan(lambda: portage_plan(_read(file)), **options)


@click.command()
@_file
@output_options
def buildroot(file: IO[bytes], **options: Any) -> None:
    """Plan a build by Buildroot; FILE has the output of `make show-info`, `-` is standard input.

    \b
    make -s show-info | build-exporter plan buildroot - --estimate --build buildroot
    """
    show_plan(lambda: buildroot_plan(_read(file)), **options)


@click.command()
@_file
@output_options
def bitbake(file: IO[bytes], **options: Any) -> None:
    """Plan a build by BitBake; FILE is the task-depends.dot that `bitbake -g TARGET` writes.

    \b
    build-exporter plan bitbake task-depends.dot --estimate --build image --at-once 8
    """
    show_plan(lambda: read_graph(_read(file).decode("utf-8", "replace")), **options)


BUILDERS: Final = (portage, buildroot, bitbake)


def portage_plan(data: bytes) -> WeightedPlan:
    """Return the packages that `emerge -p` lists, as the source of Portage names them.

    Raises:
        ValueError: it lists none.
    """
    steps = []
    for each in read_pretended(data):
        name, version = split_package(each.package)
        steps.append(
            WeightedStep(PlannedStep(phase=each.kind, step=each.package, package=name, version=version or None))
        )
    return _plan(steps, "no package in it: `emerge -p` lists them as `[ebuild  N ] category/name-version`")


def buildroot_plan(data: bytes) -> WeightedPlan:
    """Return the steps of the packages in the output of `make show-info`, as the source of Buildroot names them.

    Raises:
        ValueError: it has none.
    """
    steps = planned_steps(read_packages(data), lambda _: True, lambda _: None)
    return _plan(list(map(WeightedStep, steps)), "no package in it: `make -s show-info` prints them as JSON")


def _plan(steps: list[WeightedStep], otherwise: str) -> WeightedPlan:
    if not steps:
        raise ValueError(otherwise)
    return WeightedPlan(tuple(steps))


def _read(file: IO[bytes]) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES >> 20} MiB")
    return data
