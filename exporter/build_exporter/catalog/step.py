"""Families of single steps of the newest run."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, gauge

_STEP = "build phase step"

STEP: Final[tuple[Metric, ...]] = (
    gauge(
        "build_step_status",
        "",
        _STEP,
        "State of the step: 0 pending, 1 running, 2 succeeded, 3 failed, 4 skipped, 5 interrupted.",
    ),
    gauge("build_step_start_timestamp_seconds", "seconds", _STEP, "Start of the step's newest attempt, Unix time."),
    gauge("build_step_duration_seconds", "seconds", _STEP, "Time the step's newest attempt took; only once it ended."),
    gauge("build_step_expected_seconds", "seconds", _STEP, "Time the step is expected to take on this machine."),
    gauge(
        "build_step_progress_ratio",
        "ratio",
        _STEP,
        "Share of the step that is done; below 1 until it succeeds. Only for finished steps and those with progress.",
    ),
    gauge("build_step_cpu_seconds", "seconds", _STEP, "CPU time of the step's process tree, user and system."),
    gauge("build_step_peak_memory_bytes", "bytes", _STEP, "Largest resident memory of the step's process tree."),
    gauge("build_step_read_bytes", "bytes", _STEP, "Bytes the step's process tree had read from storage."),
    gauge("build_step_written_bytes", "bytes", _STEP, "Bytes the step's process tree had written to storage."),
    gauge("build_step_disk_bytes", "bytes", _STEP, "Disk space the step needed while it was built."),
    gauge(
        "build_step_verdict",
        "",
        f"{_STEP} verdict",
        "What a running step does, by its processes: 1 for the verdict, 0 for those this attempt had before.",
    ),
    gauge("build_step_attempts", "", _STEP, "Attempts made at the step in this run."),
    gauge("build_step_warnings", "", _STEP, "Compiler warnings the step's newest attempt printed."),
    gauge(
        "build_step_tests",
        "",
        f"{_STEP} suite outcome",
        "Results of a test suite run in the step; failed are those not known to fail, all 0 a suite without results.",
    ),
    gauge(
        "build_step_failure_info",
        "",
        f"{_STEP} class excerpt",
        "Why the step failed: class and first lines of the message, redacted; always 1 and only while failed.",
    ),
)
