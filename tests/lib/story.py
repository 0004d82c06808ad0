"""Events of one build, `b`, in a few words, and the run they make: for tests of the fold and of what reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from build_exporter.model import events as e
from build_exporter.tracker import Run, Step, apply_all

B: dict[str, Any] = {"build": "b"}


def built(time: float, **fields: Any) -> e.Event:
    """Return a start of the build."""
    return e.BuildStarted(time=time, **B, **fields)


def over(time: float, status: Any = "succeeded") -> e.Event:
    """Return its end."""
    return e.BuildFinished(time=time, **B, status=status)


def start(time: float, step: str = "s", phase: str = "p", **fields: Any) -> e.Event:
    """Return a start of a step."""
    return e.StepStarted(time=time, **B, phase=phase, step=step, **fields)


def end(time: float, step: str = "s", status: Any = "succeeded", phase: str = "p", **fields: Any) -> e.Event:
    """Return an end of a step."""
    return e.StepFinished(time=time, **B, phase=phase, step=step, status=status, **fields)


def at(time: float, step: str = "s", phase: str = "p", **fields: Any) -> e.Event:
    """Return progress of a step."""
    return e.StepProgress(time=time, **B, phase=phase, step=step, **fields)


def suite(time: float, name: str, passed: int, step: str = "s", **fields: Any) -> e.Event:
    """Return results of a suite of a step."""
    return e.TestsReported(time=time, **B, phase="p", step=step, suite=name, passed=passed, failed=0, **fields)


def plan(seconds: dict[str, float | None], time: float = 0.0, phase: str = "p", **fields: Any) -> e.Event:
    """Return a plan of steps of one phase, by their seconds."""
    steps = [e.PlannedStep(phase=phase, step=name, expected_seconds=each) for name, each in seconds.items()]
    return e.Plan(time=time, **B, steps=steps, **fields)


def needs(after: dict[str, list[str]], time: float = 0.0) -> e.Event:
    """Return a plan of steps of phase `p`, by what each comes after."""
    return e.Plan(time=time, **B, steps=[e.PlannedStep(phase="p", step=s, after=each) for s, each in after.items()])


def run_of(*events: e.Event) -> Run:
    """Return the run that events make."""
    run = Run("b", "20260101T000000Z")
    apply_all(run, events)
    return run


def step_of(*events: e.Event) -> Step:
    """Return its step `s` of phase `p`."""
    return run_of(*events).steps["p", "s"]


def serial(steps: Iterable[tuple[str, float]], begin: float, status: Any = "succeeded", **fields: Any) -> list[e.Event]:
    """Return a build of steps one after the other, by their seconds; without a status it goes on."""
    found, now = [built(begin, **fields)], begin
    for name, seconds in steps:
        found += [start(now, name), end(now + max(seconds, 0.0), name, seconds=seconds)]
        now += max(seconds, 0.0)
    return found if status is None else [*found, over(now, status)]
