"""Pieces of PromQL the dashboards share; `$build`, `$instance` and `$step` are their variables."""

from __future__ import annotations

from typing import Final

from style import BUILD_STATES

OF_BUILD: Final = 'build="$build",instance=~"$instance"'
"""Selects the one build chosen. Compared as it is: its name may hold what a regular expression reads otherwise."""
OF_BUILDS: Final = 'build=~"$build",instance=~"$instance"'
"""Selects the builds chosen, on the machines chosen."""
OF_MACHINE: Final = 'instance="$instance"'
"""Selects the one machine chosen."""

STEP_BY: Final = "max by (build, phase, step)"
SAME_STEP: Final = "and on (build, phase, step)"

ELAPSED: Final = f"time() - {STEP_BY} (build_step_start_timestamp_seconds{{{OF_BUILD}}})"
"""Seconds since each step's start; only of use beside `RUNNING`."""
RUNNING: Final = f"{STEP_BY} (build_step_status{{{OF_BUILD}}}) == 1"
ALERT: Final = 'alertname!="BuildDeadMansSwitch"'
"""Leaves out the alert that always fires."""


def state(selector: str, by: str = "build") -> str:
    """Return the state of each build as a number: its place in `BUILD_STATES`."""
    return " + ".join(
        f'{number} * max by ({by}) (build_state{{{selector},state="{name}"}})'
        for number, name in enumerate(BUILD_STATES)
        if number
    )


def building(selector: str, by: str = "build") -> str:
    """Return 1 for each build that is running."""
    return f'max by ({by}) (build_state{{{selector},state="running"}}) == 1'


def remaining(percentile: str, selector: str = OF_BUILD, by: str = "build") -> str:
    """Return the seconds each run still needs, at a percentile of the estimate."""
    return f'max by ({by}) (build_estimated_remaining_seconds{{{selector},percentile="{percentile}"}})'


def expected_end(percentile: str, selector: str = OF_BUILD, by: str = "build") -> str:
    """Return when each running build is expected to end, in milliseconds, at a percentile of the estimate."""
    end = f'max by ({by}) (build_estimated_end_timestamp_seconds{{{selector},percentile="{percentile}"}})'
    return f"1000 * {end} and on ({by}) {building(selector, by)}"


def rate(metric: str, selector: str = OF_MACHINE) -> str:
    """Return a counter's rate over the interval Grafana finds fit."""
    return f"rate({metric}{{{selector}}}[$__rate_interval])"


def mean_seconds(histogram: str, selector: str) -> str:
    """Return the mean of a histogram of seconds since its start; nothing where it counts nothing."""
    return f"sum({histogram}_sum{{{selector}}}) / (sum({histogram}_count{{{selector}}}) > 0)"
