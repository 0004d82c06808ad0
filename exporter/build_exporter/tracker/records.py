"""What is kept of events that change no step: milestones, toolchain, notes, alerts, source files, ratings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from build_exporter.model import events as e
from build_exporter.model.event_names import mask_names
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.tracker.plans import note_milestone
from build_exporter.tracker.state import Run

Handler = Callable[[Run, Any], None]
MAX_NOTES = 100
MAX_MILESTONES = 1000
"""Milestones kept of a run: each of them is some series."""


def masking(handler: Handler) -> Handler:
    """Return a handler of events whose names are masked as they come; those of steps are where a step is entered."""

    def mask_and_handle(run: Run, event: e.Event) -> None:
        mask_names(event)
        handler(run, event)

    return mask_and_handle


def reach_milestone(run: Run, event: e.MilestoneReached) -> None:
    """Note a milestone that was reached."""
    if event.milestone not in run.milestones and len(run.milestones) >= MAX_MILESTONES:
        run.ignored["too_many_milestones"] += 1
        return
    note_milestone(run, event.milestone, event.time)


def take_toolchain(run: Run, event: e.Toolchain) -> None:
    """Take the newest toolchain."""
    if run.toolchain is None or event.time >= run.toolchain.time:
        run.toolchain = event


def take_note(run: Run, event: e.Note) -> None:
    """Keep a note; the newest ones are kept."""
    run.notes.append((event.time, event.message[:MAX_TEXT_LENGTH]))
    del run.notes[:-MAX_NOTES]


def take_alert(run: Run, event: e.Alert) -> None:
    """Take a report of an alert."""
    run.alerts.take(event)


def take_answer(run: Run, event: e.Acknowledged | e.Escalated) -> None:
    """Take what a person did about an alert."""
    run.alerts.answer(event)


def take_sources(run: Run, event: e.SourcesVerified) -> None:
    """Take the newest count of source files."""
    known = run.sources_verified
    if known is None or event.time >= known.time:
        run.sources_verified = event


def take_rating(run: Run, event: e.Feedback) -> None:
    """Count a rating."""
    run.ratings[event.rating] = run.ratings.get(event.rating, 0) + 1


def take_loss(_run: Run, _event: e.EventsLost) -> None:
    """Change nothing: what is lost is counted where events are read."""
