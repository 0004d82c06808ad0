"""A monitor over a journal with a clock that stands still, and what a scrape of it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from build_exporter.exposition import TEXT, Family, render
from build_exporter.monitor import Monitor

NOW = 1.79e9
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _samples(families: Iterable[Family]) -> Samples:
    """Return the samples of families by name and labels; no two alike."""
    found: Samples = {}
    for family in text_string_to_metric_families(render(families, TEXT).decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


@pytest.fixture
def samples() -> Callable[[Iterable[Family]], Samples]:
    """Read families as Prometheus' client library does."""
    return _samples


@pytest.fixture
def monitor(journal: Path) -> Monitor:
    """A monitor of the journal, whole history read at each `poll`."""

    class Whole(Monitor):
        def poll(self) -> int:
            read = super().poll()
            for _ in self.read_history():
                pass
            return read

    return Whole(str(journal), lambda: NOW)
