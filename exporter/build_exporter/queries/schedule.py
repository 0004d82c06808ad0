"""When the steps to come should begin and end, so that the last of them ends when the build does."""

from __future__ import annotations

from build_exporter.model.states import BuildState, StepState
from build_exporter.queries.context import Context
from build_exporter.tracker import Key, Run


def schedule(context: Context, run: Run) -> dict[Key, tuple[float, float]]:
    """Return (start, end) in Unix seconds of each pending step in the order of the plan.

    It is empty unless the run goes on and has an estimate.

    The time left is shared out by what the steps should take, one after the other: of steps that run side by side each
    has a narrower share.
    """
    left = context.estimate(run, context.now) if run.state is BuildState.RUNNING else None
    pending = [step for step in list(run.steps.values()) if step.state is StepState.PENDING]
    if left is None or not pending:
        return {}
    expected = [context.expected(run, step, context.now) or step.weight for step in pending]
    ahead = min(left.middle, sum(expected) * (1.0 + run.gap_ratio) / run.concurrency)
    when, pace = context.now + left.middle - ahead, ahead / sum(expected)
    found = {}
    for step, seconds in zip(pending, expected, strict=True):
        found[step.key] = (when, when + seconds * pace)
        when += seconds * pace
    return found
