"""Families of a build as a whole; the first label is always the line of builds."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge

BUILD: Final[tuple[Metric, ...]] = (
    gauge("build_info", "", "build run source target book", "Facts of the build's newest run; always 1."),
    gauge("build_state", "", "build state", "1 for the state the build's newest run is in, 0 for the others."),
    gauge(
        "build_jobs", "", "build", "Parallel jobs (-j) as the run's processes have them, else as it was started with."
    ),
    gauge("build_start_timestamp_seconds", "seconds", "build", "Start of the newest run, Unix time."),
    gauge(
        "build_end_timestamp_seconds",
        "seconds",
        "build",
        "End of the newest run, or of the failed step at which it stands still, Unix time.",
    ),
    gauge("build_last_event_timestamp_seconds", "seconds", "build", "Time of the newest event of the run, Unix time."),
    gauge(
        "build_progress_ratio",
        "ratio",
        "build",
        "Share of the run that is done, weighted by expected time; 1 only when the build has succeeded. "
        "Only where the steps to come are known.",
    ),
    gauge(
        "build_phase_progress_ratio",
        "ratio",
        "build phase",
        "Share of the phase that is done, weighted by expected time; 1 only when each of its steps is done.",
    ),
    gauge("build_steps", "", "build phase state", "Steps of the newest run by phase and state."),
    gauge(
        "build_estimated_remaining_seconds",
        "seconds",
        "build percentile",
        "Time the run still needs: the 10th, 50th and 90th percentile of the estimate.",
    ),
    gauge(
        "build_estimated_end_timestamp_seconds",
        "seconds",
        "build percentile",
        "When the run is expected to end, Unix time: the 10th, 50th and 90th percentile of the estimate.",
    ),
    gauge(
        "build_estimate_error_ratio",
        "ratio",
        "build progress",
        "How far estimates of this build's last runs were off: median error over a run's whole time, of estimates made "
        "when this share of it had passed. Only where an earlier run can be compared with runs before it.",
    ),
    gauge(
        "build_estimate_band_coverage_ratio",
        "ratio",
        "build progress",
        "Share of this build's last runs whose true end lay between the 10th and 90th percentile of the estimate made "
        "when this share of their time had passed; 0.8 is right.",
    ),
    gauge(
        "build_waiting_for_input",
        "",
        "build",
        "1 while a program asks for a password before the build can go on, else 0.",
    ),
    gauge(
        "build_sbu_seconds",
        "seconds",
        "build",
        "Seconds one standard build unit (SBU) takes in this run: time of the finished steps that have an SBU "
        "over the sum of their SBU.",
    ),
    gauge(
        "build_gap_seconds",
        "seconds",
        "build",
        "Time of the newest run between its steps, and of steps beyond their own seconds, as for unpacking and for "
        "listing what was installed; pauses of more than a minute are left out.",
    ),
    gauge(
        "build_milestone_timestamp_seconds", "seconds", "build milestone", "When a milestone was reached, Unix time."
    ),
    gauge(
        "build_milestone_progress_ratio",
        "ratio",
        "build milestone",
        "Share of the run that was done when the milestone was reached. Only where the steps to come were known.",
    ),
    counter("build_steps_finished_total", "", "build status", "Attempts at steps that ended in the newest run."),
    counter(
        "build_runs_total",
        "",
        "build result",
        "Ends of runs, also of those removed from the journal; one that is taken up again ends more than once.",
    ),
    counter(
        "build_failures_total",
        "",
        "build phase class",
        "Failed attempts at steps over all runs, by phase and failure class.",
    ),
    gauge(
        "build_warnings",
        "",
        "build flag",
        "Compiler warnings of the run's steps that ended, by the compiler's option for them: the 20 most frequent, "
        "`other` for the rest of those whose option is known.",
    ),
    gauge("build_feedback_ratings", "", "build rating", "Ratings of the run by people, 1 to 5 (`feedback` events)."),
    gauge("build_threshold", "", "name", "Limits the alert rules compare with, as configured under `thresholds`."),
)
