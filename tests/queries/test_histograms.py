"""Quantiles of what is counted in buckets, as Prometheus works them out."""

from __future__ import annotations

from math import inf

import pytest

from build_exporter.queries.histograms import quantile

BUCKETS = [(0.1, 10.0), (0.25, 20.0), (1.0, 20.0), (inf, 20.0)]


@pytest.mark.parametrize(
    ("share", "buckets", "expected"),
    [
        (0.5, BUCKETS, 0.1),
        # 19 of 20: nine tenths of the way from 0.1 to 0.25
        (0.95, BUCKETS, 0.235),
        (1.0, BUCKETS, 0.25),
        (0.25, BUCKETS, 0.05),
        # beyond the highest bound nothing is known but that bound
        (0.95, [(0.1, 10.0), (inf, 20.0)], 0.1),
        (0.5, [(0.1, 0.0), (inf, 0.0)], None),
        (0.5, [], None),
    ],
)
def test_quantiles(share: float, buckets: list[tuple[float, float]], expected: float | None) -> None:
    """The value that half, or nineteen of twenty, of the answers took at most, worked out by hand."""
    found = quantile(share, buckets)
    assert found == (None if expected is None else pytest.approx(expected))
