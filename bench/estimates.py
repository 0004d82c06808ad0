"""How good the estimates are on recorded builds, beside simple ways to estimate: the table of the guide's page.

    python -m bench.estimates JOURNAL... [--history none] [--output json]

Each JOURNAL is a directory of runs, imported by `build-exporter import`. Every estimate is made with what was known at
its time. Errors are shares of a run's whole time; the first figure is the median over runs, the second the 90th
percentile. Below that, for single steps: the error of what was expected of a step when it began, over what it took,
of those steps that had been built before.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from build_exporter.estimate.backtest import (
    MARKS,
    ActiveClock,
    RecordedRun,
    Settings,
    backtest,
    percentile,
    read_runs,
    score,
)
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, Step, apply_all
from build_exporter.tracker.names import Name, name_of

EMLOP_TIMES = 15
Estimate = Callable[[Run, float, Sequence[dict[Name, float]]], float | None]
"""Seconds left of a run at a time, with the seconds by name of the earlier runs, the newest last."""


def by_mean(run: Run, now: float, earlier: Sequence[dict[Name, float]]) -> float | None:
    """Each step to come takes the mean of those done."""
    taken = [step.seconds for step in run.steps.values() if step.state is StepState.SUCCEEDED and step.seconds]
    return _left(run, now, lambda step: statistics.fmean(taken)) if taken else None


def by_previous_run(run: Run, now: float, earlier: Sequence[dict[Name, float]]) -> float | None:
    """Each step to come takes what it took the last time."""
    return _left(run, now, lambda step: earlier[-1].get(_name(step), 0.0)) if earlier else None


def by_sbu(run: Run, now: float, earlier: Sequence[dict[Name, float]]) -> float | None:
    """Each step to come takes its SBU by the plan, times the measured seconds of one."""
    unit = run.seconds_per_sbu
    return _left(run, now, lambda step: (step.sbu or 0.0) * unit) if unit else None


def by_median_of_three(run: Run, now: float, earlier: Sequence[dict[Name, float]]) -> float | None:
    """Each step to come takes the median of three runs, at this run's pace shrunk by twenty minutes."""
    usual: dict[Name, list[float]] = defaultdict(list)
    for taken in earlier[-3:]:
        for name, seconds in taken.items():
            usual[name].append(seconds)
    middle = {name: statistics.median(each) for name, each in usual.items()}
    done = [step for step in run.steps.values() if step.state is StepState.SUCCEEDED and _name(step) in middle]
    pace = (1200 + sum(step.seconds or 0.0 for step in done)) / (1200 + sum(middle[_name(step)] for step in done))
    return _left(run, now, lambda step: middle.get(_name(step), 5.0) * pace) if middle else None


def _left(run: Run, now: float, expected: Callable[[Step], float]) -> float:
    seconds = sum(expected(step) for step in run.steps.values() if step.state is StepState.PENDING)
    for step in run.running.values():
        seconds += max(0.0, expected(step) - (now - (step.start or now)))
    return seconds * (1.0 + run.gap_ratio)


def _name(step: Step) -> Name:
    return name_of(step.phase, step.step, step.version)


METHODS: dict[str, Estimate] = {
    "mean of the steps done": by_mean,
    "book's SBU x measured SBU": by_sbu,
    "previous run as it was": by_previous_run,
    "median of three runs, pace": by_median_of_three,
}


def other_errors(runs: Sequence[RecordedRun], history: str) -> dict[str, dict[float, list[float]]]:
    """Return each simple method's errors by mark."""
    errors: dict[str, dict[float, list[float]]] = {name: {mark: [] for mark in MARKS} for name in METHODS}
    earlier: dict[str, list[dict[Name, float]]] = defaultdict(list)
    for recorded in runs:
        whole = Run(recorded.build, recorded.run)
        apply_all(whole, recorded.events)
        known = earlier[recorded.build] if history == "earlier" else []
        clock = ActiveClock(whole)
        for mark in MARKS if whole.status is BuildState.SUCCEEDED and clock.seconds > 0 else ():
            now = clock.at(mark * clock.seconds)
            run = Run(recorded.build, recorded.run)
            apply_all(run, (event for event in recorded.events if event.time <= now))
            for name, method in METHODS.items():
                left = method(run, now, known)
                if left is not None:
                    errors[name][mark].append(abs(left / clock.seconds - (1.0 - mark)))
        earlier[recorded.build].append(
            {
                _name(step): step.seconds
                for step in whole.steps.values()
                if step.state.is_done and step.seconds is not None
            }
        )
    return errors


def emlop_steps(runs: Sequence[RecordedRun]) -> dict[tuple[str, str, str, str], float]:
    """Return what emlop's method expects of each step: the median of its last 15 times that ended before it began."""
    steps: list[tuple[float, float, str, Step, str]] = []
    for recorded in runs:
        run = Run(recorded.build, recorded.run)
        apply_all(run, recorded.events)
        steps += [
            (step.start, step.end, recorded.build, step, recorded.run)
            for step in run.steps.values()
            if step.state is StepState.SUCCEEDED and step.start is not None and step.end is not None
        ]
    found = {}
    by_name: dict[tuple[str, Name], list[tuple[float, float]]] = defaultdict(list)
    for _, end, build, step, _ in sorted(steps, key=lambda each: each[1]):
        by_name[build, _name(step)].append((end, step.seconds or 0.0))
    for start, _, build, step, run_name in steps:
        times = [seconds for end, seconds in by_name[build, _name(step)] if end <= start][-EMLOP_TIMES:]
        if times:
            found[build, run_name, step.phase, step.step] = statistics.median(times)
    return found


def step_errors(runs: Sequence[RecordedRun]) -> Iterator[tuple[str, int, list[float], list[float]]]:
    """Yield by build the number of steps, our errors and those of emlop's method, over what the steps took."""
    theirs = emlop_steps(runs)
    ours: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for scored in backtest(runs, Settings((), "earlier", steps=True)):
        for step in scored.steps:
            other = theirs.get((step.build, step.run, step.phase, step.step))
            if other is not None and step.error_ratio is not None:
                ours[step.build].append((abs(step.error_ratio), abs(other / step.seconds - 1.0)))
    for build, pairs in ours.items():
        yield build, len(pairs), [own for own, _ in pairs], [other for _, other in pairs]


def measure(journals: Sequence[str], history: str) -> dict[str, object]:
    """Return the figures by method and mark, and by build for single steps."""
    runs = list(read_runs(journals))
    found: dict[str, object] = {}
    scored = [run for run in backtest(runs, Settings(MARKS, "none" if history == "none" else "earlier")) if run.marks]
    if history == "earlier":
        scored = [run for run in scored if run.earlier_runs]
    own = {
        mark: [abs(r.marks[mark].error_ratio or 0.0) for r in scored if r.marks[mark].predicted_seconds]
        for mark in MARKS
    }
    for name, errors in {"build-exporter": own, **other_errors(runs, history)}.items():
        found[name] = {f"{mark:g}": _figures(errors[mark]) for mark in MARKS}
    found["band"] = {f"{mark:g}": score(scored, mark).band_coverage for mark in MARKS}
    if history == "earlier":
        found["steps"] = {
            build: {"steps": count, "build-exporter": _figures(ours), "emlop's method": _figures(theirs)}
            for build, count, ours, theirs in step_errors(runs)
            if count > 20
        }
    return found


def _figures(errors: Sequence[float]) -> dict[str, float] | None:
    if not errors:
        return None
    ordered = sorted(errors)
    figures = {"median": statistics.median(ordered), "p90": percentile(ordered, 0.9), "mean": statistics.fmean(ordered)}
    return {"runs": len(ordered)} | {name: round(value, 4) for name, value in figures.items()}


def _lines(found: dict[str, object]) -> Iterator[str]:
    yield f"| | {' | '.join(f'{mark:.0%}' for mark in MARKS)} |"
    yield f"|---|{'---|' * len(MARKS)}"
    for name, by_mark in found.items():
        if name == "steps" or not isinstance(by_mark, dict):
            continue
        yield f"| {name} | {' | '.join(_cell(each) for each in by_mark.values())} |"
    steps = found.get("steps")
    for build, each in steps.items() if isinstance(steps, dict) else ():
        ours, theirs = each["build-exporter"], each["emlop's method"]
        errors = (ours["median"], theirs["median"], ours["mean"], theirs["mean"])
        shown = "median error {:.1%} (emlop's method {:.1%}), mean {:.1%} ({:.1%})".format(*errors)
        yield f"{build}: {each['steps']} steps, {shown}"


def _cell(figure: object) -> str:
    if isinstance(figure, dict):
        return f"{figure['median'] * 100:.1f} / {figure['p90'] * 100:.1f}"
    return f"{figure:.0%}" if isinstance(figure, float) else "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("journals", nargs="+")
    parser.add_argument("--history", choices=["earlier", "none"], default="earlier")
    parser.add_argument("--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    found = measure(arguments.journals, arguments.history)
    if arguments.output == "json":
        print(json.dumps({"time": time.time(), "machine": platform.machine(), **found}, indent=1))
    else:
        print("\n".join(_lines(found)))


if __name__ == "__main__":
    main()
