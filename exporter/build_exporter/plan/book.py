"""Read the LFS book as a plan: the steps jhalfs makes of it, with the printed build times and disk space.

A chapter includes its sections in their order. A section with commands becomes a step, named as jhalfs names its
target: the chapter, the step's place among the chapter's steps in two digits, and the name of the section's page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from xml.etree import ElementTree as ET

from build_exporter.model.events import PlannedStep, SourceFile
from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.plan.book_entities import BookError, Entities
from build_exporter.plan.book_figures import Figure, parse_sbu, parse_size
from build_exporter.plan.book_sources import declared_sources, section_sources
from build_exporter.plan.book_xml import (
    INCLUDE,
    MAX_DEPTH,
    MAX_INCLUDES,
    Document,
    file_name,
    includes,
    read_document,
    revision_fits,
)
from build_exporter.plan.jhalfs_makefile import JhalfsStep
from build_exporter.plan.milestones import lfs_milestones
from build_exporter.plan.weighted import WeightedPlan, WeightedStep

Revision = Literal["systemd", "sysv"]

FIRST_CHAPTER: Final = 4
LAST_CHAPTER: Final = 10
"""Chapters with steps: earlier ones are preparation by hand, later ones no work on the system."""

_PASS: Final = re.compile(r"-pass\d$")
_TARGET_NUMBER: Final = re.compile(r"^\d{3,4}-(?:\d\d-)?(?=\D)")
_UNKNOWN: Final = re.compile(r"&[^\s;&]{1,200};")


@dataclass(slots=True)
class _Book:
    """A reading of the book."""

    directory: Path
    revision: Revision
    entities: Entities
    declared: dict[str, SourceFile]
    notes: list[str] = field(default_factory=list)
    documents: int = 0
    entering: tuple[str, str] | None = None
    about_to_enter: bool = False

    def document(self, path: Path, within: tuple[Path, ...]) -> Document:
        """Return a file's tree.

        Raises:
            BookError: it can't be read, or the files go round in a circle.
        """
        self.documents += 1
        if path in within:
            raise BookError(f"{path}: includes itself, by way of {within[-1]}")
        if len(within) > MAX_DEPTH or self.documents > MAX_INCLUDES:
            raise BookError(f"{path}: more includes than a book has")
        return read_document(path, self.directory, self.entities, self.revision)


def read_book(directory: Path, revision: Revision = "systemd") -> WeightedPlan:
    """Return the plan of the LFS book whose XML a directory holds.

    Raises:
        BookError: it holds no chapters, or a part can't be read.
    """
    chapters = {n: directory / f"chapter{n:02}" / f"chapter{n:02}.xml" for n in range(FIRST_CHAPTER, LAST_CHAPTER + 1)}
    present = {number: path for number, path in chapters.items() if path.is_file()}
    if not present:
        raise BookError(f"{directory}: no LFS book: no chapter04/chapter04.xml … chapter10/chapter10.xml")
    missing = [f"{path}: is not there; its steps are missing" for path in chapters.values() if not path.is_file()]
    entities = read_entities(directory, revision)
    book = _Book(directory, revision, entities, declared_sources(entities), notes=missing)
    steps: list[WeightedStep] = []
    for number, path in present.items():
        steps += _chapter(book, number, path, steps[-1].planned.step if steps else None)
    if not steps:
        raise BookError(f"{directory}: its chapters have no sections with commands")
    last = steps[-1].planned
    booting = last.step if last.phase == f"chapter-{LAST_CHAPTER}" else None
    milestones = lfs_milestones({step.planned.phase for step in steps}, book.entering, booting)
    return WeightedPlan(tuple(steps), tuple(milestones), tuple(book.notes))


def read_entities(directory: Path, revision: Revision) -> Entities:
    """Return the entities that a book's `*.ent` files declare for a revision.

    Raises:
        BookError: a file can't be read.
    """
    entities = Entities()
    # what the book's own make would write into conditional.ent
    entities.parameters = {name: "INCLUDE" if name == revision else "IGNORE" for name in ("systemd", "sysv")}
    files = sorted(directory.glob("*.ent"), key=lambda path: (path.name != "general.ent", path.name))
    for path in files:
        entities.read_file(path, directory)
    return entities


def _chapter(book: _Book, number: int, path: Path, previous: str | None) -> Iterator[WeightedStep]:
    position = 0
    for document, section in _sections(book, path, ()):
        if _enters_chroot(document, section):
            book.about_to_enter = True
            continue
        if not any(_commands(book, document, section)):
            continue
        position += 1
        step = _step(book, document, section, f"{number}{position:02}", previous)
        if book.about_to_enter and book.entering is None:
            book.entering = (step.planned.phase, step.planned.step)
        previous = step.planned.step
        yield step


def _sections(book: _Book, path: Path, within: tuple[Path, ...]) -> Iterator[tuple[Document, ET.Element]]:
    """Yield the sections of a chapter in their order, whether they are written in its file or included."""
    document = book.document(path, within)
    if not revision_fits(document.root, book.revision):
        return
    if document.root.tag == "sect1":
        yield document, document.root
        return
    for child in document.root:
        if child.tag == "sect1":
            yield document, child
        elif child.tag == INCLUDE:
            for included in includes(document, child, book.directory):
                yield from _sections(book, included, (*within, path))


def _enters_chroot(document: Document, section: ET.Element) -> bool:
    """Return whether a section's first command is to enter the new system, which jhalfs does by itself."""
    command = section.find(".//screen/userinput")
    return command is not None and _beginning(document, command).startswith("chroot")


def _commands(book: _Book, document: Document, section: ET.Element, within: tuple[Path, ...] = ()) -> Iterator[bool]:
    """Yield a truth for each of a section's commands that jhalfs puts into a script."""
    for screen in section.iter("screen"):
        for command in screen.findall("userinput") if screen.get("role") != "nodump" else ():
            yield not _beginning(document, command).startswith("chroot")
    for path in includes(document, section, book.directory):
        part = book.document(path, (*within, document.path))
        yield from _commands(book, part, part.root, (*within, document.path))


def _beginning(document: Document, command: ET.Element) -> str:
    return document.expanded("".join(command.itertext())[:200])


def _step(book: _Book, document: Document, section: ET.Element, number: str, previous: str | None) -> WeightedStep:
    phase = f"chapter-{int(number[:-2])}"
    name = _name(file_name(section) or document.path.stem) or "section"
    information = section.find("sect1info")
    package = _text(book, document, information, "productname")
    sbu, disk = _figures(book, document, section)
    planned = PlannedStep(
        phase=phase,
        step=f"{number}-{name}",
        package=package,
        version=_text(book, document, information, "productnumber"),
        sbu=None if sbu is None else sbu.typical,
        disk_bytes=None if disk is None else round(disk.typical),
        after=None if previous is None else [previous],
        sources=section_sources(document, section, book.declared) or None,
    )
    return WeightedStep(planned, sbu, disk)


def _text(book: _Book, document: Document, parent: ET.Element | None, tag: str) -> str | None:
    element = None if parent is None else parent.find(tag)
    text = "" if element is None else _name(document.expanded("".join(element.itertext())))
    if found := _UNKNOWN.search(text):
        book.notes.append(f"{document.path}: {tag}: entity {found[0]} is declared nowhere")
        return None
    return text or None


def _figures(book: _Book, document: Document, section: ET.Element) -> tuple[Figure | None, Figure | None]:
    """Return build time and disk space: the first list of segments with an SBU."""
    for segments in section.iter("segmentedlist"):
        texts = [document.expanded("".join(seg.itertext())) for seg in segments.iter("seg")]
        if not any("SBU" in text or (_UNKNOWN.search(text) and "sbu" in text) for text in texts):
            continue
        sbu = next(filter(None, map(parse_sbu, texts)), None)
        disk = next(filter(None, map(parse_size, texts)), None)
        if sbu is None:
            book.notes.append(f"{document.path}: no number in the build time {texts[0][:80]!r}")
        return sbu, disk
    return None, None


def _name(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:MAX_NAME_LENGTH].strip()


def merge_weights(steps: Sequence[JhalfsStep], book: Sequence[WeightedStep]) -> Mapping[str, WeightedStep]:
    """Return the book's step for each target of a Makefile of jhalfs that has one.

    A target is found by its name, else by its name without the number, or its package, in the same chapter, where only
    one there fits: the numbers shift when a package is left out or another is added.
    """
    by_target = {step.planned.step: step for step in book}
    by_name: dict[tuple[str, str], list[WeightedStep]] = {}
    for each in book:
        for name in {_bare(each.planned.step), _package(each.planned.package)} - {""}:
            by_name.setdefault((each.planned.phase, name), []).append(each)
    found: dict[str, WeightedStep] = {}
    for step in steps:
        names = (_bare(step.target), _package(step.package))
        fitting = next((fit for name in names if name and len(fit := by_name.get((step.phase, name), [])) == 1), [])
        same = by_target.get(step.target)
        if same is not None and same.planned.phase == step.phase:
            found[step.target] = same
        elif fitting:
            found[step.target] = fitting[0]
    return found


def _bare(target: str) -> str:
    return _TARGET_NUMBER.sub("", target).lower()


def _package(package: str | None) -> str:
    return _PASS.sub("", package or "").lower()
