"""When the steps to come should begin and end, so that the last of them ends when the build does."""

from __future__ import annotations

from build_exporter.model.states import BuildState, StepState
from build_exporter.queries.context import Context
from build_exporter.tracker import Key, Run


def schedule(context: Context, run: Run) -> dict[Key, tuple[float, float]]:
    """Return (start, end) in Unix seconds of each pending step in the order of the plan.

    It is empty unless the run goes on and has an estimate.

    The time left is shared out by the steps' planned times, one after the other: of steps that run side by side each
    has a narrower share.
    """
    left = context.estimate(run, context.now) if run.state is BuildState.RUNNING else None
    pending = [step for step in list(run.steps.values()) if step.state is StepState.PENDING]
    weight = sum(step.weight for step in pending)
    if left is None or not weight:
        return {}
    ahead = weight * (run.seconds_per_planned or 1.0) * (1.0 + run.gap_ratio) / run.concurrency
    when = context.now + max(0.0, left.middle - ahead)
    pace = min(ahead, left.middle) / weight
    found = {}
    for step in pending:
        found[step.key] = (when, when + step.weight * pace)
        when += step.weight * pace
    return found
