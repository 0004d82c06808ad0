"""`estimate`: when a run ends, what that rests on, what the steps to come should take, how good estimates have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from build_exporter.estimate import Estimate, Estimator
from build_exporter.estimate.outlook import Outlook, StepOutlook
from build_exporter.model.states import StepState
from build_exporter.tracker import Run

if TYPE_CHECKING:
    from build_exporter.queries.context import Context

MAX_STEPS: Final = 500
LONGEST: Final = 10


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """A figure's band: in eight of ten cases the true value lies between `p10` and `p90`."""

    p10: float
    p50: float
    p90: float


def band_of(left: Estimate, since: float = 0.0) -> Percentiles:
    """Return the band of what is left in seconds, or with `since` of the Unix time of its end."""
    return Percentiles(p10=since + left.low, p50=since + left.middle, p90=since + left.high)


class ExpectedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that runs or is to come.

    `expected_seconds` is its whole duration, null where nothing is known of it; `remaining_seconds` what is left of it;
    `elapsed_seconds` for how long it has run, null before its start. `critical`: the build ends later if it does.
    """

    phase: str
    step: str
    state: str
    expected_seconds: float | None
    elapsed_seconds: float | None
    remaining_seconds: float
    critical: bool


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy of estimates of this build's earlier runs, each made with what was known at that share of its time.

    `median_abs_error_ratio` is the median error over the run's whole time, `band_coverage` the share of true values
    that lay inside the band; both by share of the run's time (`"0.25"`). `runs` counts the runs they come from.
    """

    runs: int
    median_abs_error_ratio: dict[str, float]
    band_coverage: dict[str, float]


class EstimateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate of a build's newest run at `now`; times Unix seconds, durations seconds.

    Without an estimate `remaining_seconds` and `end` are null and `basis` says why. `slots` is how many steps are taken
    to run side by side. `steps` are the running steps and those to come, in the order in which they should begin, at
    most 500; `longest` the ten of them with the most time left.
    """

    build: str
    run: str
    now: float
    remaining_seconds: Percentiles | None
    end: Percentiles | None
    basis: str
    slots: int
    steps: list[ExpectedStep]
    longest: list[ExpectedStep]
    accuracy: Accuracy | None


def estimate(context: Context, name: str) -> EstimateAnswer:
    """Return the estimate of a build's newest run.

    Raises:
        NotFoundError: there is no such build.
    """
    _, run = context.build(name)
    now = context.now
    outlook = context.estimate.outlook(run, now) if isinstance(context.estimate, Estimator) else None
    left = context.estimate(run, now)
    steps = [_row(step, now) for step in outlook.steps(run, now)] if outlook is not None else []
    return EstimateAnswer(
        build=run.build,
        run=run.run,
        now=now,
        remaining_seconds=band_of(left) if left is not None else None,
        end=band_of(left, now) if left is not None else None,
        basis=left.basis if left is not None else _reason(run),
        slots=_slots(outlook),
        steps=steps[:MAX_STEPS],
        longest=sorted(steps, key=lambda step: -step.remaining_seconds)[:LONGEST],
        accuracy=accuracy(context, name),
    )


def _slots(outlook: Outlook | None) -> int:
    return outlook.parallel.slots if outlook is not None and outlook.parallel is not None else 1


def _reason(run: Run) -> str:
    if run.status is not None:
        return f"the run has ended: {run.status.value}"
    return "nothing is known of how long its steps take" if run.has_plan else "the steps to come are not known"


def _row(found: StepOutlook, now: float) -> ExpectedStep:
    step = found.step
    running = step.state is StepState.RUNNING and step.start is not None
    return ExpectedStep(
        phase=step.phase,
        step=step.step,
        state=step.state.label,
        expected_seconds=found.expected_seconds,
        elapsed_seconds=max(0.0, now - (step.start or now)) if running else None,
        remaining_seconds=found.remaining_seconds,
        critical=found.critical,
    )


def accuracy(context: Context, name: str) -> Accuracy | None:
    """Return how good estimates of a build's last runs were, as far as that is known; each call scores one run more."""
    if context.accuracy is None:
        return None
    # a run each time it is asked: scoring all at once would keep the answer waiting
    context.accuracy.work(name)
    scores = context.accuracy.of(name)
    if not scores:
        return None
    known = {f"{mark:g}": each for mark, each in scores.items()}
    return Accuracy(
        runs=max(each.runs for each in scores.values()),
        median_abs_error_ratio={
            mark: each.median_abs_error_ratio for mark, each in known.items() if each.median_abs_error_ratio is not None
        },
        band_coverage={mark: each.band_coverage for mark, each in known.items() if each.band_coverage is not None},
    )
