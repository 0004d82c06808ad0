"""What may stand in the configuration file: frozen structs, each field with its meaning, unit, bounds and default.

The loader, the reference page and the exported `build_threshold` series are all made from these declarations.
Durations are stored in seconds, sizes in bytes, ratios as 0 to 1 (a multiple where the text says "times").
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Unit = Literal["seconds", "bytes", "bytes_per_second", "ratio", "celsius", "count"]


def about(description: str, unit: Unit | None = None, *, ge: float | None = None, le: float | None = None) -> Meta:
    """Return the metadata of a field: its description, the unit it is stored in and its bounds."""
    return Meta(description=description, ge=ge, le=le, extra={"unit": unit} if unit else None)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the configuration: immutable, comparable, and no key beyond the declared ones."""


class Thresholds(Section, frozen=True):
    """Where alerts begin. Each is exported as `build_threshold{name}`, where the Prometheus rules read it.

    A change takes effect with the next reload of the exporter: Prometheus and its rules stay as they are.
    """

    stalled_seconds: Annotated[
        float, about("No event of a running build for so long means it has stalled.", "seconds", ge=1)
    ] = 1800.0
    step_stuck_seconds: Annotated[
        float, about("No output and no CPU use of a running step for so long means it is stuck.", "seconds", ge=1)
    ] = 900.0
    step_overdue_ratio: Annotated[
        float, about("A running step is overdue at so many times its expected duration.", "ratio", ge=1)
    ] = 2.0
    step_overdue_seconds: Annotated[
        float, about("… and only when it is at least so far beyond the expected duration.", "seconds", ge=0)
    ] = 300.0
    step_regression_ratio: Annotated[
        float, about("A finished step has regressed at so many times its duration in earlier runs.", "ratio", ge=1)
    ] = 1.25
    step_regression_seconds: Annotated[
        float, about("… and only when it took at least so much longer.", "seconds", ge=0)
    ] = 60.0
    step_attempts: Annotated[
        int, about("A step tried so many times in one run is failing again and again.", "count", ge=2)
    ] = 3
    tests_failed: Annotated[
        int, about("More unexpected failures than this in a test suite are told.", "count", ge=0)
    ] = 0
    disk_free_bytes: Annotated[
        int, about("Less free space than this on a build's file system is critical.", "bytes", ge=0)
    ] = 2 * 1024**3
    disk_free_ratio: Annotated[
        float, about("Less free space than this share of a build's file system is a warning.", "ratio", ge=0, le=1)
    ] = 0.1
    disk_reserve_bytes: Annotated[
        int, about("Space that must remain free after what the coming steps need.", "bytes", ge=0)
    ] = 1024**3
    disk_full_seconds: Annotated[
        float,
        about("A file system that will be full within so long, at its present rate, is a warning.", "seconds", ge=60),
    ] = 14400.0
    memory_available_ratio: Annotated[
        float, about("Less available memory than this share of all memory is a warning.", "ratio", ge=0, le=1)
    ] = 0.05
    memory_pressure_ratio: Annotated[
        float,
        about("Tasks stalled for memory for more than this share of time (pressure stall, some).", "ratio", ge=0, le=1),
    ] = 0.2
    io_pressure_ratio: Annotated[
        float,
        about(
            "All tasks stalled for I/O for more than this share of time (pressure stall, full).", "ratio", ge=0, le=1
        ),
    ] = 0.5
    swap_rate_bytes: Annotated[int, about("Swapping in and out at more than this rate.", "bytes_per_second", ge=0)] = (
        10 * 1024**2
    )
    cpu_temperature_celsius: Annotated[float, about("A hotter CPU than this.", "celsius", ge=20, le=150)] = 90.0
    cpu_throttled_ratio: Annotated[
        float, about("A CPU held back by heat for more than this share of time.", "ratio", ge=0, le=1)
    ] = 0.05
    probe_seconds: Annotated[float, about("A probe that answers slower than this is slow.", "seconds", ge=0)] = 2.0
    event_lag_seconds: Annotated[
        float,
        about("Events that reach the exporter later than this after they happened (99th percentile).", "seconds", ge=0),
    ] = 10.0
    lines_rejected: Annotated[int, about("More rejected journal lines than this in ten minutes.", "count", ge=0)] = 0
    auth_failures: Annotated[int, about("More refused credentials than this in ten minutes.", "count", ge=0)] = 10
