"""One survey: locate a build's tools by its processes and record, and identify them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from build_exporter.model.events import MAX_TOOLS, ToolVersion
from build_exporter.sources.protocol import BuildContext
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.layout import Place, tools_in
from build_exporter.toolchain.machine import Machine, this_machine
from build_exporter.toolchain.processes import ProcessFacts
from build_exporter.toolchain.versions import TRIPLET

Key = tuple[str, str | None, str]
"""A tool's identity within a toolchain: role, triplet and tool."""

SYSTEM: Final = Path("/")


class Survey:
    """Input of a survey for one build at one moment; equal inputs find the same.

    Attributes:
        system: the root directory of the machine, or of the container, that builds.
        wanted: triplets that are built for.
        places: the other trees with tools.
    """

    def __init__(
        self, facts: ProcessFacts, around: BuildContext, system: Path = SYSTEM, target: str | None = None
    ) -> None:
        self.system = facts.root if facts.root is not None and facts.is_contained else system
        # inside the new system no variable names its triplet any more: `target` is what was known before
        named = (facts.target or target, facts.variables.get("LFS_TGT"), facts.variables.get("CTARGET"))
        self.wanted = frozenset(each for each in named if each and TRIPLET.match(each))
        self.places = tuple(_places(facts, around, self.wanted))

    def __eq__(self, other: object) -> bool:
        """Return whether the other covers the same places."""
        if not isinstance(other, Survey):
            return NotImplemented
        return (self.system, self.wanted, self.places) == (other.system, other.wanted, other.places)

    __hash__ = None  # type: ignore[assignment]

    def machine(self, files: Files) -> Machine:
        """Return what the machine that builds is, with its tools."""
        return this_machine(files, self.system, self.wanted)

    def tools(self, files: Files) -> list[ToolVersion]:
        """Return the tools of the other trees."""
        return [tool for place in self.places for tool in tools_in(files, place)]


def _places(facts: ProcessFacts, around: BuildContext, wanted: frozenset[str]) -> Iterable[Place]:
    new = _new_system(facts, around)
    if new is not None:
        yield Place(new / "tools", "cross", wanted=wanted)
        yield Place(new, "target", inside=True, wanted=wanted)
    if around.cross_tools is not None:
        yield Place(around.cross_tools, "cross", wanted=wanted)


def _new_system(facts: ProcessFacts, around: BuildContext) -> Path | None:
    """Return the root of the system being built, None without one."""
    if facts.root is not None and not facts.is_contained:
        return facts.root
    text = facts.variables.get("LFS", "")
    path = around.new_system
    if text.startswith("/") and ".." not in text.split("/") and text.strip("/") and "\0" not in text:
        path = Path(text) if facts.root is None else facts.root / text.lstrip("/")
    return path if path is not None and os.path.isdir(path) else None  # noqa: PTH112 - an error is a no


def merged(known: Iterable[ToolVersion], found: Iterable[ToolVersion]) -> list[ToolVersion]:
    """Return what is known of a run's tools with what was found now, at most `MAX_TOOLS`, in a settled order.

    A tool that is gone stays: the run was built with it. But a system has one linker and one C library, whatever its
    triplet was taken for before.
    """
    now = {key_of(tool): tool for tool in found}
    replaced = {(role, tool) for role, _, tool in now if role != "cross" and tool != "gcc"}
    tools = {key_of(tool): tool for tool in known if (tool.role, tool.tool) not in replaced} | now
    named = {(role, tool) for role, target, tool in tools if target is not None}
    keys = [key for key in tools if key[1] is not None or (key[0], key[2]) not in named]
    return [tools[key] for key in sorted(keys, key=_order)][:MAX_TOOLS]


def key_of(tool: ToolVersion) -> Key:
    """Return a tool's key within a toolchain."""
    return (tool.role, tool.target, tool.tool)


_ROLES: Final[Mapping[str, int]] = {"host": 0, "cross": 1, "target": 2}


def _order(key: Key) -> tuple[int, str, str]:
    role, target, tool = key
    return (_ROLES[role], target or "", tool)
