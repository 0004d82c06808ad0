"""Schedule the steps to come so that the last of them ends at the estimated end of the build."""

from __future__ import annotations

from heapq import heapify, heapreplace

from build_exporter.model.states import BuildState, StepState
from build_exporter.queries.context import Context
from build_exporter.tracker import Key, Run, Step


def schedule(context: Context, run: Run) -> dict[Key, tuple[float, float]]:
    """Return (start, end) in Unix seconds of each pending step in the order of the plan.

    It is empty unless the run goes on and has an estimate.

    The time left is shared out by what the steps should take: one after the other, or where steps run side by side, on
    as many lanes as run at once, each as soon as a lane is free and what it needs is done.
    """
    left = context.estimate(run, context.now) if run.state is BuildState.RUNNING else None
    pending = [step for step in list(run.steps.values()) if step.state is StepState.PENDING]
    if left is None or not pending:
        return {}
    expected = [context.expected(run, step, context.now) or step.weight for step in pending]
    lanes = max(len(run.running), round(run.concurrency))
    if lanes > 1:
        return _side_by_side(context, run, dict(zip(pending, expected, strict=True)), lanes, left.middle)
    ahead = min(left.middle, sum(expected) * (1.0 + run.gap_ratio) / run.concurrency)
    when, pace = context.now + left.middle - ahead, ahead / sum(expected)
    found = {}
    for step, seconds in zip(pending, expected, strict=True):
        found[step.key] = (when, when + seconds * pace)
        when += seconds * pace
    return found


def _side_by_side(
    context: Context, run: Run, expected: dict[Step, float], lanes: int, seconds: float
) -> dict[Key, tuple[float, float]]:
    now = context.now
    ends: dict[str, float] = {}
    for step in list(run.running.values()):
        took = now - (step.start if step.start is not None else now)
        ends |= dict.fromkeys(_names(step), max(0.0, (context.expected(run, step, now) or 0.0) - took))
    free = [*(ends[step.step] for step in list(run.running.values())), *[0.0] * lanes][:lanes]
    heapify(free)
    planned: dict[Key, tuple[float, float]] = {}
    for step, length in expected.items():
        begin = max(free[0], *(ends.get(need, 0.0) for need in step.after), 0.0)
        heapreplace(free, begin + length)
        ends |= dict.fromkeys(_names(step), begin + length)
        planned[step.key] = (begin, begin + length)
    # the last of them ends when the build does
    last = max(end for _, end in planned.values())
    pace = seconds / last if last else 0.0
    return {key: (now + begin * pace, now + end * pace) for key, (begin, end) in planned.items()}


def _names(step: Step) -> tuple[str, str]:
    return step.step, f"{step.phase}/{step.step}"
