"""Families from the analysis of builds: schedule, fit, regressions."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, gauge

ANALYSIS: Final[tuple[Metric, ...]] = (
    gauge(
        "build_deadline_timestamp_seconds",
        "seconds",
        "build",
        "When the newest run should end, Unix time: by its own deadline, else by the configured schedule.",
    ),
    gauge(
        "build_schedule_deviation_seconds",
        "seconds",
        "build",
        "How much later than its deadline the run ends, or is expected to end; negative: earlier.",
    ),
    gauge(
        "build_schedule_late_probability_ratio",
        "ratio",
        "build",
        "Probability that the run ends later than its deadline and tolerance, from the band of the estimate.",
    ),
    gauge(
        "build_fit_needed_bytes",
        "bytes",
        "build resource",
        "The most that one of the steps to come needs of `disk` or `memory`, by earlier runs or the plan.",
    ),
    gauge(
        "build_fit_shortage_bytes",
        "bytes",
        "build resource",
        "What the first step to come that will not fit lacks of `disk` or `memory`; 0 where all that are known fit.",
    ),
    gauge(
        "build_steps_slower",
        "",
        "build",
        "Steps of the newest run that took longer than in earlier runs, beyond noise and for no known reason.",
    ),
    gauge(
        "build_step_regression_ratio",
        "ratio",
        "build phase step",
        "How many times its usual time a step took that is slower beyond noise and for no known reason.",
    ),
)
