"""`build-exporter backtest`: how good the estimates of the journal's runs would have been."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click
import msgspec

from build_exporter.cli.options import output_option
from build_exporter.cli.output import print_json
from build_exporter.cli.progress import progress_shown
from build_exporter.estimate.backtest import (
    MARKS,
    HistoryMode,
    ScoredRun,
    ScoredStep,
    Settings,
    percentile,
    read_runs,
    score,
)
from build_exporter.estimate.backtest import (
    backtest as score_runs,
)
from build_exporter.logging_setup import configure_logging
from build_exporter.model.text import plain_line

MARKS_TEXT: Final = ",".join(f"{mark:g}" for mark in MARKS)
WIDTH: Final = 40


def _shares(context: click.Context, option: click.Parameter, text: str) -> tuple[float, ...]:
    """Return the marks in a text as ratios."""
    try:
        marks = tuple(float(part) for part in text.split(","))
    except ValueError:
        marks = ()
    if not marks or not all(0 <= mark < 1 for mark in marks):
        raise click.BadParameter(f"{text!r} is no list of shares from 0 to below 1, as in {MARKS_TEXT}")
    return marks


@click.command()
@click.argument(
    "journals", nargs=-1, required=True, metavar="JOURNAL_DIR...", type=click.Path(exists=True, file_okay=False)
)
@click.option(
    "--history",
    type=click.Choice(["earlier", "none"]),
    default="earlier",
    show_default=True,
    help="What each run is estimated with: the runs before it in its journal, or none, as on a new machine.",
)
@click.option(
    "--marks", callback=_shares, default=MARKS_TEXT, show_default=True, metavar="LIST", help="Shares of a run's time."
)
@click.option("--build", metavar="NAME", help="Score the runs of this build alone; the others still are history.")
@click.option("--steps", is_flag=True, help="Score each step as well: what was expected of it when it began.")
@output_option
def backtest(
    journals: tuple[str, ...],
    history: HistoryMode,
    marks: tuple[float, ...],
    build: str | None,
    steps: bool,
    output: str,
) -> None:
    """Live the recorded runs again and compare each estimate with the true end, using only what was known then.

    Runs that succeeded are scored. Errors are shares of a run's whole time, pauses of more than 15 minutes in which no
    step ran left out of it: -5 % says that it ended later than predicted, by a twentieth of its time. `band` is how
    often the true end lay between the 10th and the 90th percentile; 80 % is right. Exits with 1 without any such run.

    \b
    build-exporter backtest ~/journal
    build-exporter backtest ~/journal --history none --marks 0,0.5 --output json
    """
    configure_logging("error", "logfmt")
    settings = Settings(marks, history, steps)
    runs = []
    for journal in journals:
        with progress_shown(f"scoring {journal}"):
            found = score_runs(read_runs([journal]), settings)
        runs += [run for run in found if build in (None, run.build)]
    if output == "json":
        print_json(as_object(runs, marks, steps=steps))
    elif runs:
        click.echo("\n".join(_table(runs, marks, steps=steps)))
    else:
        click.echo("no run there that succeeded")
    raise SystemExit(0 if runs else 1)


def as_object(runs: Sequence[ScoredRun], marks: Sequence[float], *, steps: bool) -> dict[str, Any]:
    """Return scores as plain data: each run's estimates by mark, the summary by mark, and each step where asked for."""
    answer: dict[str, Any] = {
        "time": time.time(),
        "runs": [
            {
                "build": run.build,
                "run": run.run,
                "seconds": run.seconds,
                "earlier_runs": run.earlier_runs,
                "marks": {f"{mark:g}": msgspec.to_builtins(run.marks[mark]) for mark in marks},
            }
            for run in runs
            if run.marks
        ],
        "summary": {f"{mark:g}": msgspec.to_builtins(score(runs, mark)) for mark in marks},
    }
    if steps:
        scored = [step for run in runs for step in run.steps]
        answer["steps"] = [msgspec.to_builtins(step) | {"error_ratio": step.error_ratio} for step in scored]
        answer["steps_summary"] = _steps_summary(scored)
    return answer


def _steps_summary(steps: Sequence[ScoredStep]) -> dict[str, Any]:
    errors = sorted(abs(error) for step in steps if (error := step.error_ratio) is not None)
    return {
        "steps": len(steps),
        "without_estimate": sum(step.predicted_seconds is None for step in steps),
        "mean_abs_error_ratio": statistics.fmean(errors) if errors else None,
        "median_abs_error_ratio": statistics.median(errors) if errors else None,
        "p90_abs_error_ratio": percentile(errors, 0.9) if errors else None,
    }


def _table(runs: Sequence[ScoredRun], marks: Sequence[float], *, steps: bool) -> Iterator[str]:
    yield _row("RUN", [f"AT {mark:.0%}" for mark in marks])
    whole = [run for run in runs if run.marks]
    for run in whole:
        cells = [_percent(run.marks[mark].error_ratio, inside=run.marks[mark].inside_band) for mark in marks]
        yield _row(plain_line(f"{run.build} {run.run}"), cells)
    scores = [score(runs, mark) for mark in marks]
    yield ""
    yield _row(f"{len(whole)} runs: median error", [_percent(each.median_abs_error_ratio) for each in scores])
    yield _row("90th percentile of it", [_percent(each.p90_abs_error_ratio) for each in scores])
    yield _row("too late (+) or too early (-)", [_percent(each.median_error_ratio, sign=True) for each in scores])
    yield _row("band", [_percent(each.band_coverage) for each in scores])
    if any(each.without_estimate for each in scores):
        yield _row("without estimate", [str(each.without_estimate) for each in scores])
    yield "(* outside the band)"
    if steps:
        yield from _steps_table([step for run in runs for step in run.steps])


def _steps_table(steps: Sequence[ScoredStep]) -> Iterator[str]:
    yield ""
    yield f"{'STEP':<{WIDTH}} {'RUNS':>5} {'MEDIAN s':>9} {'ERROR':>8} {'LARGEST':>8}"
    by_step: dict[str, list[ScoredStep]] = {}
    for step in steps:
        by_step.setdefault(f"{step.phase}/{step.step}", []).append(step)
    for name, each in sorted(by_step.items(), key=lambda item: -sum(step.seconds for step in item[1])):
        errors = [abs(error) for step in each if (error := step.error_ratio) is not None]
        middle = statistics.median(step.seconds for step in each)
        shown = (_percent(statistics.median(errors)), _percent(max(errors))) if errors else ("-", "-")
        yield f"{plain_line(name)[:WIDTH]:<{WIDTH}} {len(each):>5} {middle:>9.1f} {shown[0]:>8} {shown[1]:>8}"
    summary = _steps_summary(steps)
    if summary["median_abs_error_ratio"] is not None:
        median, mean = _percent(summary["median_abs_error_ratio"]), _percent(summary["mean_abs_error_ratio"])
        yield f"{summary['steps']} steps: median error {median}, mean {mean}"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name[:WIDTH]:<{WIDTH}} " + " ".join(f"{cell:>9}" for cell in cells)


def _percent(ratio: float | None, *, inside: bool | None = None, sign: bool = False) -> str:
    if ratio is None:
        return "-"
    signed = inside is not None or sign
    return f"{ratio * 100:{'+' if signed else ''}.1f} %{'*' if inside is False else ''}"
