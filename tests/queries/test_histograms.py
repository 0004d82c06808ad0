"""Figures of metrics: quantiles as Prometheus works them out, averages, and probes."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from build_exporter.queries.context import Context
from build_exporter.queries.histograms import figures, quantile
from build_exporter.queries.probes import probes, too_slow
from build_exporter.queries.request import Request, Sample

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


class Given:
    """Metrics by their name: labels with commas between them, and values."""

    def __init__(self, **metrics: dict[str, float]) -> None:
        self.metrics = metrics

    def values(self, name: str, over: str = "last") -> list[Sample]:
        """Return the samples of a metric."""
        found = self.metrics.get(name, {}).items()
        return [Sample(dict(each.split("=") for each in labels.split(",")), value) for labels, value in found]


def asked(metrics: Given, **filters: Any) -> Request:
    """Return a question at 1,000,000 s."""
    return Request(Context({}, 1e6), "x", filters=filters, samples=metrics)


def test_figures_are_those_of_all_exporters() -> None:
    """Sums over counts, and buckets added up: what counted nothing has none."""
    made = Given(
        t_count={"h=a,i=1": 3.0, "h=a,i=2": 1.0, "h=b": 0.0}, t_sum={"h=a,i=1": 5.0, "h=a,i=2": 1.0, "h=b": 0.0},
        t_bucket={"h=a,i=1,le=1": 1.0, "h=a,i=2,le=1": 1.0, "h=a,i=1,le=+Inf": 4.0, "h=b,le=1": 0.0},
    )  # fmt: skip
    assert figures(asked(made), "t", "h", "last") == {"a": 1.5}
    assert figures(asked(made), "t", "h", "p50") == {"a": 1.0}


def test_a_probe_has_all_that_is_known_of_it() -> None:
    """By its name and kind; a certificate in days from now; slow is beyond the threshold, or no answer."""
    made = Given(
        build_probe_success={"probe=a,kind=http": 1.0, "probe=b,kind=tcp": 0.0},
        build_probe_duration_seconds={"probe=a,kind=http": 0.5, "probe=a,kind=tcp": 9.0},
        build_probe_changed_timestamp_seconds={"probe=a,kind=http": 7.0},
        build_probe_certificate_expiry_timestamp_seconds={"probe=a": 1e6 + 3.5 * 86400},
        build_probe_failure_info={"probe=b,kind=tcp,reason=refused": 1.0},
    )
    first, second = probes(asked(made))
    assert (first.service, first.kind, first.up, first.seconds, first.since, first.reason, first.certificate_days) == (
        "a", "http", True, 0.5, 7.0, None, 3.5,
    )  # fmt: skip
    assert (second.up, second.seconds, second.reason, second.certificate_days) == (False, None, "refused", None)
    assert [row.service for row in probes(asked(made), {"tcp"})] == ["b"]
    slow = [too_slow(replace(asked(made), filters={"threshold": limit}), first) for limit in (None, 0.5, 0.49)]
    assert (slow, too_slow(asked(made), second)) == ([False, False, True], True)
