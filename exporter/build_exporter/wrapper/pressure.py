"""Read Linux's pressure figures: how long processes have waited for a CPU, for memory and for the disk."""

from __future__ import annotations

_RESOURCES = ("cpu", "memory", "io")
_MICROSECOND = 1e-6


def machine_waits(proc: str = "/proc") -> dict[str, float]:
    """Return the seconds since boot in which some process waited, by resource; empty where the kernel doesn't count."""
    found = {}
    try:
        for resource in _RESOURCES:
            with open(f"{proc}/pressure/{resource}") as file:  # noqa: PTH123 - pathlib costs the wrapper its start
                found[resource] = int(file.readline().rpartition("total=")[2]) * _MICROSECOND
    except (OSError, ValueError):
        return {}
    return found


def waits_since(before: dict[str, float], proc: str = "/proc") -> dict[str, float]:
    """Return the waits since an earlier `machine_waits` as fields of `step_finished`; empty where one is missing."""
    now = machine_waits(proc) if before else {}
    return {f"{resource}_wait_seconds": round(max(0.0, now[resource] - before[resource]), 3) for resource in now}
