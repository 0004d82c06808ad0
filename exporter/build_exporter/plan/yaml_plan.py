"""A plan written by hand in YAML: phases and steps, with the configuration file's error reporting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Self

from build_exporter.checksums.check import is_plain
from build_exporter.checksums.digests import LENGTHS, digest_text
from build_exporter.config.document import Items, Mark, Node, Pairs, Scalar, parse
from build_exporter.config.load import MAX_PROBLEMS, load_as
from build_exporter.config.problems import ConfigError, Problem
from build_exporter.config.schema import Milestone
from build_exporter.config.section import Section, about, repeated
from build_exporter.config.values import shown
from build_exporter.model.events import PlannedMilestone, PlannedStep, SourceFile
from build_exporter.plan.book_sources import fitting
from build_exporter.plan.weighted import WeightedPlan, WeightedStep

MAX_BYTES: Final = 1024**2
"""Largest plan."""
_START: Final = Mark(1, 1)


class YamlSource(Section, frozen=True):
    """A file that a step is built from."""

    file: Annotated[str, about("Its name within the directory `tarballs`.", "name")]
    md5: Annotated[str | None, about("Its MD5 …", "name")] = None
    sha1: Annotated[str | None, about("… or SHA-1 …", "name")] = None
    sha256: Annotated[str | None, about("… or SHA-256 …", "name")] = None
    sha512: Annotated[str | None, about("… or SHA-512 …", "name")] = None
    blake2b: Annotated[str | None, about("… or BLAKE2b of 512 bits, in hexadecimal; several must all fit.", "name")] = (
        None
    )
    size: Annotated[int | None, about("Its exact size.", "bytes", within=(0, None))] = None
    url: Annotated[str | None, about("Where it comes from.", "name")] = None

    def digests(self) -> dict[str, str]:
        """Return the digests that are given, by algorithm."""
        given = {name: getattr(self, name) for name in ("md5", "sha1", "sha256", "sha512", "blake2b")}
        return {name: value for name, value in given.items() if value is not None}

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield what is no digest, and a name that leads out of the directory."""
        for name, value in self.digests().items():
            if digest_text(name, value) is None:
                yield name, f"has no {name}; allowed: {LENGTHS[name]} hexadecimal digits"
        if not is_plain(self.file):
            yield "file", "has a file that is no name within a directory"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the files of a step given twice."""
        yield from repeated(items, "file")


class YamlStep(Section, frozen=True):
    """A step."""

    step: Annotated[str, about("What it is called, as the events of the build call it.", "name")]
    package: Annotated[str | None, about("What it builds.", "name")] = None
    version: Annotated[str | None, about("Of the package.", "name")] = None
    sbu: Annotated[float | None, about("Build time in SBU.", "number", within=(0, 1e6))] = None
    seconds: Annotated[float | None, about("Expected duration.", "seconds", within=(0, None))] = None
    disk: Annotated[int | None, about("Disk space needed while it builds.", "bytes", within=(0, None))] = None
    memory: Annotated[int | None, about("Memory needed while it builds.", "bytes", within=(0, None))] = None
    after: Annotated[
        tuple[str, ...],
        about("Steps that must be done before; `phase/step` for one of another phase with the same name.", "name"),
    ] = ()
    sources: Annotated[tuple[YamlSource, ...], about("The files that it is built from.")] = ()

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the steps of a phase given twice."""
        yield from repeated(items, "step")


class YamlPhase(Section, frozen=True):
    """A phase: steps that belong together."""

    phase: Annotated[str, about("What it is called, as the events of the build call it.", "name")]
    steps: Annotated[tuple[YamlStep, ...], about("Its steps in their order.")]

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the phases given twice."""
        yield from repeated(items, "phase")


class YamlPlan(Section, frozen=True):
    """The file."""

    phases: Annotated[tuple[YamlPhase, ...], about("The phases in their order.")] = ()
    milestones: Annotated[tuple[Milestone, ...], about("Milestones of the build.")] = ()
    tarballs: Annotated[str | None, about("The directory of the steps' files.", "path")] = None


def read_yaml(path: Path) -> WeightedPlan:
    """Return the plan that a file holds.

    Raises:
        ConfigError: it can't be read or is invalid; lists each fault with its line.
    """
    plan = load_as(YamlPlan, path, limit=MAX_BYTES)
    if problems := [Problem(str(path), *mark, *said) for mark, *said in _faults(plan, _root(path))]:
        raise ConfigError(problems[:MAX_PROBLEMS])
    where = _where(plan)
    return WeightedPlan(
        steps=tuple(WeightedStep(_planned(phase.phase, step, where)) for phase in plan.phases for step in phase.steps),
        milestones=tuple(
            PlannedMilestone(name=each.name, phase=each.phase, step=each.step, progress=each.progress)
            for each in plan.milestones
        ),
        tarballs=plan.tarballs,
    )


def _planned(phase: str, step: YamlStep, where: Mapping[str, Sequence[str]]) -> PlannedStep:
    # a name that two phases have would be taken for both
    after = [name if len(where[name]) == 1 else _found(where, phase, name)[0] for name in step.after]
    return PlannedStep(
        phase=phase,
        step=step.step,
        package=step.package,
        version=step.version,
        sbu=step.sbu,
        expected_seconds=step.seconds,
        disk_bytes=step.disk,
        memory_bytes=step.memory,
        after=after or None,
        sources=fitting(map(_source, step.sources)) or None,
    )


def _source(source: YamlSource) -> SourceFile:
    digests = tuple(f"{name}:{value.lower()}" for name, value in source.digests().items())
    return SourceFile(file=source.file, digests=digests, size_bytes=source.size, url=source.url)


def _root(path: Path) -> Node | None:
    """Return the file's tree, for the places of what is found wrong between its parts."""
    return parse(path.read_bytes().decode("utf-8-sig"))[0]


def _faults(plan: YamlPlan, root: Node | None) -> Iterator[tuple[Mark, str, str]]:
    """Yield place, path and message of what is wrong between steps."""
    if not any(phase.steps for phase in plan.phases):
        yield _START, "phases", "the plan has no steps; allowed: phases, each with its steps"
    where = _where(plan)
    needs: dict[str, list[str]] = {}
    for place, step, full in _steps(plan):
        for index, name in enumerate(step.after):
            found = _found(where, plan.phases[int(place[1])].phase, name)
            if reason := _reason(found, full):
                said = f"{_path(*place, 'after', index)} is {shown(name)}: {reason}"
                yield _mark(root, *place, "after", index), _path(*place, "after", index), said
            else:
                needs.setdefault(full, []).append(found[0])
    circle = _circle(needs)
    for place, _, full in _steps(plan):
        if full == circle:
            said = f"{_path(*place)} waits, by way of 'after', for itself"
            yield _mark(root, *place, "after"), _path(*place), said
    yield from _milestone_faults(plan, where, root)


def _where(plan: YamlPlan) -> dict[str, list[str]]:
    """Return the full names of the steps that a name, full or not, may mean."""
    where: dict[str, list[str]] = {}
    for _, step, full in _steps(plan):
        for name in (step.step, full):
            where.setdefault(name, []).append(full)
    return where


def _found(where: Mapping[str, Sequence[str]], phase: str, name: str) -> Sequence[str]:
    """Return the steps that a name means within a phase: the phase's own step before those of others."""
    return where.get(f"{phase}/{name}") or where.get(name, [])


def _milestone_faults(
    plan: YamlPlan, where: Mapping[str, Sequence[str]], root: Node | None
) -> Iterator[tuple[Mark, str, str]]:
    phases = {phase.phase for phase in plan.phases}
    for index, milestone in enumerate(plan.milestones):
        reason = None
        if milestone.phase is not None and milestone.phase not in phases:
            reason = f"phase is {shown(milestone.phase)}: there is no such phase"
        elif milestone.step is not None and (wrong := _reason(where.get(milestone.step, []), None)):
            reason = f"step is {shown(milestone.step)}: {wrong}"
        if reason:
            key = reason.partition(" ")[0]
            path = _path("milestones", index)
            yield _mark(root, "milestones", index, key), f"{path}.{key}", f"{path}.{reason}"


def _steps(plan: YamlPlan) -> Iterator[tuple[tuple[str | int, ...], YamlStep, str]]:
    """Yield each step with its place in the file and its full name."""
    for number, phase in enumerate(plan.phases):
        for index, step in enumerate(phase.steps):
            yield ("phases", number, "steps", index), step, f"{phase.phase}/{step.step}"


def _reason(found: Sequence[str], own: str | None) -> str | None:
    if not found:
        return "there is no such step"
    if len(found) > 1:
        return f"several phases have a step of that name; allowed: {', '.join(found[:5])}"
    return "a step can't wait for itself" if found[0] == own else None


def _circle(needs: Mapping[str, Sequence[str]]) -> str | None:
    """Return a step that waits for itself by way of others, None where there is none."""
    left = {name: set(after) for name, after in needs.items()}
    while free := [name for name, after in left.items() if not after & left.keys()]:
        for name in free:
            del left[name]
    if not left:
        return None
    # what is left waits for a circle or is in one: following any of it leads into one
    name, seen = next(iter(left)), set[str]()
    while name not in seen:
        seen.add(name)
        name = next(each for each in needs[name] if each in left)
    return name


def _path(*place: str | int) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _mark(node: Node | None, *place: str | int) -> Mark:
    """Return where a part of the file is, or the nearest that holds it."""
    mark = _START if node is None else node.mark
    for part in place:
        if isinstance(part, int):
            node = node.items[part] if isinstance(node, Items) else None
        else:
            pairs = node.pairs if isinstance(node, Pairs) else []
            node = next((child for key, child in pairs if isinstance(key, Scalar) and key.text == part), None)
        if node is None:
            break
        mark = node.mark
    return mark
