"""Attribute compiler warnings to parts of a build."""

from __future__ import annotations

import re
from typing import Final

from build_exporter.sources.make.directories import Directories, part_of_path
from build_exporter.sources.make.emitter import Emitter
from build_exporter.sources.make.parts import Part
from build_exporter.sources.step_logs.warnings import WarningReader

_PLACE: Final = re.compile(r"^([^\s:\"'`]{1,1000}):\d+")


class WarningAttribution:
    """Gives each line that may be a warning to one part, so that those of all parts add up to the console's.

    It is that of the directory in which the file named is, else the directory entered last. What came while no part
    was at work is the next one's; what comes of a part that has failed still counts there.
    """

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._waiting = WarningReader()
        self._over: dict[str, Part] = {}

    def begin(self, name: str, part: Part) -> None:
        """Note a part that begins."""
        self._over.pop(name, None)
        part.warnings, self._waiting = self._waiting, WarningReader()

    def end(self, name: str, part: Part) -> None:
        """Note a part that is over."""
        self._over[name] = part

    def clear(self) -> None:
        """Forget the parts that are over: another stage begins."""
        self._over.clear()

    def feed(self, text: str, parts: dict[str, Part], directories: Directories | None, tool: str) -> None:
        """Take a line into account; `directories` is None where they are no parts."""
        name = _named(text, parts, directories, tool)
        part = parts.get(name)
        if part is None and name in self._over:
            part = self._over[name]
            self._emitter.warned(part)
        elif part is None:
            part = next(reversed(parts.values()), None)
        (part.warnings if part is not None else self._waiting).feed(text)


def _named(text: str, parts: dict[str, Part], directories: Directories | None, tool: str) -> str:
    if directories is None:
        return tool
    found = _PLACE.match(text)
    path = found[1] if found is not None else ""
    leaves = directories.leaves()
    for each in reversed(leaves):
        if path.startswith(each.path.rstrip("/") + "/"):
            return each.name or tool
    if any(each.name for each in leaves):
        return leaves[-1].name or tool
    named = part_of_path("", path, tool) if path else tool
    return named if named in parts else tool
