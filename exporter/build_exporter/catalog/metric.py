"""The row type of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Type of a family as the exposition formats spell it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family: `unit` is the base unit its name ends in, or empty; `labels` in the order they are given values."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    since: str = "0.1.0"
    buckets: tuple[float, ...] = ()


def gauge(name: str, unit: str, labels: str, text: str) -> Metric:
    """Return a gauge's row; `labels` are words separated by spaces."""
    return Metric(name, Kind.GAUGE, unit, tuple(labels.split()), text)


def counter(name: str, unit: str, labels: str, text: str) -> Metric:
    """Return a counter's row; the name ends in `_total`."""
    return Metric(name, Kind.COUNTER, unit, tuple(labels.split()), text)


def histogram(name: str, unit: str, labels: str, buckets: tuple[float, ...], text: str) -> Metric:
    """Return a histogram's row with its upper bounds, `+Inf` left out."""
    return Metric(name, Kind.HISTOGRAM, unit, tuple(labels.split()), text, buckets=buckets)
