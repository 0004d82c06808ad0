"""A metric family whose samples are kept as exposition lines."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple

from build_exporter.catalog import Kind, Metric, metric

MAX_KEPT: Final = 4096
"""Lines of a family that are kept for the next scrape."""
KEPT_SECONDS: Final = 300.0
"""Lines that no scrape has shown for so long are dropped within twice that time."""


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


class _Kept(NamedTuple):
    """What a label set was last rendered as: value, lines, and name with labels, of a histogram those of each line."""

    value: object
    lines: bytes
    prefix: str | tuple[str, ...]


@dataclass(slots=True)
class _Row:
    """A family's row with its lines by label values: those shown of late, and those shown before and not again yet."""

    metric: Metric
    recent: dict[tuple[str, ...], _Kept] = field(default_factory=dict)
    older: dict[tuple[str, ...], _Kept] = field(default_factory=dict)
    until: float = 0.0

    def age(self) -> None:
        """Drop the lines that were not shown again for a while."""
        now = time.monotonic()
        if now >= self.until:
            self.recent, self.older, self.until = {}, self.recent, now + KEPT_SECONDS


_rows: Final[dict[str | Metric, _Row]] = {}
"""By what a family was made of: most samples are those of the scrape before."""


class Family:
    """One family with its samples: by its name in the catalog, or one that is declared elsewhere.

    Raises:
        KeyError: the name is not in the catalog.
    """

    __slots__ = ("_kept", "_older", "count", "lines", "metric")

    def __init__(self, name: str | Metric) -> None:
        row = _rows.get(name)
        if row is None:
            row = _rows[name] = _Row(metric(name) if isinstance(name, str) else name)
        row.age()
        self.metric, self._kept, self._older = row.metric, row.recent, row.older
        self.lines: list[bytes] = []
        self.count = 0

    def add(self, value: float, *labels: str) -> Family:
        """Add one sample, label values in the catalog's order; return the family itself.

        Raises:
            ValueError: not one value for each label of the catalog's row.
        """
        kept = self._kept.get(labels) or self._again(labels)
        if kept is None or kept.value != value:
            prefix = kept.prefix if kept is not None else self.metric.name + label_block(self.metric.labels, labels)
            kept = self._keep(labels, _Kept(value, f"{prefix} {number(value)}\n".encode("utf-8", "replace"), prefix))
        self.lines.append(kept.lines)
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
        value = (*accumulate(counts), total)
        kept = self._kept.get(labels) or self._again(labels)
        if kept is None or kept.value != value:
            prefixes = kept.prefix if kept is not None else self._prefixes(labels)
            shown = zip(prefixes, (*value, value[-2]), strict=True)
            text = "".join([f"{prefix} {number(each)}\n" for prefix, each in shown])
            kept = self._keep(labels, _Kept(value, text.encode("utf-8", "replace"), prefixes))
        self.lines.append(kept.lines)
        self.count += len(counts) + 2
        return self

    def _again(self, labels: tuple[str, ...]) -> _Kept | None:
        """Return the lines of labels that were not shown of late, None where there are none."""
        kept = self._older.pop(labels, None)
        return self._keep(labels, kept) if kept is not None else None

    def _keep(self, labels: tuple[str, ...], kept: _Kept) -> _Kept:
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[labels] = kept
        return kept

    def _prefixes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names and labels of a histogram's lines: the buckets, the sum, the number of all."""
        name, row = self.metric.name, self.metric
        bounds = [*(repr(float(bound)) for bound in row.buckets), "+Inf"]
        buckets = [f"{name}_bucket{label_block((*row.labels, 'le'), (*labels, bound))}" for bound in bounds]
        block = label_block(row.labels, labels)
        return (*buckets, f"{name}_sum{block}", f"{name}_count{block}")
