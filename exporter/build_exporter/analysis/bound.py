"""Find what limits a step: the CPUs, memory, the disk, or its own work in a single process."""

from __future__ import annotations

from typing import Final, Literal

from build_exporter.tracker import Step

Bound = Literal["cpu", "memory", "io", "serial"]

MEMORY_SHARE: Final = 0.1
"""Share of a step's time in which something waited for memory, from which that holds it up: it should hardly ever."""
IO_SHARE: Final = 0.25
BUSY_SHARE: Final = 0.7
"""A step that keeps this share of the jobs busy is held up by the CPUs."""
WAITING_CORES: Final = 0.5
"""A step that keeps fewer cores busy than this on average waits for most of its time: nothing ran on a core."""
SERIAL_CORES: Final = 1.3
"""A step that keeps no more cores busy than this on average ran one process after the other."""


def bound_of(step: Step, jobs: int | None) -> Bound | None:
    """Return what holds a step up, by the pressure and the CPU time measured; None where neither shows it."""
    if not step.seconds:
        return None
    cores = step.cpu_seconds / step.seconds if step.cpu_seconds is not None else None
    if step.waits is not None:
        if step.waits.memory >= MEMORY_SHARE * step.seconds:
            return "memory"
        if step.waits.io >= IO_SHARE * step.seconds and (cores is None or cores < BUSY_SHARE * (jobs or 1)):
            return "io"
    if cores is None:
        return None
    if jobs is not None and cores >= BUSY_SHARE * jobs:
        return "cpu"
    return "serial" if is_serial(cores) else None


def is_serial(cores: float) -> bool:
    """Return whether so many busy cores are those of one process after the other."""
    return WAITING_CORES <= cores <= SERIAL_CORES
