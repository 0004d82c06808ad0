"""What a source is told of a record beside its path: patterns of a log, weights of a jhalfs tree from its book."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build_exporter.config.schema import Source
from build_exporter.plan.book import Revision, merge_weights, read_book
from build_exporter.plan.book_entities import BookError
from build_exporter.plan.jhalfs_makefile import read

log = logging.getLogger(__name__)

BOOK_IN_TREE = "book-source"
"""Where jhalfs keeps the book it builds by, in its own directory."""

_REVISIONS: tuple[Revision, ...] = ("systemd", "sysv")


def source_options(kind: str, path: Path, book: Path | None = None, configured: Source | None = None) -> dict[str, Any]:
    """Return a source's options.

    Args:
        kind: the kind of record.
        path: the record.
        book: sources of the LFS book, for jhalfs; by default those in the tree, where they are.
        configured: the source as the configuration has it.
    """
    options = configured.chosen() if configured is not None else {}
    if options.get("book") is not None:
        book = Path(options["book"])
    if kind == "jhalfs":
        options["weights"] = jhalfs_weights(path, book)
    return options


def jhalfs_weights(path: Path, book: Path | None) -> Mapping[str, float]:
    """Return the SBU of a jhalfs tree's targets by the book, that of the book's two forms which fits more of them.

    Empty, with a line in the log where a book was named, when there is no Makefile yet or the book can't be read.
    """
    tree = path if (path / "Makefile").is_file() else path / "jhalfs"
    directory = book if book is not None else tree / BOOK_IN_TREE
    if book is None and not directory.is_dir():
        return {}
    found: dict[str, float] = {}
    try:
        steps = read(tree / "Makefile").steps
        for revision in _REVISIONS:
            merged = merge_weights(steps, read_book(directory, revision).steps)
            weights = {target: step.planned.sbu for target, step in merged.items() if step.planned.sbu is not None}
            if len(weights) > len(found):
                found = weights
    except (BookError, OSError) as error:
        log.warning("no weights from the book", extra={"book": str(directory), "error": str(error)})
    return found
