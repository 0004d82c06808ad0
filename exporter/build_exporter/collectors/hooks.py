"""Families of hooks: runs by hook and result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from build_exporter.exposition import Family

RESULTS = ("succeeded", "failed", "timeout", "dropped")


class HookCollector:
    """Shows how runs of hooks ended; `counts` is by (hook, result)."""

    name = "hooks"

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Family]:
        """Return the one family: every result of each hook that ever ran."""
        family = Family("build_exporter_hook_runs_total")
        known = dict(self._counts)
        for hook in sorted({hook for hook, _ in known}):
            for result in RESULTS:
                family.add(known.get((hook, result), 0), hook, result)
        return [family]
