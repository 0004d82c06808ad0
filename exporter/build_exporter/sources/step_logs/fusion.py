"""Fuse several ratios into one: each piece of evidence is weighted by the inverse square of its usual error.

    ratio = approach( sum(share / error^2) / sum(1 / error^2) )

`approach` leaves what is below 0.9 as it is; what is above comes ever nearer to 1 and never there. How large the
errors are was measured, see docs/guide/progress.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from build_exporter.sources.step_logs.growth import Growth, place
from build_exporter.tracker import LogShape, approach

CURVE_ERROR: Final = 0.03
"""Deviation of the log's size from the curve of the last attempt, as a share of the step's time."""

SIZE_ERROR: Final = 0.1
"""Deviation of the log's size from the last attempt's, when its growth is unknown."""

COUNTER_ERROR: Final = 0.1
"""Deviation of a counter: it ignores what comes before and after it."""

LAST_TIME_ERROR: Final = 0.3
"""Deviation of elapsed time from the last attempt's duration, as a share of itself."""

PLANNED_TIME_ERROR: Final = 0.5
"""Deviation of elapsed time from the plan, as a share of itself."""

WIDE_SPAN: Final = 0.15
"""Share of the time beyond which a size is ambiguous: the log was silent there."""

MIN_TIME_ERROR: Final = 0.02

OTHER_VERSION: Final = 3.0
"""By how much the last attempt's log and time are less to be trusted where it was another version of the package."""


class Evidence(NamedTuple):
    """A share of the step that is done, 1 or more where it should be over, and the error it usually has."""

    share: float
    error: float


def fuse(evidence: Iterable[Evidence]) -> float | None:
    """Return the ratio, from 0 to less than 1, in which evidence comes together; None without any."""
    weighted = [(each.share, 1.0 / each.error**2) for each in evidence]
    if not weighted:
        return None
    # an exact sum: the order of the evidence makes no difference
    return approach(math.fsum(share * weight for share, weight in weighted) / math.fsum(w for _, w in weighted))


def by_log(last: LogShape, growth: Growth, elapsed: float, *, same_version: bool) -> Evidence:
    """Return what the log's size says. While it is silent as it was the last time, the clock continues in its place."""
    span = place(last, growth)
    share = span.likely
    if span.latest - span.earliest > WIDE_SPAN:
        # so much time passed at about this size that the size does not show how much of it has passed now
        share = span.earliest
        # the further it was, the more this attempt's own speed counts
        whole = (1.0 - share) * last.seconds + growth.still_since
        silent = max(0.0, elapsed - growth.still_since)
        share = min(span.latest, share + silent / whole) if whole > 0 else share
    error = CURVE_ERROR if last.curve else SIZE_ERROR
    return Evidence(share, error if same_version else error * OTHER_VERSION)


def by_time(elapsed: float, expected: float, error: float) -> Evidence:
    """Return what the clock says against the seconds a step is expected to take."""
    share = elapsed / expected
    return Evidence(share, max(MIN_TIME_ERROR, error * share))
