"""Count how often each command is used on a journal: one byte a use in a file of its own, without a lock.

Kept to what `os` gives, because `emit` loads it while a build waits.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = ".commands"
SWITCH = "BUILD_EXPORTER_COUNT_COMMANDS"
"""Set to `no`, nothing is counted."""
MOST = 100
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz-")


def _is_name(text: str) -> bool:
    return 0 < len(text) < 32 and _CHARACTERS.issuperset(text)


def count_command(journal: str, command: str) -> None:
    """Add a use of a command; nothing is counted in a journal that no exporter has served or that is read-only."""
    if os.environ.get(SWITCH) == "no" or not _is_name(command) or not os.path.isdir(journal):
        return
    try:  # noqa: SIM105 - without contextlib
        _add(f"{journal}/{DIRECTORY}", command)
    except OSError:
        pass


def _add(directory: str, command: str) -> None:
    if command == "serve" and not os.path.isdir(directory):
        os.mkdir(directory)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(f"{directory}/{command}", flags, 0o666)
    os.write(descriptor, b".")
    os.close(descriptor)


def command_uses(journal: str) -> Iterator[tuple[str, int]]:
    """Yield the commands with their uses, by name; at most 100, because anybody who may write there can add files."""
    try:
        with os.scandir(f"{journal}/{DIRECTORY}") as entries:
            found = sorted((entry.name, entry) for entry in entries if _is_name(entry.name))
    except OSError:
        return
    for name, entry in found[:MOST]:
        yield name, entry.stat(follow_symlinks=False).st_size
