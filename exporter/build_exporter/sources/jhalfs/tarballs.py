"""The files a jhalfs tree's steps unpack, by jhalfs' download lists."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from build_exporter.model.events import SourceFile
from build_exporter.plan.book import read_book
from build_exporter.plan.book_entities import BookError
from build_exporter.plan.jhalfs_makefile import JhalfsMakefile, JhalfsStep
from build_exporter.plan.jhalfs_sources import jhalfs_sources, sources_directory
from build_exporter.sources.jhalfs.weights import BOOK_IN_TREE, REVISIONS


class Tarballs:
    """The steps' files, computed once per Makefile.

    Args:
        directory: where they are; None: next to the tree, if there is such a directory.
        book: the book's XML, for a tree without a list of checksums; None: the one in the tree, where it is.

    Attributes:
        directory: where they are, None if unknown: then files are not verified.
    """

    def __init__(self, directory: Path | None, book: Path | None = None) -> None:
        self.directory: Path | None = None
        self._given = directory
        self._book = book
        self._steps: tuple[JhalfsStep, ...] | None = None
        self._files: Mapping[str, list[SourceFile]] = {}

    def of(self, tree: Path, makefile: JhalfsMakefile) -> Mapping[str, list[SourceFile]]:
        """Return each target's files, those that have any."""
        if makefile.steps is not self._steps:
            beside = sources_directory(tree.absolute())
            self._steps = makefile.steps
            # a tree that was copied, to be read in, has no files that anybody will unpack
            self.directory = self._given or (beside if beside.is_dir() else None)
            book = self._book if self._book is not None else tree / BOOK_IN_TREE
            self._files = {}
            if self.directory is not None:
                self._files = jhalfs_sources(tree, makefile, self.directory, lambda: _declared(book))
        return self._files


def _declared(book: Path) -> Iterator[SourceFile]:
    """Yield the files that a book's steps are built from; none where it can't be read, which `Weights` logs."""
    for revision in REVISIONS:
        with contextlib.suppress(BookError, OSError):
            for step in read_book(book, revision).steps:
                yield from step.planned.sources or ()
