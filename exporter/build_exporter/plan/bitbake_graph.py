"""The plan of a BitBake build from `task-depends.dot`, which `bitbake -g TARGET` writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from build_exporter.model.events import PlannedStep
from build_exporter.plan.weighted import WeightedPlan, WeightedStep

MAX_TASKS: Final = 100_000
MAX_NAME: Final = 200
NO_WORK: Final = frozenset({"do_build"})
"""Tasks without commands: BitBake ends them as it begins them, and its buildstats have no file of them."""

Task = tuple[str, str]
"""Recipe, without its version, and task."""

_NODE: Final = re.compile(r'^\s*"([^"\s]+)\.(do_[^".\s]+)"\s*\[label="[^"\\]*\\n([^"\\]*)')
_EDGE: Final = re.compile(r'^\s*"([^"\s]+)\.(do_[^".\s]+)"\s*->\s*"([^"\s]+)\.(do_[^".\s]+)"')


def read_graph(text: str) -> WeightedPlan:
    """Return the tasks of a graph, each after those it needs; phase and step are named as in buildstats.

    Raises:
        ValueError: it is no graph of tasks, it has too many, or a task needs itself.
    """
    versions: dict[Task, str] = {}
    needs: dict[Task, list[Task]] = {}
    for line in text.splitlines():
        if node := _NODE.match(line):
            task = (node[1], node[2])
            versions[task] = node[3]
            needs.setdefault(task, [])
        elif edge := _EDGE.match(line):
            needs.setdefault((edge[1], edge[2]), []).append((edge[3], edge[4]))
    if not versions:
        raise ValueError('no task in it: `bitbake -g TARGET` writes lines `"zlib.do_compile" [label=...]`')
    if len(versions) > MAX_TASKS:
        raise ValueError(f"{len(versions)} tasks are more than {MAX_TASKS}")
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(".".join(task) for task in error.args[1][:10])
        raise ValueError(f"tasks need one another in a circle: {circle}") from None
    wanted = [task for task in order if task in versions and task[1] not in NO_WORK]
    return WeightedPlan(tuple(_steps(wanted, versions, needs)))


def _steps(order: Sequence[Task], versions: dict[Task, str], needs: dict[Task, list[Task]]) -> Iterator[WeightedStep]:
    named = {task: f"{task[0].rpartition(':')[2]}-{_revision(versions[task])}"[:MAX_NAME] for task in order}
    for task in order:
        version = _revision(versions[task]).rpartition("-")[0]
        yield WeightedStep(
            PlannedStep(
                phase=task[1],
                step=named[task],
                package=task[0][:MAX_NAME],
                version=version[:MAX_NAME] or None,
                after=[f"{need[1]}/{named[need]}" for need in needs[task] if need in named] or None,
            )
        )


def _revision(version: str) -> str:
    """Return epoch, version and revision as names of directories have them: `1_2016.07-r0` for `1:2016.07-r0`."""
    epoch, found, rest = version.partition(":")
    return f"{epoch}_{rest}" if epoch and found else rest or epoch
