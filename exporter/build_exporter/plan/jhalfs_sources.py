"""The files that jhalfs steps unpack: named by the steps' scripts, with the MD5 of jhalfs' download lists.

sources/urls.lst              URLs and MD5 of every file, from the book
sources/MD5SUMS               the same in md5sum's form
jhalfs/lfs-commands/chapter08/826-gcc   a step's script: PACKAGE=gcc-14.2.0.tar.xz, tar -xf ../mpfr-4.2.1.tar.xz
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from build_exporter.checksums.check import merged
from build_exporter.checksums.checksum_files import read_checksum_file, read_regular
from build_exporter.model.events import SourceFile
from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.plan.book_sources import fitting, named_in
from build_exporter.plan.jhalfs_makefile import CUSTOM, JhalfsMakefile, JhalfsStep

LISTS: Final = ("urls.lst", "MD5SUMS", "md5sums")
MISSING_FILES: Final = "MISSING_FILES.DMP"
"""Files jhalfs could not download; the files themselves are more up to date."""

SCRIPT_BYTES: Final = 256 * 1024
"""Read of a script; the longest of the LFS book's has some 20 KB."""

_PACKAGE: Final = re.compile(r"^PACKAGE=([\w.+~@%-]+)[ \t]*$", re.MULTILINE)


def sources_directory(tree: Path) -> Path:
    """Return where jhalfs keeps the files: next to its own directory."""
    return tree.parent / "sources"


def jhalfs_sources(
    tree: Path,
    makefile: JhalfsMakefile,
    directory: Path | None = None,
    book: Callable[[], Iterable[SourceFile]] = tuple,
) -> Mapping[str, list[SourceFile]]:
    """Return the files of each target that has any; without lists of checksums only their names are known.

    Args:
        tree: jhalfs' own directory.
        makefile: the one in it.
        directory: where the files and their lists are; by default next to the tree.
        book: returns the files of its book; called if there is no list.
    """
    directory = directory or sources_directory(tree)
    listed: dict[str, SourceFile] = {}
    for name in LISTS:
        try:
            files = read_checksum_file(directory / name).files
        except (OSError, ValueError):
            continue
        for each in files.values():
            listed[each.file] = merged(listed, each)
    listed = listed or {each.file: each for each in book()}
    # what is no text that an event could hold is nothing that a step names
    listed = {name: each for name, each in listed.items() if name.isprintable()}
    found = {step.target: fitting(_files(tree, step, listed)) for step in makefile.steps}
    return {target: files for target, files in found.items() if files}


def _files(tree: Path, step: JhalfsStep, listed: Mapping[str, SourceFile]) -> Iterator[SourceFile]:
    text = _script(tree, step)
    names = [name for name in _PACKAGE.findall(text) if len(name) <= MAX_NAME_LENGTH]
    names += [step.tarball] if step.tarball else []
    for name in dict.fromkeys((*names, *named_in([text], listed))):
        yield listed.get(name) or SourceFile(file=name)


def _script(tree: Path, step: JhalfsStep) -> str:
    chapter = step.phase.removeprefix("chapter-")
    folder = "custom-tools" if step.phase == CUSTOM else f"chapter{chapter:0>2}"
    try:
        path = tree / "lfs-commands" / folder / step.target
        return read_regular(path, SCRIPT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
