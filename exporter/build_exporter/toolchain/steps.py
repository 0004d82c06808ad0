"""Infer a run's toolchain from its own steps and their package versions.

So finished and imported builds have one too, although their trees were never read.
"""

from __future__ import annotations

import re
from typing import Final

from build_exporter.model.events import ToolRole, ToolVersion
from build_exporter.model.states import StepState
from build_exporter.toolchain.survey import Key, key_of, merged
from build_exporter.toolchain.versions import TRIPLET
from build_exporter.tracker import Run, Step, kept

_TOOLS: Final = {
    "gcc": "gcc", "gcc-final": "gcc", "binutils": "binutils", "glibc": "glibc", "musl": "musl", "make": "make",
    "linux-headers": "linux-headers", "linux-libc-headers": "linux-headers", "linux-api-headers": "linux-headers",
    "clang": "clang", "rust": "rust", "rustc": "rust",
}  # fmt: skip
"""Tools by the names that packages of them have."""

_VERSION: Final = re.compile(r"\d[A-Za-z0-9.+_-]{0,63}\Z")
_CROSS: Final = re.compile(r"(gcc|binutils)-cross-[a-z0-9_]{2,20}\Z")
_PREPARING: Final = frozenset({"unmerge", "clean", "download", "extract", "patch", "configure", "fetch", "sync"})
_INSTALLING: Final = frozenset({"do_install", "do_populate_sysroot"})


@kept
def tools_of_steps(run: Run) -> list[ToolVersion]:
    """Return the tools that the run's succeeded steps have built, by role; of each the one built last.

    The first pass of LFS's binutils and GCC is `cross`, and so is what Buildroot calls `host-…`, BitBake `…-cross-…`
    and Gentoo's crossdev `cross-TRIPLET/…`; everything else is `target`.
    """
    found: dict[Key, tuple[float, ToolVersion]] = {}
    for step in list(run.steps.values()):
        tool = _tool_of(step)
        if tool is not None and (key_of(tool) not in found or found[key_of(tool)][0] <= (step.end or 0.0)):
            found[key_of(tool)] = (step.end or 0.0, tool)
    return [tool for _, tool in found.values()]


def _tool_of(step: Step) -> ToolVersion | None:
    if step.state is not StepState.SUCCEEDED or not step.package or not step.version:
        return None
    category, _, name = step.package.lower().rpartition("/")
    role: ToolRole = "target"
    target = None
    if category.startswith("cross-") and TRIPLET.match(category[6:]):
        role, target = "cross", category[6:]
    elif name.startswith("host-") or step.step.endswith("-pass1"):
        role, name = "cross", name.removeprefix("host-")
    elif found := _CROSS.match(name):
        role, name = "cross", found[1]
    tool = _TOOLS.get(name)
    # last, because most packages are none of the tools
    if tool is None or not _VERSION.match(step.version) or not _installs(step.phase):
        return None
    return ToolVersion(tool=tool, version=step.version, role=role, target=target)


def _installs(phase: str) -> bool:
    return phase in _INSTALLING if phase.startswith("do_") else phase not in _PREPARING


def known_tools(run: Run) -> list[ToolVersion]:
    """Return what is known of a run's tools: as found on the machine, and for the rest as its steps built them."""
    surveyed = run.toolchain.tools or [] if run.toolchain is not None else []
    seen = {(tool.role, tool.tool) for tool in surveyed}
    built = [tool for tool in tools_of_steps(run) if (tool.role, tool.tool) not in seen]
    return merged(surveyed, built) if built else list(surveyed)
