"""The weights of a jhalfs tree's steps, from the book it builds by."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from build_exporter.plan.book import Revision, merge_weights, read_book
from build_exporter.plan.book_entities import BookError
from build_exporter.plan.jhalfs_makefile import JhalfsStep

log = logging.getLogger(__name__)

BOOK_IN_TREE: Final = "book-source"
"""Directory of the book inside jhalfs' own."""

REVISIONS: Final[tuple[Revision, ...]] = ("systemd", "sysv")


class Weights:
    """The steps' SBU by the book, read once for one Makefile.

    Args:
        book: the book's XML; None: the one in the tree, where it is.
    """

    def __init__(self, book: Path | None) -> None:
        self._book = book
        self._steps: Sequence[JhalfsStep] | None = None
        self._weights: Mapping[str, float] = {}

    def of(self, tree: Path, steps: Sequence[JhalfsStep]) -> Mapping[str, float]:
        """Return the SBU by target; empty without a book, or where it can't be read, which is logged."""
        if steps is not self._steps:
            self._steps, self._weights = steps, self._read(tree, steps)
        return self._weights

    def _read(self, tree: Path, steps: Sequence[JhalfsStep]) -> Mapping[str, float]:
        directory = self._book if self._book is not None else tree / BOOK_IN_TREE
        if self._book is None and not directory.is_dir():
            return {}
        try:
            return max((_weights_by(directory, revision, steps) for revision in REVISIONS), key=len)
        except (BookError, OSError) as error:
            log.warning("no weights from the book", extra={"book": str(directory), "error": str(error)})
            return {}


def _weights_by(directory: Path, revision: Revision, steps: Sequence[JhalfsStep]) -> Mapping[str, float]:
    merged = merge_weights(steps, read_book(directory, revision).steps)
    return {target: step.planned.sbu for target, step in merged.items() if step.planned.sbu is not None}
