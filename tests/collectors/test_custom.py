"""Metrics of the configuration: made from fields of events, bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.custom import MAX_SERIES, CustomMetrics
from build_exporter.collectors.hooks import HookCollector
from build_exporter.collectors.sources import MAX_NAMED, SourceFilesCollector
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
COUNT = ExtraMetric(
    name="build_custom_begun_total", help="Begun.", type="counter", event="step_started", labels=("package",)
)


def test_counters_add_up_and_gauges_keep_the_newest(
    monitor: Monitor, run_file: Callable[..., Any], samples: Callable[..., Any]
) -> None:
    """Values come from the named field, of what was there at the start as well, and stay when others are configured."""
    custom = CustomMetrics([COUNTER, GAUGE, COUNT])
    monitor.listeners.append(custom.on_events)
    run = run_file("lfs")
    for failed in (2, 3):
        run.add("tests_reported", phase="p", step="s", suite="gcc", passed=1, failed=failed)
    run.add("tests_reported", phase="p", step="s", suite="password=hunter2hunter2", passed=1, failed=4)
    monitor.poll()
    run.add("step_finished", phase="p", step="a", status="succeeded", seconds=5.0)
    run.add("step_finished", phase="p", step="b", status="succeeded", seconds=7.5)
    run.add("step_finished", phase="p", step="c", status="skipped")
    run.add("step_started", phase="p", step="d", package="token=hunter2hunter2\t" + "x" * 200)
    monitor.poll()
    custom.configure([GAUGE, COUNT, COUNTER])
    found = {
        (name, *sorted(dict(labels).values())): value for (name, labels), value in samples(custom.collect()).items()
    }
    assert found == {
        ("build_custom_tests_failed_total", "gcc", "lfs"): 5.0,
        ("build_custom_tests_failed_total", "lfs", "password=***"): 4.0,
        ("build_custom_newest_seconds", "lfs"): 7.5,
        ("build_custom_begun_total", "lfs", "token=*** " + "x" * 190): 1.0,
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


def test_hooks_and_files_are_counted(
    monitor: Monitor, run_file: Callable[..., Any], samples: Callable[..., Any]
) -> None:
    """Every end of a hook has a series; a step that lacks two files is one step, done ones and the 21st file none."""
    hooks = samples(HookCollector({("one", "succeeded"): 2, ("one", "timeout"): 1}).collect())
    ends = {dict(labels)["result"]: value for (_, labels), value in hooks.items()}
    assert ends == {"succeeded": 2, "failed": 0, "timeout": 1, "dropped": 0}
    run = run_file("b")
    steps = {"done": ["w"], "a": ["x", "y"], "b": [f"z{number}" for number in range(20)]}
    sources = {name: [{"file": file} for file in files] for name, files in steps.items()}
    run.add("plan", steps=[{"phase": "p", "step": name, "sources": each} for name, each in sources.items()])
    run.step("p", "done")
    bad = [{"file": file, "state": "missing"} for files in steps.values() for file in files]
    run.add("sources_verified", verified=7, missing=23, bad=bad)
    monitor.poll()
    found = samples(SourceFilesCollector(monitor, 1).collect())
    values = {
        (name, dict(labels).get("state"), dict(labels).get("file")): value for (name, labels), value in found.items()
    }
    assert values["build_source_files", "verified", None] == 7
    assert values["build_steps_without_sources", None, None] == 2
    named = [file for name, _, file in values if name == "build_step_source_info"]
    assert (named[:3], len(named)) == (["x", "y", "z0"], MAX_NAMED)
