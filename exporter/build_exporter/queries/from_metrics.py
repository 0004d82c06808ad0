"""Builds reconstructed from their metrics: for another machine's builds, or a time that only Prometheus remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from build_exporter.model import events as e
from build_exporter.model.states import StepState
from build_exporter.queries.request import Samples
from build_exporter.tracker import Build, Key, Run, apply_all

RUN: Final = "metrics"
"""The run's name when `build_info` has none."""
_STATUS: Final[Mapping[StepState, Literal["succeeded", "failed", "skipped", "interrupted"]]] = {
    StepState.SUCCEEDED: "succeeded",
    StepState.FAILED: "failed",
    StepState.SKIPPED: "skipped",
    StepState.INTERRUPTED: "interrupted",
}


def builds_from(samples: Samples, now: float, only: str | None = None) -> dict[str, Build]:
    """Return builds by name with their newest runs, made from `build_*` metrics as of `now`.

    `only`: of other builds than this one the names alone are known.
    """
    found: dict[str, Build] = {}
    # the newest run last: exported runs have no end of their series, and are there beside the next for a while
    for sample in sorted(samples.values("build_info"), key=lambda sample: sample.labels.get("run", "")):
        name = sample.labels.get("build", "")
        if name and only not in (None, name):
            found.setdefault(name, Build(name))
        elif name:
            run = Run(name, sample.labels.get("run") or RUN)
            apply_all(run, _events(_OfBuild(samples, name), sample.labels, now))
            found[name] = Build(name, run)
    return found


class _OfBuild:
    """A build's metrics."""

    def __init__(self, samples: Samples, build: str) -> None:
        self.samples = samples
        self.build = build

    def value(self, name: str) -> float | None:
        """Return the only value of a metric."""
        return next((each.value for each in self.samples.values(name) if each.labels.get("build") == self.build), None)

    def by_step(self, name: str) -> dict[Key, float]:
        """Return the values of a step's metric."""
        return {
            (each.labels.get("phase", ""), each.labels.get("step", "")): each.value
            for each in self.samples.values(name)
            if each.labels.get("build") == self.build
        }

    def labelled(self, name: str, label: str) -> dict[str, float]:
        """Return the values of a metric by one label."""
        return {
            each.labels.get(label, ""): each.value
            for each in self.samples.values(name)
            if each.labels.get("build") == self.build
        }


def _events(of: _OfBuild, info: Mapping[str, str], now: float) -> Iterator[e.Event]:
    build = of.build
    start = of.value("build_start_timestamp_seconds")
    begun = start if start is not None else now
    jobs = of.value("build_jobs")
    yield e.BuildStarted(
        time=begun, build=build, source=info.get("source") or None, target=info.get("target") or None,
        book=info.get("book") or None, jobs=round(jobs) if jobs is not None else None,
    )  # fmt: skip
    expected = of.by_step("build_step_expected_seconds")
    states = of.by_step("build_step_status")
    if of.value("build_progress_ratio") is not None:
        steps = [e.PlannedStep(phase=k[0], step=k[1], expected_seconds=expected.get(k)) for k in states if all(k)]
        yield e.Plan(time=begun, build=build, steps=steps)
    yield from _steps(of, states, begun, now)
    for milestone, reached in of.labelled("build_milestone_timestamp_seconds", "milestone").items():
        if milestone:
            yield e.MilestoneReached(time=reached, build=build, milestone=milestone)
    end = of.value("build_end_timestamp_seconds")
    result = next((name for name, on in of.labelled("build_state", "state").items() if on), "")
    if end is not None and result in ("succeeded", "failed", "interrupted"):
        yield e.BuildFinished(time=end, build=build, status=result)  # type: ignore[arg-type]


def _steps(of: _OfBuild, states: Mapping[Key, float], begun: float, now: float) -> Iterator[e.Event]:
    starts = of.by_step("build_step_start_timestamp_seconds")
    seconds = of.by_step("build_step_duration_seconds")
    attempts = of.by_step("build_step_attempts")
    figures = {name: of.by_step(f"build_step_{name}") for name in _FIGURES}
    classes = {
        (each.labels.get("phase", ""), each.labels.get("step", "")): each.labels
        for each in of.samples.values("build_step_failure_info")
        if each.labels.get("build") == of.build
    }
    begun_steps = sorted((key for key in states if all(key) and states[key]), key=lambda key: starts.get(key, begun))
    for key in begun_steps:
        phase, step = key
        start = starts.get(key, begun)
        yield e.StepStarted(
            time=start, build=of.build, phase=phase, step=step, attempt=round(attempts.get(key, 1)) or None
        )
        status = _STATUS.get(StepState(int(states[key])))
        if status is not None:
            failure = classes.get(key, {})
            yield e.StepFinished(
                time=min(start + seconds.get(key, 0.0), now), build=of.build, phase=phase, step=step, status=status,
                seconds=seconds.get(key), error_class=failure.get("class"), message=failure.get("excerpt"),
                cpu_seconds=figures["cpu_seconds"].get(key), max_rss_bytes=_count(figures["peak_memory_bytes"], key),
                read_bytes=_count(figures["read_bytes"], key), written_bytes=_count(figures["written_bytes"], key),
                disk_bytes=_count(figures["disk_bytes"], key),
            )  # fmt: skip


_FIGURES: Final = ("cpu_seconds", "peak_memory_bytes", "read_bytes", "written_bytes", "disk_bytes")


def _count(figures: Mapping[Key, float], key: Key) -> int | None:
    return int(figures[key]) if key in figures else None
