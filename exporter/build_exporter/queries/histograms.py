"""Averages and quantiles of what Prometheus counts in buckets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

from build_exporter.queries.request import Request, Sample

_QUANTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p95": 0.95, "max": 1.0}


def figures(request: Request, name: str, label: str, metric: str) -> dict[str, float]:
    """Return a figure of a histogram by a label's values; those that counted nothing are left out.

    A running exporter has counted since its start; Prometheus answers for the window, without one for the last five
    minutes. `metric`: `p50`, `p95`, or `max`, by interpolation within a bucket as Prometheus does; else the average.
    """
    if metric in _QUANTILES:
        buckets: dict[str, list[Sample]] = {}
        for sample in request.samples.values(f"{name}_bucket", "rate"):
            buckets.setdefault(sample.labels.get(label, ""), []).append(sample)
        found = {each: quantile(_QUANTILES[metric], counted(samples)) for each, samples in buckets.items()}
        return {each: value for each, value in found.items() if value is not None}
    counts = _by(label, request.samples.values(f"{name}_count", "rate"))
    sums = _by(label, request.samples.values(f"{name}_sum", "rate"))
    return {each: total / counts[each] for each, total in sums.items() if counts[each] > 0}


def _by(label: str, samples: Sequence[Sample]) -> dict[str, float]:
    """Return the sums over all exporters by a label's values."""
    found: dict[str, float] = defaultdict(float)
    for each in samples:
        found[each.labels.get(label, "")] += each.value
    return found


def counted(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return upper bound and cumulative count of each bucket, the lowest first, summed over all exporters."""
    return sorted((float(bound), count) for bound, count in _by("le", samples).items())


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return the value that a share (0 to 1) of the observations do not exceed; None without observations.

    Within a bucket the observations count as evenly spread; what lies above the highest bound is that bound.
    """
    total = buckets[-1][1] if buckets else 0.0
    if not total > 0:
        return None
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if bound == inf:
            return lower
        if count >= share * total and count > below:
            return lower + (bound - lower) * (share * total - below) / (count - below)
        lower, below = bound, max(below, count)
    return lower
