"""The catalog is the truth: what is shown is in it, what is in it is shown, and the reference page says so."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from build_exporter.catalog import CATALOG, Kind
from build_exporter.catalog.docs import render

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MACHINE = (
    "build_host_",
    "build_process_",
    "build_ccache_",
    "build_distcc_",
    "build_probe_",
    "build_exporter_hook_runs",
    "build_exporter_part",
)
"""Beginnings of families that depend on the machine and what runs on it; the collectors' own tests are about them."""


def record_everything(run_file: Callable[..., Any]) -> None:
    """Emit builds in which everything happens that can be shown."""
    over = run_file("lfs", run="20260101T000000Z", clock=1.70e9)
    over.step("chapter-5", "502-gcc-pass1", status="failed", message="boom")
    over.add("build_finished", status="failed")
    run = run_file("lfs", run="20260102T000000Z", clock=1.71e9)
    run.add("build_started", target="x86_64-lfs-linux-gnu", book="12.4", jobs=2, source="test")
    steps: list[dict[str, object]] = [
        {"phase": "chapter-5", "step": name, "sbu": 1.0} for name in ("501-binutils-pass1", "502-gcc-pass1", "503")
    ]
    steps[1]["sources"] = [{"file": "gcc.tar.xz"}]
    run.add("plan", steps=steps, milestones=[{"name": "first", "step": "501-binutils-pass1"}])
    figures = {
        "cpu_seconds": 1.5,
        "max_rss_bytes": 10,
        "read_bytes": 1,
        "written_bytes": 2,
        "disk_bytes": 3,
        "warnings": 4,
    }
    run.step("chapter-5", "501-binutils-pass1", seconds=10.0, **figures)
    run.add("step_progress", phase="chapter-5", step="501-binutils-pass1", warning_flags={"-Wunused": 4})
    run.add("toolchain", tools=[{"tool": "gcc", "version": "12.2.0", "role": "host"}])
    run.add("tests_reported", phase="chapter-5", step="501-binutils-pass1", suite="check", passed=5, failed=1)
    run.add("step_started", phase="chapter-5", step="502-gcc-pass1")
    run.add("step_progress", phase="chapter-5", step="502-gcc-pass1", ratio=0.5)
    run.add("sources_verified", verified=7, missing=1, bad=[{"file": "gcc.tar.xz", "state": "missing"}])
    run.step("chapter-5", "503", status="failed", error_class="compiler-error", message="foo.c: error")
    for day in range(1, 5):
        earlier = run_file("slower", run=f"2025010{day}T000000Z", clock=1.70e9 + day * 1e5)
        for step in range(4):
            earlier.step("p", f"s{step}", seconds=100 if day < 4 or step else 200, disk_bytes=5, disk_before_bytes=9)
        earlier.add("build_finished", status="succeeded")
    late = run_file("late", clock=time.time() - 600)
    late.add("build_started", deadline=time.time() - 60)
    late.add("plan", steps=[{"phase": "p", "step": "s", "expected_seconds": 60, "disk_bytes": 1}])
    done = run_file("done", clock=1.71e9)
    done.step("p", "s")
    done.add("build_finished", status="succeeded")
    done.add("feedback", rating=4)
    failed = run_file("failed", clock=time.time() - 60)
    failed.step("p", "s", seconds=1, status="failed")
    failed.add("alert", name="BuildStalled", status="resolved", starts=failed.clock - 9, ends=failed.clock)


@pytest.fixture
def families(serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None]) -> list[Any]:
    """What an exporter shows of builds in which everything happens, by the OpenMetrics parser."""
    record_everything(run_file)
    served = serve()
    poll(lambda: served.value("build_runs_total", build="lfs", result="failed") == 1, what="the history is read")
    poll(lambda: served.value("build_steps_slower", build="slower") == 1, what="the analysis is made")
    served.get("/", Accept="text/html")
    return list(openmetrics(served.get("/metrics", Accept=OPENMETRICS)[2].decode()))


def catalogued_name(name: str, kind: str) -> str:
    """Return the catalog's name of a family as a parser shows it."""
    return f"{name}_total" if kind == "counter" and not name.endswith("_total") else name


def test_everything_shown_is_catalogued_as_it_is(families: Any) -> None:
    """Name, type, unit and labels of every family on /metrics are those of its row."""
    for family in families:
        row = CATALOG[catalogued_name(family.name, family.type)]
        assert family.type == row.kind
        assert family.documentation == row.help
        assert family.unit in ("", row.unit)
        for sample in family.samples:
            extra = {"le"} if row.kind is Kind.HISTOGRAM and sample.name.endswith("_bucket") else set()
            assert set(sample.labels) == {*row.labels} | extra


def test_everything_catalogued_is_shown(families: Any) -> None:
    """No row promises what nothing shows."""
    shown = {catalogued_name(family.name, family.type) for family in families}
    assert {name for name in CATALOG.keys() - shown if not name.startswith(MACHINE)} == set()


def test_names_say_their_unit_and_kind() -> None:
    """Units are base units at the name's end, `_total` is on counters and only there, and nothing lacks its help."""
    for row in CATALOG.values():
        base = row.name.removesuffix("_total")
        assert (row.kind is Kind.COUNTER) == row.name.endswith("_total"), row.name
        assert not row.unit or base.endswith(f"_{row.unit}"), row.name
        assert row.unit in ("", "seconds", "bytes", "ratio", "celsius", "hertz", "joules"), row.name
        assert row.help.endswith("."), row.name
        assert not row.name.startswith("build_step_") or row.labels[:3] == ("build", "phase", "step"), row.name


def test_the_reference_page_has_every_family() -> None:
    """No group of families is missing from the page."""
    assert [name for name in CATALOG if f"| `{name}` |" not in render()] == []


def test_the_reference_page_is_what_the_catalog_says(repository: Path) -> None:
    """docs/metrics.md is made by `make docs` and never drifts."""
    assert (repository / "docs" / "metrics.md").read_text() == render()


def test_a_full_scrape_passes_promtools_lint(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """Prometheus' own tool finds nothing to say about names, help and types; both formats have the same samples."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    record_everything(run_file)
    served = serve()
    poll(lambda: served.value("build_runs_total", build="lfs", result="failed") == 1, what="the history is read")
    body = served.get("/metrics")[2]
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    other = served.get("/metrics", Accept=OPENMETRICS)[2].decode()
    assert step_samples(text_format(body.decode())) == step_samples(openmetrics(other))


def step_samples(families: Any) -> set[tuple[str, frozenset[tuple[str, str]], float]]:
    """Return the samples of steps that do not move with the clock."""
    return {
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
        if sample.name.startswith("build_step_")
    }
