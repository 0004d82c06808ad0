"""Packages an emerge is still to merge: Portage's resume list (mtimedb), or the output of `emerge -p` in a file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from build_exporter.sources.files import open_regular
from build_exporter.sources.portage.history import BINARY, MERGE
from build_exporter.sources.portage.lines import MAX_PACKAGE_LENGTH

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest file read; real ones have some ten KB."""

MAX_PACKAGES: Final = 20_000

_KINDS: Final = {"ebuild": MERGE, "binary": BINARY}
_PACKAGE: Final = re.compile(r"[\w+][\w+.-]*/[\w+][\w+.-]*\Z")
_PRETENDED: Final = re.compile(r"^\[(ebuild|binary)[^\]\n]*\] ([\w+][\w+.-]*/[\w+][\w+.-]*)(.*)$", re.MULTILINE)
_TO_ROOT: Final = re.compile(r" to (/\S+)")
_ESCAPES: Final = re.compile(r"\x1b\[[\d;]*m")


class Pending(NamedTuple):
    """A package to be merged, and how."""

    kind: str
    package: str
    root: str


class PendingFile:
    """A file read again when it has changed.

    Attributes:
        lists: what it holds: of mtimedb the list of the newest emerge and the one it keeps of an earlier.
        exists: whether it was there at the last poll.
    """

    def __init__(self, path: Path | None, *, pretended: bool = False) -> None:
        self.path = path
        self.lists: list[list[Pending]] = []
        self.exists = False
        self._pretended = pretended
        self._stamp: tuple[int, int, int] | None = None

    def poll(self) -> None:
        """Read the file where it has changed; one that can't be read, or makes no sense, holds nothing."""
        if self.path is None:
            return
        try:
            descriptor = open_regular(self.path)
        except OSError:
            self.exists, self.lists, self._stamp = False, [], None
            return
        try:
            found = os.fstat(descriptor)
            self.exists = True
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            data = os.pread(descriptor, MAX_BYTES, 0) if found.st_size <= MAX_BYTES else b""
        except OSError:
            data = b""
        finally:
            os.close(descriptor)
        self.lists = [read_pretended(data)] if self._pretended else read_mtimedb(data)

    def kind_of(self, package: str) -> str:
        """Return how a package is to be merged; empty where it is in no list."""
        return next((each.kind for wanted in self.lists for each in wanted if each.package == package), "")


def read_mtimedb(data: bytes) -> list[list[Pending]]:
    """Return the resume lists of mtimedb: the newest emerge's, then the backup; those that are empty are left out."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    found = [_resume_list(document.get(key)) for key in ("resume", "resume_backup")]
    return [wanted for wanted in found if wanted]


def read_pretended(data: bytes) -> list[Pending]:
    """Return the packages that `emerge -p` (with or without -v, colours or not) says it would merge, in order."""
    text = _ESCAPES.sub("", data.decode("utf-8", "replace"))
    found = []
    for line in _PRETENDED.finditer(text):
        package = re.sub(r":.*", "", line[2])
        root = _TO_ROOT.search(line[3])
        if len(package) <= MAX_PACKAGE_LENGTH:
            found.append(Pending(_KINDS[line[1]], package, root[1] if root else "/"))
    return found[:MAX_PACKAGES]


def _resume_list(section: Any) -> list[Pending]:
    merges = section.get("mergelist") if isinstance(section, dict) else None
    if not isinstance(merges, list):
        return []
    return [wanted for each in merges[:MAX_PACKAGES] if (wanted := _resumed(each)) is not None]


def _resumed(each: Any) -> Pending | None:
    match each:
        case [str(kind), str(root), str(package), "merge", *_] if kind in _KINDS:
            if len(package) <= MAX_PACKAGE_LENGTH and _PACKAGE.match(package):
                return Pending(_KINDS[kind], package, root)
    return None
