"""Pieces of PromQL the dashboards share; `$build` and `$instance` are their variables."""

from __future__ import annotations

from typing import Final

from style import BUILD_STATES

BUILD: Final = 'build=~"$build",instance=~"$instance"'
"""Selects the builds chosen, on the machines chosen."""
MACHINE: Final = 'instance=~"$instance"'
"""Selects the machines chosen."""

STEP_BY: Final = "max by (build, phase, step)"
SAME_STEP: Final = "and on (build, phase, step)"

ELAPSED: Final = f"time() - {STEP_BY} (build_step_start_timestamp_seconds{{{BUILD}}})"
"""Seconds since each step's start; only of use beside `RUNNING`."""
RUNNING: Final = f"{STEP_BY} (build_step_status{{{BUILD}}}) == 1"
ENDED: Final = f"{STEP_BY} (build_step_start_timestamp_seconds{{{BUILD}}} + build_step_duration_seconds{{{BUILD}}})"
"""When each finished step ended, Unix time."""
STATE: Final = " + ".join(
    f'{number} * max by (build) (build_state{{{BUILD},state="{state}"}})'
    for number, state in enumerate(BUILD_STATES)
    if number
)
"""State of each build as a number: its place in `BUILD_STATES`."""


BUILDING: Final = f'max by (build) (build_state{{{BUILD},state="running"}}) == 1'
"""1 for each build that is running."""


def remaining(percentile: str) -> str:
    """Return the seconds each run still needs, at a percentile of the estimate."""
    return f'max by (build) (build_estimated_remaining_seconds{{{BUILD},percentile="{percentile}"}})'


def expected_end(percentile: str) -> str:
    """Return when each running build is expected to end, in milliseconds, at a percentile of the estimate."""
    end = f'max by (build) (build_estimated_end_timestamp_seconds{{{BUILD},percentile="{percentile}"}})'
    return f"1000 * {end} and on (build) {BUILDING}"


def rate(metric: str, selector: str = MACHINE) -> str:
    """Return a counter's rate over the interval Grafana finds fit."""
    return f"rate({metric}{{{selector}}}[$__rate_interval])"
