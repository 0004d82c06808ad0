"""Records written again at speed under `serve --watch`, killed in the middle: /metrics shows what their import says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from build_exporter.model.states import StepState
from build_exporter.tracker import Run

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def differences(build: str, runs: list[Run], record: Record, samples: Samples) -> Iterator[str]:
    """Yield where the metrics of a build differ from its imported runs."""
    shown = {(name, *sorted((label, value) for label, value in labels if label != "build")): found
             for (name, labels), found in samples.items() if ("build", build) in labels}  # fmt: skip
    newest = runs[-1]
    wanted: dict[tuple[Any, ...], float] = {}
    if record.reports_end:
        wanted["build_state", ("state", str(newest.state))] = 1
        for result, count in Counter(str(run.state) for run in runs).items():
            wanted["build_runs_total", ("result", result)] = count
    for step in newest.steps.values():
        labels = (("phase", step.phase), ("step", step.step))
        wanted["build_step_status", *labels] = step.state
        wanted["build_step_attempts", *labels] = step.attempts
        if record.is_dated and step.seconds is not None and step.state is not StepState.RUNNING:
            wanted["build_step_duration_seconds", *labels] = step.seconds
        if step.disk_bytes is not None:
            wanted["build_step_disk_bytes", *labels] = step.disk_bytes
    for key, value in wanted.items():
        if shown.get(key) != pytest.approx(value, abs=0.001):
            yield f"{key}: {shown.get(key)}, not {value}"


def unfinished(samples: Samples, places: dict[str, Place], builds: dict[str, str]) -> set[str]:
    """Return the builds of which a step is still to begin or to end, where the record says how it ended."""
    reported = {builds[name] for name, place in places.items() if place.record.kind != "ninja"}
    return reported & {
        dict(labels)["build"]
        for (name, labels), value in samples.items()
        if name == "build_steps" and value and not {("state", "pending"), ("state", "running")}.isdisjoint(labels)
    }


def write_some(places: dict[str, Place], percent: int) -> None:
    """Write each record up to a part of it."""
    for place in places.values():
        place.write(len(place.record.pieces) * percent // 100)


def test_live(
    made_records: dict[str, Record],
    second_tree: Record,
    put: Callable[..., Place],
    serve: Callable[..., Any],
    poll: Callable[..., None],
) -> None:
    """A record of each kind and a second tree of jhalfs, side by side under one exporter that is killed half way."""
    places = {record.name: put(record) for record in (*made_records.values(), second_tree)}
    flags = [f"--watch={place.record.kind}={place.watched}" for place in places.values()]
    exporter = serve(*flags)
    for percent in range(5, 50, 5):
        write_some(places, percent)
        exporter.get("/metrics")
    builds = {name: place.source(None).build for name, place in places.items()}
    assert len(set(builds.values())) == len(builds), builds
    poll(lambda: {dict(k[1]).get("build") for k in exporter.samples()} >= set(builds.values()), 60, "all have begun")
    exporter.kill()
    write_some(places, 70)
    exporter = serve(*flags)
    for percent in range(75, 101, 5):
        write_some(places, percent)
        exporter.get("/metrics")
    poll(lambda: not unfinished(exporter.samples(), places, builds), 60, "every step has ended")
    # without ninja or make at work it is silence that shows the end of their builds
    exporter.kill()
    for place in places.values():
        place.fall_silent()
    exporter = serve(*flags)
    runs = {name: place.imported() for name, place in places.items()}
    left: dict[str, list[str]] = {}

    def is_as_imported() -> bool:
        samples = exporter.samples()
        left.clear()
        for name, place in places.items():
            if found := list(differences(builds[name], runs[name], place.record, samples)):
                left[name] = found[:5]
        return not left

    try:
        poll(is_as_imported, 60, "the end of all")
    except AssertionError:
        pytest.fail(str(left))
    up = {dict(labels)["source"]: v for (n, labels), v in exporter.samples().items() if n == "build_exporter_source_up"}
    for name, place in places.items():
        assert up[f"{place.record.kind}/{builds[name]}"] == 1
    for name, build in builds.items():
        lines = [line for path in (exporter.journal / build).iterdir() for line in path.read_text().splitlines()]
        assert len(lines) == len(set(lines)), name
    assert "Traceback" not in exporter.log.read_text()
