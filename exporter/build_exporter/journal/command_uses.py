"""How often each command was used on a journal: a file for each, one byte a use, so that counting needs no lock."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Final

DIRECTORY: Final = ".commands"
SWITCH: Final = "BUILD_EXPORTER_COUNT_COMMANDS"
"""Set to `no`, nothing is counted."""
MOST: Final = 100
_NAME: Final = re.compile(r"[a-z][a-z-]{0,30}")


def count_command(journal: str, command: str) -> None:
    """Add a use of a command; without a journal, or where it may not be written, nothing is counted."""
    if os.environ.get(SWITCH) == "no" or not _NAME.fullmatch(command) or not os.path.isdir(journal):
        return
    directory = f"{journal}/{DIRECTORY}"
    with contextlib.suppress(OSError):
        if not os.path.isdir(directory):
            os.mkdir(directory)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(f"{directory}/{command}", flags, 0o666)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)


def command_uses(journal: str) -> Iterator[tuple[str, int]]:
    """Yield the commands with their uses, by name; at most 100, because anybody who may write there can add files."""
    try:
        with os.scandir(f"{journal}/{DIRECTORY}") as entries:
            found = sorted((entry.name, entry) for entry in entries if _NAME.fullmatch(entry.name))
    except OSError:
        return
    for name, entry in found[:MOST]:
        with contextlib.suppress(OSError):
            yield name, entry.stat(follow_symlinks=False).st_size
