"""Summarize a run's toolchain in one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from build_exporter.model.events import ToolVersion
from build_exporter.toolchain.steps import known_tools
from build_exporter.tracker import Run

_SHOWN: Final = ("gcc", "clang", "binutils", "glibc", "musl")
_NEAREST: Final = ("target", "cross", "host")


def summary(run: Run) -> str:
    """Return target, compiler, binutils, C library, -j and the share that ccache knew; empty where nothing is known.

    For a tool in several roles the target's version is shown, and others where they differ.
    """
    parts = []
    known = run.toolchain
    if known is not None and known.target:
        parts.append(known.target if known.host in (None, known.target) else f"{known.target} on {known.host}")
    tools = known_tools(run)
    parts += [facts for name in _SHOWN if (facts := _describe(name, tools))]
    if run.jobs_used is not None:
        parts.append(f"-j{run.jobs_used}")
    ratio = ccache_ratio(run)
    if ratio is not None:
        parts.append(f"ccache {ratio:.0%} hits")
    return ", ".join(parts) if known is not None or tools else ""


def ccache_ratio(run: Run) -> float | None:
    """Return the share of this run's compilations that ccache knew; None where it was not asked."""
    known = run.toolchain
    if known is None or known.ccache_hits is None or known.ccache_misses is None:
        return None
    asked = known.ccache_hits + known.ccache_misses
    return known.ccache_hits / asked if asked else None


def _describe(name: str, tools: Iterable[ToolVersion]) -> str:
    versions = {tool.role: tool.version for tool in tools if tool.tool == name}
    if not versions:
        return ""
    first, *others = [role for role in _NEAREST if role in versions]
    differing = [f"{role} {versions[role]}" for role in others if versions[role] != versions[first]]
    return f"{name} {versions[first]}" + (f" ({', '.join(differing)})" if differing else "")
