"""Read packages of the BLFS book as a plan: each page declares its build time and disk space.

    <!ENTITY wget-buildsize "38 MB (add 27 MB for tests)">
    <!ENTITY wget-time      "0.3 SBU (add 0.2 SBU for tests)">

The order is the one asked for: dependencies are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.model.events import PlannedStep
from build_exporter.plan.book import Revision, read_entities
from build_exporter.plan.book_entities import BookError, Entities, inside, read_text
from build_exporter.plan.book_figures import parse_sbu, parse_size
from build_exporter.plan.book_sources import page_sources
from build_exporter.plan.weighted import WeightedPlan, WeightedStep

PHASE: Final = "blfs"
"""The phase of all its steps, as where a build of such packages is followed."""

MAX_FILES: Final = 20_000

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SECTION: Final = re.compile(r"""<sect[12]\b[^>]*?\bid\s*=\s*["']([^"']{1,200})["']([^>]*)""")
_LABEL: Final = re.compile(r"""\bxreflabel\s*=\s*["']([^"']{1,200})["']""")
_SUBSET: Final = re.compile(r"<!DOCTYPE[^\[>]*\[(.*?)\]\s*>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Page:
    """A package's page: its file and text, its `id`, and its `xreflabel` (`wget-&wget-version;`)."""

    path: Path
    text: str
    name: str
    label: str


def read_blfs(directory: Path, packages: Sequence[str], revision: Revision = "systemd") -> WeightedPlan:
    """Return the plan of some packages of the BLFS book whose XML a directory holds, in the order they are asked for.

    A package is named as the book's page of it (its `id`), whatever the case.

    Raises:
        BookError: the directory holds no such book or package, or a part can't be read.
    """
    entities = read_entities(directory, revision)
    pages = _pages(directory, {name.lower() for name in packages})
    missing = [name for name in packages if name.lower() not in pages]
    if missing:
        raise BookError(f"{directory}: no page of: {', '.join(missing)}")
    steps: list[WeightedStep] = []
    notes: list[str] = []
    for name in dict.fromkeys(name.lower() for name in packages):
        step, said = _step(entities, directory, pages[name], steps[-1].planned.step if steps else None)
        steps.append(step)
        notes += said
    return WeightedPlan(tuple(steps), (), tuple(notes))


def _pages(directory: Path, names: set[str]) -> Mapping[str, _Page]:
    """Return each page asked for by its name in lower case."""
    found: dict[str, _Page] = {}
    for path in _files(directory):
        text = _COMMENT.sub("", read_text(path, directory))
        section = _SECTION.search(text)
        if section and (name := section[1].lower()) in names:
            label = _LABEL.search(section[2])
            # archived pages stand beside newer ones of the same name
            if name not in found or "archive" in found[name].path.parts:
                found[name] = _Page(path, text, section[1], label[1] if label else "")
    return found


def _files(directory: Path) -> Iterator[Path]:
    book = directory.resolve()
    for number, path in enumerate(sorted(directory.rglob("*.xml"))):
        if number >= MAX_FILES:
            raise BookError(f"{directory}: more than {MAX_FILES} files: no BLFS book")
        # a link out of the book is not followed
        if path.is_file() and path.resolve().is_relative_to(book):
            yield path


def _step(entities: Entities, book: Path, page: _Page, previous: str | None) -> tuple[WeightedStep, list[str]]:
    own = Entities()
    if subset := _SUBSET.search(page.text):
        own.read_text(re.sub(r"%[\w.:-]+;", "", subset[1]), inside(page.path, book), book)
    own.values = {**entities.values, **own.values}
    time, size = (own.expand(own.values.get(f"{page.name}-{kind}", "")) for kind in ("time", "buildsize"))
    sbu, disk = parse_sbu(time), parse_size(size)
    notes = []
    if sbu is None:
        reason = f"no number in the build time {time[:80]!r}" if time else f"declares no entity {page.name}-time"
        notes.append(f"{page.path}: {reason}")
    version = own.expand(f"&{page.name}-version;")
    if version.startswith("&"):
        version = own.expand(page.label).removeprefix(f"{page.name}-") if page.label else ""
    planned = PlannedStep(
        phase=PHASE,
        step=page.name,
        package=page.name,
        version=version if re.fullmatch(r"[\w.+~-]{1,100}", version) else None,
        sbu=None if sbu is None else sbu.typical,
        disk_bytes=None if disk is None else round(disk.typical),
        after=None if previous is None else [previous],
        sources=page_sources(own, page.name, page.text) or None,
    )
    return WeightedStep(planned, sbu, disk), notes
