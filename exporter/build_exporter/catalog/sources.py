"""Families about the source files of steps."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, gauge

SOURCES: Final[tuple[Metric, ...]] = (
    gauge(
        "build_source_files",
        "",
        "build state",
        "Files that the steps of the newest run's plan are built from, by how they stood when last verified. "
        "Only where the plan names files and their directory.",
    ),
    gauge(
        "build_sources_verified_timestamp_seconds",
        "seconds",
        "build",
        "When what is known of the files last changed, Unix time.",
    ),
    gauge(
        "build_steps_without_sources",
        "",
        "build",
        "Steps not done yet of which a file is missing, ends too early, can't be read or is not the planned one.",
    ),
    gauge(
        "build_step_source_info",
        "",
        "build phase step file state",
        "A file that a step not done yet needs and that is not as planned; always 1, for the first 20 of a build.",
    ),
)
