"""The rows of collectors and of the catalog belong together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from build_exporter.catalog import Kind, Metric
from build_exporter.catalog.host import HOST
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.collectors.host.system import System
from build_exporter.collectors.registry import HOST_COLLECTORS, HostCollector
from build_exporter.collectors.runners import DirectRunner
from build_exporter.exposition import OPENMETRICS, Family, render


class Kernel(Protocol):
    proc: Path
    uptime: float

    def fork(self, parent: int = 1, pid: int | None = None) -> int: ...


@pytest.mark.parametrize("row", HOST_COLLECTORS, ids=lambda row: row.name)
def test_each_collector_runs_on_this_machine(row: HostCollector) -> None:
    """A switch of the command line makes the collector it names, which succeeds here with valid families."""
    collector = row.make()
    assert collector.name == row.name
    assert 0 < row.interval <= 60
    guarded = DirectRunner(collector)
    for _ in range(2):
        families = guarded.families()
        assert guarded.success
    parse: Callable[[str], Iterator[object]] = text_string_to_metric_families
    assert len(list(parse(render(families, OPENMETRICS).decode()))) == sum(family.count > 0 for family in families)


def test_names_are_given_once() -> None:
    """No two collectors share a switch."""
    assert len({row.name for row in HOST_COLLECTORS}) == len(HOST_COLLECTORS)


def test_what_is_shown_and_what_is_documented_are_the_same(
    psutil_reads: Path,
    kernel: Kernel,
    collected: Callable[[Path, Callable[[bytes], os.statvfs_result]], Iterator[Family]],
    samples_of: Callable[[Iterable[Family]], dict[str, float]],
    process_trees: Callable[..., ProcessTrees],
) -> None:
    """Each documented family is shown by some collector, and none is shown that is not documented."""
    shown = {family.metric.name for family in collected(psutil_reads, lambda _: os.statvfs("/")) if family.count}
    shown |= {family.metric.name for family in System().collect() if family.count}
    root = kernel.fork()
    (kernel.proc / str(root) / "cgroup").write_text("0::/build\n")
    group = kernel.proc.parent / "cgroup/build"
    group.mkdir(parents=True)
    contents = {"cpu.stat": "usage_usec 1\nthrottled_usec 1\n", "io.stat": "8:0 rbytes=1 wbytes=1\n"}
    contents |= {"memory.current": "1\n", "memory.peak": "1\n", "memory.events": "oom_kill 0\n"}
    for name, content in contents.items():
        (group / name).write_text(content)
    trees = process_trees(lambda: {"lfs": [root]}, str(kernel.proc), boottime=lambda: kernel.uptime)
    shown |= {family.metric.name for family in trees.collect() if family.count}
    files_limited = {"build_host_filesystem_files", "build_host_filesystem_files_free"}
    if not os.statvfs("/").f_files:
        shown |= files_limited
    assert shown == {row.name for row in HOST}


@pytest.mark.parametrize("row", HOST, ids=lambda row: row.name)
def test_names_follow_the_rules(row: Metric) -> None:
    """Counters alone end in _total, names end in their unit, and only process families carry the build."""
    assert row.name.endswith("_total") == (row.kind is Kind.COUNTER)
    assert row.name.removesuffix("_total").endswith(row.unit)
    assert ("build" in row.labels) == row.name.startswith("build_process_")
    assert row.name.startswith(("build_host_", "build_process_"))
    assert row.help.endswith((".", "1"))
