"""The query commands. A new one is one file here that defines `QUERY`, and its line in `SUMMARIES`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from build_exporter.queries.request import Query

SUMMARIES: Final[dict[str, str]] = {
    "analyze": "Show where a run's time went and what would save most.",
    "compare": "Compare a run with an earlier one, step by step.",
    "database": "Show whether the databases a build needs answer.",
    "error-trends": "Show which failures happen more or less often over the runs.",
    "errors": "List failed attempts with their class and reason.",
    "failing-steps": "Show which steps fail over the runs: flaky, or again and again.",
    "fit": "Show whether disk and memory suffice for the steps to come.",
    "health": "Show whether the exporter and its parts work.",
    "history": "List how long steps took in past runs.",
    "milestones": "List milestones, reached and to come.",
    "network": "Show network traffic, errors and latencies.",
    "progress": "Show how far builds and their phases are.",
    "resolution": "Show how long failures took to be put right.",
    "resources": "Show use of CPU, memory, disk and I/O.",
    "response-times": "Show how fast the exporter and the services answer.",
    "saved": "List or ask the PromQL queries that the configuration saves.",
    "services": "Show whether the services a build needs answer.",
    "speed": "Show steps an hour, SBU and pace against the plan.",
    "tasks": "List steps with state, times and failures.",
    "throughput": "Show steps done in each part of the time.",
    "timeline": "Show steps in time, and whether the build is on schedule.",
    "trends": "Show which steps got slower or faster over the runs.",
}
"""Each query with a line about it: lists of commands need not load any."""


def find(name: str) -> Query:
    """Return a query by its name; only its own file is loaded."""
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast("Query", module.QUERY)
