"""Metrics of the configuration: made from fields of events, bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.custom import MAX_SERIES, CustomMetrics
from build_exporter.config.load import load
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import ExtraMetric
from build_exporter.monitor import Monitor

COUNTER = ExtraMetric(
    name="build_custom_tests_failed_total", help="Failed tests.", type="counter", event="tests_reported",
    field="failed",
    labels=("suite",),
)  # fmt: skip
GAUGE = ExtraMetric(
    name="build_custom_newest_seconds", help="Newest.", type="gauge", event="step_finished", field="seconds"
)
COUNT = ExtraMetric(name="build_custom_notes_total", help="Notes.", type="counter", event="note")


def test_counters_add_up_and_gauges_keep_the_newest(
    monitor: Monitor, run_file: Callable[..., Any], samples: Callable[..., Any]
) -> None:
    """Values come from the named field, of what was there at the start as well; a counter may count events alone."""
    custom = CustomMetrics([COUNTER, GAUGE, COUNT])
    monitor.listeners.append(custom.on_events)
    run = run_file("lfs")
    for failed in (2, 3):
        run.add("tests_reported", phase="p", step="s", suite="gcc", passed=1, failed=failed)
    monitor.poll()
    run.add("step_finished", phase="p", step="a", status="succeeded", seconds=5.0)
    run.add("step_finished", phase="p", step="b", status="succeeded", seconds=7.5)
    run.add("step_finished", phase="p", step="c", status="skipped")
    run.add("note", message="x")
    monitor.poll()
    found = {
        (name, *sorted(dict(labels).values())): value for (name, labels), value in samples(custom.collect()).items()
    }
    assert found == {
        ("build_custom_tests_failed_total", "gcc", "lfs"): 5.0,
        ("build_custom_newest_seconds", "lfs"): 7.5,
        ("build_custom_notes_total", "lfs"): 1.0,
    }


def test_series_are_bounded(monitor: Monitor, run_file: Callable[..., Any]) -> None:
    """A label with ever new values stops at a thousand series."""
    custom = CustomMetrics([COUNTER])
    monitor.listeners.append(custom.on_events)
    run = run_file("lfs")
    for number in range(MAX_SERIES + 10):
        run.add("tests_reported", phase="p", step="s", suite=f"s{number}", passed=1, failed=1)
    monitor.poll()
    (family,) = custom.collect()
    assert family.count == MAX_SERIES


def test_a_field_that_the_event_has_not_is_a_fault(tmp_path: Path) -> None:
    """The configuration says which fields an event has."""
    path = tmp_path / "c.yml"
    path.write_text(
        "metrics:\n  extra:\n    - {name: build_custom_m, help: h, type: gauge, event: step_progress, field: ratios}\n"
    )
    with pytest.raises(ConfigError, match=r"names 'ratios', which step_progress has not; allowed: .*\bratio\b"):
        load(str(path))
