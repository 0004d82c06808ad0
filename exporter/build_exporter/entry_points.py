"""Entry points that installed packages bring; the library for them is loaded only where there are any.

`importlib.metadata` needs the standard library's readers of e-mail and zip archives, 1.7 MB of memory.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def entry_points(group: str) -> Sequence[EntryPoint]:
    """Return the entry points of a group, of all packages that Python finds."""
    if not any(_may_name(group, place) for place in sys.path):
        return ()
    from importlib import metadata  # noqa: PLC0415 - see above

    return tuple(metadata.entry_points(group=group))


def _may_name(group: str, place: str) -> bool:
    """Return whether a package in an entry of the module search path may have a group; in an archive any may."""
    return os.path.isfile(place) or any(group.encode() in text for text in _files(place or "."))  # noqa: PTH113


def _files(directory: str) -> Iterator[bytes]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - only names
    except OSError:
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info", "EGG-INFO")):
            with contextlib.suppress(OSError), open(f"{directory}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123
                yield file.read()
