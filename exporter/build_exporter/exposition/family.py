"""A metric family whose samples are kept as exposition lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from build_exporter.catalog import Kind, Metric, metric


def escape_label(value: str) -> str:
    r"""Return a label value with backslash, newline and double quote escaped as both text formats want it."""
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value


def label_block(names: Sequence[str], values: Sequence[str]) -> str:
    """Return `{name="value",…}`, empty without labels.

    Raises:
        ValueError: there are more or fewer values than names.
    """
    if not names and not values:
        return ""
    pairs = ",".join(f'{name}="{escape_label(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}"


_kept_block = lru_cache(maxsize=16384)(label_block)
"""The same, kept: a scrape shows the label sets of the scrape before."""


def number(value: float) -> str:
    """Return a sample value as both formats spell it: integers without a fraction, `NaN`, `+Inf`, `-Inf`."""
    if isinstance(value, int):
        # not `str`: truth is 1
        return f"{value:d}"
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def sample_line(name: str, labels: str, value: float) -> bytes:
    """Return one sample line; `labels` is a `label_block`."""
    return f"{name}{labels} {number(value)}\n".encode("utf-8", "replace")


class Family:
    """One family with its samples: by its name in the catalog, or one that is declared elsewhere.

    Raises:
        KeyError: the name is not in the catalog.
    """

    __slots__ = ("count", "lines", "metric")

    def __init__(self, name: str | Metric) -> None:
        self.metric: Metric = metric(name) if isinstance(name, str) else name
        self.lines: list[bytes] = []
        self.count = 0

    def add(self, value: float, *labels: str) -> Family:
        """Add one sample, label values in the catalog's order; return the family itself.

        Raises:
            ValueError: not one value for each label of the catalog's row.
        """
        self.lines.append(sample_line(self.metric.name, _kept_block(self.metric.labels, labels), value))
        self.count += 1
        return self

    def add_lines(self, lines: Iterable[bytes], count: int) -> Family:
        """Add lines rendered before that hold `count` samples; return the family itself."""
        self.lines.extend(lines)
        self.count += count
        return self

    def add_histogram(self, counts: Sequence[int], total: float, *labels: str) -> Family:
        """Add one histogram: `counts` of observations in each bucket, the last beyond every bound; `total` their sum.

        Raises:
            ValueError: not one count more than the catalog's row has bounds, or wrong labels.
        """
        if self.metric.kind is not Kind.HISTOGRAM or len(counts) != len(self.metric.buckets) + 1:
            raise ValueError(f"{self.metric.name} has {len(self.metric.buckets)} bounds, got {len(counts)} counts")
        name, seen = self.metric.name, 0
        for bound, count in zip((*self.metric.buckets, math.inf), counts, strict=True):
            seen += count
            le = "+Inf" if bound == math.inf else repr(float(bound))
            block = _kept_block((*self.metric.labels, "le"), (*labels, le))
            self.lines.append(sample_line(f"{name}_bucket", block, seen))
        block = _kept_block(self.metric.labels, labels)
        self.lines.append(sample_line(f"{name}_sum", block, total))
        self.lines.append(sample_line(f"{name}_count", block, seen))
        self.count += len(counts) + 2
        return self
