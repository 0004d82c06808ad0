"""Names in events: which fields hold them, cleaned and masked for labels, tables and pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from build_exporter.model import events as e
from build_exporter.model.redaction import masked_name
from build_exporter.model.text import clean_name

_NAMED: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    e.StepProgress: ("phase", "step"),
    e.StepStarted: ("phase", "step", "package", "version"),
    e.StepFinished: ("phase", "step"),
    e.PlannedStep: ("phase", "step", "package", "version", "after"),
    e.PlannedMilestone: ("name", "phase", "step"),
    e.Plan: ("steps", "milestones"),
    e.TestsReported: ("phase", "step", "suite", "replaces", "failing"),
    e.MilestoneReached: ("milestone",),
    e.BuildStarted: ("source", "target", "book"),
    e.ToolVersion: ("tool", "version", "target"),
    e.Toolchain: ("host", "target", "kernel", "libc", "machine", "tools"),
    e.Alert: ("name", "severity", "tier", "receiver", "failure"),
    e.Acknowledged: ("name", "failure", "by"),
    e.Escalated: ("name", "failure", "by"),
}
"""Fields whose text becomes a label, a column or a heading."""


def clean_names(named: msgspec.Struct) -> None:
    """Change names in an event to ones that labels, tables and pages can show; see `clean_name`."""
    _change_names(named, clean_name)


def mask_names(named: msgspec.Struct) -> None:
    """Mask secrets in the names of an event."""
    _change_names(named, masked_name)


def _change_names(named: msgspec.Struct, change: Callable[[str], str]) -> None:
    for field in _NAMED.get(type(named), ()):
        value = getattr(named, field)
        if type(value) is str:
            if (found := change(value)) is not value:
                setattr(named, field, found)
        elif value:
            setattr(named, field, [_changed(each, change) for each in value])


def _changed(each: str | msgspec.Struct, change: Callable[[str], str]) -> str | msgspec.Struct:
    if isinstance(each, str):
        return change(each)
    _change_names(each, change)
    return each
