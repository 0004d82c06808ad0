"""The tracker: state as a fold over events. Pure: no clock, no I/O; the same events give the same state."""

from build_exporter.tracker.aggregates import masked_key
from build_exporter.tracker.durations import PastStep, past_steps, work_seconds
from build_exporter.tracker.fold import apply, apply_all
from build_exporter.tracker.machine import Machine
from build_exporter.tracker.memo import kept
from build_exporter.tracker.progress import (
    approach,
    build_progress,
    expected_at_start,
    expected_seconds,
    phases_progress,
    progress_at,
    step_progress,
)
from build_exporter.tracker.state import LogShape, Run
from build_exporter.tracker.step import Key, Step
from build_exporter.tracker.tracker import Build, Past, RunSummary, Tracker, Usage, summarise, tally

__all__ = [
    "Build",
    "Key",
    "LogShape",
    "Machine",
    "Past",
    "PastStep",
    "Run",
    "RunSummary",
    "Step",
    "Tracker",
    "Usage",
    "apply",
    "apply_all",
    "approach",
    "build_progress",
    "expected_at_start",
    "expected_seconds",
    "kept",
    "masked_key",
    "past_steps",
    "phases_progress",
    "progress_at",
    "step_progress",
    "summarise",
    "tally",
    "work_seconds",
]
