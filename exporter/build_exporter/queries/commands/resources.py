"""`resources`: use of CPU, memory, disk and I/O by the machine, by builds' processes, and by steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.request import Query, Reply, Request
from build_exporter.tracker import Run, Step


class ResourceRow(Answer, frozen=True):
    """One figure: of the machine (`host`), of a build's processes (`processes`), or of a step."""

    resource: str
    scope: str
    name: str
    metric: str
    value: float
    unit: str


class _Metric(NamedTuple):
    resource: str
    scope: str
    metric: str
    unit: str
    label: str | None = None


METRICS: Final = (
    _Metric("cpu", "host", "build_host_cpu_busy_peak_ratio", "ratio"),
    _Metric("cpu", "host", "build_host_load1", "tasks"),
    _Metric("cpu", "host", "build_host_tasks_running", "tasks"),
    _Metric("memory", "host", "build_host_memory_available_bytes", "bytes"),
    _Metric("memory", "host", "build_host_memory_total_bytes", "bytes"),
    _Metric("memory", "host", "build_host_swap_free_bytes", "bytes"),
    _Metric("disk", "host", "build_host_filesystem_available_bytes", "bytes", "mountpoint"),
    _Metric("disk", "host", "build_host_filesystem_size_bytes", "bytes", "mountpoint"),
    _Metric("io", "host", "build_host_tasks_blocked", "tasks"),
    _Metric("memory", "processes", "build_process_memory_bytes", "bytes", "build"),
    _Metric("memory", "processes", "build_process_peak_memory_bytes", "bytes", "build"),
    _Metric("cpu", "processes", "build_process_processes", "processes", "build"),
)
"""Metrics that are shown; a further one is a row."""


def resources(request: Request) -> Reply:
    """Return the figures of the resources asked for."""
    wanted = request.filter("resource") or ("cpu", "memory", "disk", "io")
    rows = [row for row in _host(request) if row.resource in wanted]
    rows += [row for run in request.runs() for row in _steps(request, run) if row.resource in wanted]
    limit = request.filter("threshold")
    over = limit is not None and any(row.unit == "ratio" and row.value > limit for row in rows)
    return Reply(rows, bad=over)


def _host(request: Request) -> Iterator[ResourceRow]:
    over = request.filter("metric") or "last"
    for each in METRICS:
        for sample in request.samples.values(each.metric, over):
            name = sample.labels.get(each.label, "") if each.label else ""
            if each.label != "build" or request.build in (None, name):
                yield ResourceRow(
                    resource=each.resource, scope=each.scope, name=shown(name), metric=each.metric,
                    value=sample.value, unit=each.unit,
                )  # fmt: skip


def _steps(request: Request, run: Run) -> Iterator[ResourceRow]:
    for step in list(run.steps.values()):
        if step.end is None or not request.in_window(step.end):
            continue
        for resource, metric, value, unit in _figures(step):
            if value is not None:
                yield ResourceRow(
                    resource=resource, scope=run.build, name=shown(f"{step.phase}/{step.step}"), metric=metric,
                    value=float(value), unit=unit,
                )  # fmt: skip


def _figures(step: Step) -> Iterator[tuple[str, str, float | None, str]]:
    cores = step.cpu_seconds / step.seconds if step.cpu_seconds is not None and step.seconds else None
    yield "cpu", "cpu_seconds", step.cpu_seconds, "seconds"
    yield "cpu", "cores_busy", cores, "cores"
    yield "memory", "peak_bytes", step.max_rss_bytes, "bytes"
    yield "io", "read_bytes", step.read_bytes, "bytes"
    yield "io", "written_bytes", step.written_bytes, "bytes"
    yield "disk", "disk_bytes", step.disk_bytes, "bytes"


QUERY = Query(
    resources,
    ResourceRow,
    "Show use of CPU, memory, disk and I/O by the machine, by builds' processes, and by steps that ended.",
    filters=("resource", "metric", "threshold", "limit"),
    example="--resource memory,disk",
    not_fine="a ratio is above --threshold",
    metrics=True,
)
