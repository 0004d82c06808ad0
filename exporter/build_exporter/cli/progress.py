"""Show the progress of long work on the terminal; nothing where standard error is a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def progress_shown(words: str) -> Iterator[None]:
    """Show what is being done while it is."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load

    with Console(stderr=True).status(words):
        yield


def begin_frame() -> None:
    """Go to the top of the terminal and erase what is below; what has been scrolled off stays."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[H\x1b[J")
