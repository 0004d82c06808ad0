"""For how many ABIs a build is, as its steps show it: a multilib C library takes as many times as long."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Final

from build_exporter.estimate.table import DEFAULT_JOBS, typical_steps
from build_exporter.tracker.names import Name
from build_exporter.weighted import weighted_median

COUNTS: Final = (1, 2, 3)
TELLING_SECONDS: Final = 5.0
"""Shorter steps show nothing: records keep whole seconds."""


def abis_of(times: Iterable[tuple[Name, float]], jobs: int | None, tests: str | None) -> int | None:
    """Return for how many ABIs a run builds by its steps' seconds, None where they don't show it.

    Steps that no further ABI makes longer give the pace; the others are compared with the table at that pace.
    """
    plain: list[tuple[float, float]] = []
    sensitive: list[tuple[float, float, float]] = []
    table = typical_steps()
    for name, seconds in times:
        typical = table.get(name)
        if typical is None or seconds < TELLING_SECONDS:
            continue
        ratio = log(seconds / typical.sbu(jobs or DEFAULT_JOBS, tests or "none", 1))
        if typical.abi:
            sensitive.append((ratio, typical.abi, seconds))
        else:
            plain.append((ratio, seconds))
    if not plain or not sensitive:
        return None
    pace = weighted_median(plain)
    errors = {
        abis: weighted_median([(abs(r - pace - log(1 + abi * (abis - 1))), seconds) for r, abi, seconds in sensitive])
        for abis in COUNTS
    }
    return min(errors, key=lambda abis: errors[abis])
