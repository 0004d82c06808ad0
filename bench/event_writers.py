"""What writing events costs the build itself: the shell hook and the wrapper, from their own measurements."""

from __future__ import annotations

from typing import Any, cast

from bench import hook, wrapper
from bench.figure import Figure


def figures(*, quick: bool = False) -> list[Figure]:
    """Return an event of the hook in each shell beside the start of the least program, and what the wrapper adds."""
    result = cast("dict[str, Any]", hook.measure(events=100 if quick else 2000, rounds=1 if quick else 3))
    wrapped = cast("dict[str, Any]", wrapper.measure(pairs=3 if quick else 50, load_seconds=2.0 if quick else 10.0))
    return [
        *(_event(shell, result) for shell in result["hook_event_ms"]),
        Figure(
            key="wrapper_added",
            what="wrapper: time added to a step, median",
            unit="s",
            ours=wrapped["wrapper_added_ms"] / 1e3,
            peer="python -c pass",
            peer_value=wrapped["python_start_ms"] / 1e3,
            goal=wrapped["goals"]["wrapper_added_ms"] / 1e3,
            detail=wrapped,
        ),
        Figure(
            key="wrapper_cpu",
            what="wrapper: CPU beside 8 jobs of short processes",
            unit="ratio",
            ours=wrapped["wrapper_cpu_ratio"]["8 jobs"],
            goal=wrapped["goals"]["wrapper_cpu_ratio"],
        ),
    ]


def _event(shell: str, result: dict[str, Any]) -> Figure:
    goal = result["goals_ms"].get(shell)
    return Figure(
        key=f"hook_{shell}",
        what=f"hook: an event in {shell}",
        unit="s",
        ours=result["hook_event_ms"][shell] / 1e3,
        peer="/bin/true",
        peer_value=result["program_ms"][shell] / 1e3,
        goal=None if goal is None else goal / 1e3,
        detail={name: values[shell] for name, values in result.items() if isinstance(values, dict) and shell in values},
    )
