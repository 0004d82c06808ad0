"""What is asked of sources: figures of metrics, probes, builds made of metrics, and runs by their names."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import msgspec
import pytest

from build_exporter.queries.context import Context, NotFoundError
from build_exporter.queries.events import shown_value
from build_exporter.queries.from_metrics import builds_from
from build_exporter.queries.histograms import figures, quantile
from build_exporter.queries.probes import probes, too_slow
from build_exporter.queries.request import Request, Sample
from build_exporter.queries.run_reader import RunReader
from build_exporter.queries.views import _sorted
from build_exporter.tracker import Run, Tracker

BUCKETS = [(0.1, 10.0), (0.25, 20.0), (1.0, 20.0), (inf, 20.0)]


@pytest.mark.parametrize(
    ("share", "buckets", "expected"),
    [
        (0.5, BUCKETS, 0.1),
        # 19 of 20: nine tenths of the way from 0.1 to 0.25
        (0.95, BUCKETS, 0.235),
        (1.0, BUCKETS, 0.25),
        (0.25, BUCKETS, 0.05),
        # beyond the highest bound nothing is known but that bound
        (0.95, [(0.1, 10.0), (inf, 20.0)], 0.1),
        (0.5, [(0.1, 0.0), (inf, 0.0)], None),
        (0.5, [], None),
    ],
)
def test_quantiles(share: float, buckets: list[tuple[float, float]], expected: float | None) -> None:
    """The value that half, or nineteen of twenty, of the answers took at most, worked out by hand."""
    found = quantile(share, buckets)
    assert found == (None if expected is None else pytest.approx(expected))


class Given:
    """Metrics by their name: labels with commas between them, and values."""

    def __init__(self, **metrics: dict[str, float]) -> None:
        self.metrics = metrics

    def values(self, name: str, over: str = "last") -> list[Sample]:
        """Return the samples of a metric."""
        found = self.metrics.get(name, {}).items()
        return [Sample(dict(each.split("=") for each in labels.split(",")), value) for labels, value in found]


def asked(metrics: Given, **filters: Any) -> Request:
    """Return a question at 1,000,000 s."""
    return Request(Context({}, 1e6), "x", filters=filters, samples=metrics)


def test_figures_are_those_of_all_exporters() -> None:
    """Sums over counts, and buckets added up: what counted nothing has none."""
    made = Given(
        t_count={"h=a,i=1": 3.0, "h=a,i=2": 1.0, "h=b": 0.0}, t_sum={"h=a,i=1": 5.0, "h=a,i=2": 1.0, "h=b": 0.0},
        t_bucket={"h=a,i=1,le=1": 1.0, "h=a,i=2,le=1": 1.0, "h=a,i=1,le=+Inf": 4.0, "h=b,le=1": 0.0},
    )  # fmt: skip
    assert figures(asked(made), "t", "h", "last") == {"a": 1.5}
    assert figures(asked(made), "t", "h", "p50") == {"a": 1.0}


def test_a_probe_has_all_that_is_known_of_it() -> None:
    """By its name and kind; a certificate in days from now; slow is beyond the threshold, or no answer."""
    made = Given(
        build_probe_success={"probe=a,kind=http": 1.0, "probe=b,kind=tcp": 0.0},
        build_probe_duration_seconds={"probe=a,kind=http": 0.5, "probe=a,kind=tcp": 9.0},
        build_probe_changed_timestamp_seconds={"probe=a,kind=http": 7.0},
        build_probe_certificate_expiry_timestamp_seconds={"probe=a": 1e6 + 3.5 * 86400},
        build_probe_failure_info={"probe=b,kind=tcp,reason=refused": 1.0},
    )
    first, second = probes(asked(made))
    assert (first.service, first.kind, first.up, first.seconds, first.since, first.reason, first.certificate_days) == (
        "a", "http", True, 0.5, 7.0, None, 3.5,
    )  # fmt: skip
    assert (second.up, second.seconds, second.reason, second.certificate_days) == (False, None, "refused", None)
    assert [row.service for row in probes(asked(made), {"tcp"})] == ["b"]
    slow = [too_slow(replace(asked(made), filters={"threshold": limit}), first) for limit in (None, 0.5, 0.49)]
    assert (slow, too_slow(asked(made), second)) == ([False, False, True], True)


def test_a_build_is_what_its_metrics_say() -> None:
    """The later of two runs as it stood then: its steps with all that is known of them, milestones, and its end."""
    step = {name: f"build=b,phase=p,step={name}" for name in "xyz"}
    made = Given(
        build_info=dict.fromkeys(("build=b,run=r2,source=jhalfs", "build=b,run=r1", "build=c"), 1.0),
        build_start_timestamp_seconds={"build=b": 100.0}, build_jobs={"build=b": 4.0},
        build_progress_ratio={"build=b": 0.5},
        build_step_status={step["x"]: 2.0, step["y"]: 3.0, step["z"]: 0.0},
        build_step_expected_seconds={step["x"]: 60.0, step["z"]: 30.0}, build_step_attempts={step["x"]: 3.0},
        build_step_start_timestamp_seconds={step["x"]: 110.0, step["y"]: 150.0},
        build_step_duration_seconds={step["x"]: 40.0, step["y"]: 1e7}, build_step_cpu_seconds={step["x"]: 7.0},
        build_step_peak_memory_bytes={step["x"]: 9.0},
        build_step_failure_info={step["y"] + ",class=killed,excerpt=boom": 1.0},
        build_milestone_timestamp_seconds={"build=b,milestone=m": 140.0},
        build_state={"build=b,state=running": 0.0, "build=b,state=failed": 1.0},
        build_end_timestamp_seconds={"build=b": 500.0},
    )  # fmt: skip
    run = builds_from(made, 600.0)["b"].current
    assert run is not None
    assert (run.run, run.source, run.jobs, run.start, run.end, run.state, run.milestones) == (
        "r2", "jhalfs", 4, 100.0, 500.0, "failed", {"m": 140.0},
    )  # fmt: skip
    x, y, z = run.steps.values()
    assert (x.state.label, x.attempts, x.start, x.end, x.seconds) == ("succeeded", 3, 110.0, 150.0, 40.0)
    assert (x.expected_seconds, x.cpu_seconds, x.max_rss_bytes) == (60.0, 7.0, 9)
    assert (y.state.label, y.end, y.error_class, y.message) == ("failed", 600.0, "killed", "boom"), "no later than now"
    assert (z.state.label, z.attempts, z.expected_seconds) == ("pending", 0, 30.0)
    found = builds_from(made, 600.0, "b")
    assert [(name, build.current is not None) for name, build in found.items()] == [("c", False), ("b", True)]


class Runs(RunReader):
    """Runs without events."""

    def names(self, build: str) -> list[str]:
        """Return three names, the oldest first."""
        return ["r1", "r2", "r3"]

    def read(self, build: str, name: str) -> list[Any]:
        """Return nothing."""
        return []


def test_runs_are_found_by_their_names() -> None:
    """The newest, the one before it, any other by its own; what is not there is answered with what is."""
    tracker = Tracker()
    tracker.feed("b", "r3", [])
    runs = Runs(tracker)
    request = Request(
        Context(tracker.builds, 0.0), "x", older=runs.older, load=runs.load, read_history=runs.read_history
    )
    assert runs.older("b") == ["r1", "r2"]
    assert [request.named("b", name).run for name in ("newest", "r3", "previous", "r1")] == ["r3", "r3", "r2", "r1"]
    assert request.named("b", "r1") is request.named("b", "r1"), "read once"
    with pytest.raises(NotFoundError, match=r"no run r9 of b; the newest: r3, r2, r1"):
        request.named("b", "r9")
    assert [run.run for run in request.latest(tracker.builds["b"].current or Run("b", ""), 2)] == ["r3", "r2"]
    assert [summary.run for summary in request.history("b")] == ["r1", "r2"]
    assert tracker.builds["b"].history_complete


def test_no_text_of_an_event_has_a_secret() -> None:
    """Neither a short one nor one of several lines or longer than names are, in lists and names as well."""
    secret = "password=hunter2hunter2"
    long = "x " * 200 + secret
    found = shown_value({"a": secret, "b": [f"1\n{secret}\x1b[1m", {"c": long}], secret: 7, "d": None, "e": True})
    assert found == {
        "a": "password=***", "b": ["1\npassword=***", {"c": "x " * 200 + "password=***"}], "password=***": 7,
        "d": None, "e": True,
    }  # fmt: skip


def test_what_is_not_known_is_sorted_to_the_end() -> None:
    """Whichever way a view sorts, no row is lost."""
    row = msgspec.defstruct("Row", [("a", int | None)])
    rows = [row(2), row(None), row(3), row(1)]
    found = {key: [getattr(each, "a") for each in _sorted(rows, key)] for key in ("a", "-a")}  # noqa: B009
    assert found == {"a": [1, 2, 3, None], "-a": [3, 2, 1, None]}
