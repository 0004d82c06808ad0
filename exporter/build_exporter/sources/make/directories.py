"""The directories a build's makes work in, from their "Entering" and "Leaving" lines."""

from __future__ import annotations

import os.path
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_OPEN: Final = 1000
"""Directories open at once: more than any build has, and all that a log of entries alone can take up."""

MAX_PARTS: Final = 2
"""Components of a directory's name that are shown: what is below belongs to it."""

WIDE: Final = frozenset({"drivers"})
"""Directories of a kernel that are as large as all others together: shown by what is in them."""

MAX_NAME: Final = 120

MAX_ANNOUNCED: Final = 64
"""Directories that are to be entered, by what was printed before the first is: as many as jobs may run at once."""

_ANNOUNCED: Final = re.compile(r"^Making \S+ in (\S+)$|\bmake\b.* -C ?(\S+)|\bcd (\S+) *(?:&&|;)")
_PACKAGE: Final = re.compile(r"/build/([A-Za-z][\w.+~-]{0,99}-\d[\w.+~-]{0,40})(?=/|$)")
"""A package's directory where many are built below one, as Buildroot does: that is the part, not `output/build`."""
_TEMPORARY: Final = re.compile(r"^/(?:var/|usr/)?tmp/(?=.)")
_LINKED: Final = re.compile(r"^(?:\./)?\.?(?:tmp_)?(?:vmlinux|modules)\b|^System\.map$")


@dataclass(slots=True)
class Open:
    """A directory that a make has entered and not left: its level, path, and part; the top's has no name."""

    level: int
    path: str
    name: str


class Directories:
    """The directories open at a time; with parallel jobs there are several at one level.

    Attributes:
        opened: in the order of entering.
        top: the directory whose make is the whole build, as far as is known; empty before the first.
        lowest: the lowest level seen, None before the first.
        left: levels and paths left so far, to be emptied by whoever wants to know of a stage.
    """

    def __init__(self) -> None:
        self.opened: list[Open] = []
        self.top = ""
        self.lowest: int | None = None
        self.left: set[tuple[int, str]] = set()
        self._announced: deque[str] = deque(maxlen=MAX_ANNOUNCED)
        self._leaves: list[Open] | None = None

    def announce(self, text: str) -> None:
        """Take a line that may announce the next directory: it distinguishes the first one from the top."""
        found = _ANNOUNCED.search(text)
        if found is not None and "$" in found[0]:
            # a loop over directories: their names are still to come, and are below
            self._announced.append("/*")
        elif found is not None:
            self._announced.append("/" + next(filter(None, found.groups())).strip("/'\""))

    def is_open(self, level: int, path: str) -> bool:
        """Return whether a make of that level is in that directory."""
        return any(each.level == level and each.path == path for each in self.opened)

    def enter(self, level: int, path: str) -> None:
        """Note a directory entered."""
        self.lowest = level if self.lowest is None else min(level, self.lowest)
        self._leaves = None
        if len(self.opened) < MAX_OPEN:
            self.opened.append(Open(level, path, self.name(path)))

    def leave(self, level: int, path: str) -> Open | None:
        """Note a directory left and return what was known of it, None where it was not open."""
        for index in range(len(self.opened) - 1, -1, -1):
            each = self.opened[index]
            if each.level == level and each.path == path:
                if len(self.left) < MAX_OPEN:
                    self.left.add((level, path))
                self._leaves = None
                return self.opened.pop(index)
        return None

    def is_below(self, level: int) -> bool:
        """Return whether a make of that level was called by another of this console."""
        return self.lowest is not None and level > self.lowest

    def is_outside(self, path: str | None) -> bool:
        """Return whether a path, where there is one, is not in the directory of the whole build."""
        return path is not None and not (self.top and path.startswith(self.top.rstrip("/") + "/"))

    def leaves(self) -> list[Open]:
        """Return the open directories in which no other one is open: work is done in these."""
        if self._leaves is not None:
            return self._leaves
        found: list[Open] = []
        for each in self.opened:
            below = each.path.rstrip("/") + "/"
            deeper = any(other.path.startswith(below) for other in self.opened)
            if not deeper and each.name not in (one.name for one in found):
                found.append(each)
        self._leaves = found
        return found

    def close(self) -> None:
        """Forget the directories open."""
        self.opened.clear()
        self._leaves = None

    def name(self, path: str) -> str:
        """Return the name of the part a directory belongs to: its path below the top, cut; empty for the top."""
        if not self.top:
            below = next((each for each in self._announced if len(each) > 1 and path.endswith(each)), "")
            if not below and "/*" in self._announced:
                below = "/" + path.rpartition("/")[2]
            self.top = path.removesuffix(below) or "/"
        package = _PACKAGE.search(path)
        if package is not None and not self.top.startswith(path[: package.end()]):
            return _short(package[1])
        if path != self.top and not path.startswith(self.top.rstrip("/") + "/"):
            common = os.path.commonpath([path, self.top]) if path.startswith("/") and self.top.startswith("/") else "/"
            if common.count("/") < 2:
                # elsewhere altogether; where all temporary files are says nothing of this one
                return _short("/".join(_TEMPORARY.sub("", path).strip("/").split("/")[-MAX_PARTS:]))
            self.top = common
        below = path[len(self.top) :].strip("/")
        return _short("/".join(below.split("/")[:MAX_PARTS]))


def part_of_path(tag: str, path: str, tool: str) -> str:
    """Return the name of the part that a built file belongs to, by a terse line's tag and path.

    That is its first directory; below `drivers` the second, too. Linking the kernel and its modules are parts of
    their own, as they come after all directories and take long.
    """
    if path.endswith((".ko", ".mod.o", ".mod.c")):
        return "modules"
    if _LINKED.match(path) or tag in ("MODPOST", "KSYMS"):
        return "vmlinux"
    parts = [part for part in path.split("/")[:-1] if part not in ("", ".", "..")]
    if path.startswith("/") or not parts:
        return tool
    return _short("/".join(parts[: 2 if parts[0] in WIDE else 1])) or tool


def _short(name: str) -> str:
    return name[:MAX_NAME].strip()
