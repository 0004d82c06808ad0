"""`health`: whether the exporter and its parts work."""

from __future__ import annotations

from collections.abc import Iterator

from build_exporter.model.states import BuildState
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.queries.probes import probes
from build_exporter.queries.request import Query, Reply, Request


class HealthRow(Answer, frozen=True):
    """A part and whether it works; `detail` says what is known of it."""

    part: str
    name: str
    ok: bool
    detail: str | None


def health(request: Request) -> Reply:
    """Return the parts of the exporter, the sources, the probes and the builds."""
    rows = [*_exporter(request), *_probes(request), *_builds(request)]
    return Reply(rows, bad=not all(row.ok for row in rows))


def _exporter(request: Request) -> Iterator[HealthRow]:
    versions = request.samples.values("build_exporter_build_info")
    if not versions:
        yield HealthRow(
            part="exporter", name="", ok=False, detail="no exporter answers; start it with build-exporter serve"
        )
        return
    yield HealthRow(part="exporter", name=shown(versions[0].labels.get("version", "")), ok=True, detail=None)
    for part, metric, label in (
        ("collector", "build_exporter_collector_success", "collector"),
        ("source", "build_exporter_source_up", "source"),
        ("connection", "build_exporter_part_up", "part"),
    ):
        for sample in request.samples.values(metric):
            yield HealthRow(part=part, name=shown(sample.labels.get(label, "")), ok=sample.value == 1.0, detail=None)
    for sample in request.samples.values("build_exporter_config_last_reload_successful"):
        yield HealthRow(part="configuration", name="", ok=sample.value == 1.0, detail="the last reload")
    rejected = sum(sample.value for sample in request.samples.values("build_exporter_lines_rejected_total"))
    yield HealthRow(part="journal", name="", ok=rejected == 0, detail=f"{rejected:.0f} lines rejected")


def _probes(request: Request) -> Iterator[HealthRow]:
    for row in probes(request):
        yield HealthRow(part=row.kind, name=row.service, ok=row.up, detail=row.reason)


def _builds(request: Request) -> Iterator[HealthRow]:
    for run in request.newest():
        if run.state is BuildState.RUNNING:
            silent = request.now - (run.last_event or request.now)
            limit = request.context.thresholds.stalled_seconds
            yield HealthRow(part="build", name=run.build, ok=silent < limit, detail=f"last event {silent:.0f} s ago")


QUERY = Query(
    health,
    HealthRow,
    "Show whether the exporter, its collectors, sources and probes work, and running builds show signs of life.",
    example="",
    not_fine="a part does not work",
    metrics=True,
)
