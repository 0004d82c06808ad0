"""How good the estimates are on runs that neither the shipped table nor the constants have seen.

    python -m bench.cross_validation JOURNAL... [--book DIR] [--bands] [--constants]
    python -m bench.cross_validation JOURNAL... --packages

Each JOURNAL is a directory of runs, imported by `build-exporter import`. Every run is estimated as the first on its
machine, with a table of step times that is made anew from the other runs: of all but this one, and of other builds
alone, whose machine, settings and tests may differ. Errors are shares of a run's whole time: median / 90th percentile,
and how often the band held.

With `--bands` the width of the band is measured: of every run left out in turn the factor by which the band must be
wider for eight of ten of the other runs to lie in it, and how many of those left out lie in the band so made.

With `--constants` the estimator's constants are chosen on every second run with history, each from a few around its
value, and the estimates of the runs between are scored with what was chosen; then the other way round.

With `--packages` the journals are of builds whose runs consist of different packages, as Portage's logs: for each build
the constants are chosen, and the width of the band measured, on the other builds alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import ceil, inf, log
from pathlib import Path
from statistics import fmean, median
from typing import Final
from unittest import mock

from bench.step_table import book_figures, lines, recorded, with_abis
from bench.step_table import table as fitted_table
from build_exporter.estimate import table
from build_exporter.estimate.backtest import RecordedRun, ScoredRun, Settings, backtest, read_runs, score, score_run
from build_exporter.estimate.tuning import DEFAULT, Tuning
from build_exporter.tracker import Run, Tracker, apply_all
from build_exporter.tracker.names import Name

MARKS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
FACTORS: Final = (0.5, 1.0, 2.0)
CONSTANTS: Final = (
    "decay", "likeness", "evidence", "own_pace", "size_width", "size_prior", "half_life", "package_prior",
    "pace_spread", "pace_prior", "spread_own", "spread_version", "steps_share", "apart_share",
)  # fmt: skip
PACKAGES: Final = ("decay", "half_life", "size_width", "size_prior", "packages_spread", "pace_clip_packages", "beside")
BAND: Final = 0.8
Known = dict[tuple[str, str], Run]


def whole_runs(runs: Sequence[RecordedRun]) -> Known:
    """Return each run as it was at its end, by build and run."""
    found = {}
    for each in runs:
        run = found[each.build, each.run] = Run(each.build, each.run)
        apply_all(run, each.events)
    return found


def table_of(runs: Sequence[Run], book: dict[Name, float]) -> str:
    """Return the table's text as made from these runs alone."""
    usable = with_abis([recorded(run) for run in runs if run.finished["succeeded"] > 100 and run.jobs])
    return "\n".join(lines(fitted_table(usable, book)))


@contextmanager
def instead(text: str) -> Iterator[None]:
    """Have the estimator use another table for a while."""
    caches = (table.typical_steps, table.by_package, table.typical_logs, table.typical_package)
    with mock.patch.object(table, "read_table", return_value=text):
        for each in caches:
            each.cache_clear()
        yield
    for each in caches:
        each.cache_clear()


def left_out(
    runs: Sequence[RecordedRun],
    known: Known,
    book: dict[Name, float],
    others: Callable[[RecordedRun, Run], bool],
    tuning: Tuning = DEFAULT,
) -> list[ScoredRun]:
    """Return each run's score as the first on its machine, with a table of the runs that `others` lets in."""
    found: list[ScoredRun] = []
    for each in runs:
        with instead(table_of([run for run in known.values() if others(each, run)], book)):
            found += backtest([each], Settings(MARKS, "none", tuning=tuning))
    return found


def chosen(loss_of: Callable[[Tuning], float], constants: Sequence[str] = CONSTANTS) -> Tuning:
    """Return the constants with the least loss, looked for one after the other."""
    best, least = DEFAULT, loss_of(DEFAULT)
    for constant in constants:
        for factor in FACTORS:
            candidate = replace(best, **{constant: getattr(DEFAULT, constant) * factor})
            reached = loss_of(candidate)
            if reached < least * 0.99:
                best, least = candidate, reached
    return best


def loss(runs: Sequence[RecordedRun], known: Known, names: set[str], tuning: Tuning) -> float:
    """Return how bad the estimates of the named runs are: their errors, and how far the band is from 80 %."""
    found = with_history(runs, known, names, tuning)
    scores = [score(found, mark) for mark in MARKS[1:]]
    errors = sum((each.median_abs_error_ratio or 0.0) + 0.3 * (each.p90_abs_error_ratio or 0.0) for each in scores)
    return errors + 0.02 * sum(abs((each.band_coverage or 0.0) - BAND) for each in scores)


def with_history(runs: Sequence[RecordedRun], known: Known, names: set[str], tuning: Tuning) -> list[ScoredRun]:
    """Return the scores of the named runs, all of them being history of those after them."""
    tracker, found = Tracker(), []
    for each in runs:
        whole = known[each.build, each.run]
        scored = score_run(each, whole, tracker.builds, Settings(MARKS, tuning=tuning)) if each.run in names else None
        if scored is not None and scored.earlier_runs:
            found.append(scored)
        tracker.remember(each.build, whole)
    return found


def package_errors(runs: Sequence[RecordedRun], tuning: Tuning) -> list[float]:
    """Return the errors of single packages that had been built before, over what they took."""
    scored = backtest(runs, Settings((), steps=True, tuning=tuning))
    steps = (step for run in scored for step in run.steps if step.earlier_times)
    return sorted(abs(step.error_ratio) for step in steps if step.error_ratio is not None)


def packages(runs: Sequence[RecordedRun]) -> Iterator[str]:
    """Yield for each build its packages' errors and how often its band holds, all constants being of the others."""
    by_build = {name: [run for run in runs if run.build == name] for name in sorted({run.build for run in runs})}
    unscaled = replace(DEFAULT, bands_packages=(1.0,) * len(MARKS))
    scored = {
        name: [run for run in backtest(of, Settings(MARKS, tuning=unscaled)) if run.earlier_runs]
        for name, of in by_build.items()
    }
    for name, own in by_build.items():
        others = [of for other, of in by_build.items() if other != name]

        def of_others(tuning: Tuning, others: list[list[RecordedRun]] = others) -> float:
            found = [package_errors(of, tuning) for of in others]
            return sum(median(errors) + fmean(errors) for errors in found)

        tuning = chosen(of_others, PACKAGES)
        for words, used in (("as shipped", DEFAULT), ("of the other builds", tuning)):
            errors = package_errors(own, used)
            yield f"{name}, constants {words}: median error {median(errors):.1%}, mean {fmean(errors):.1%}"
        yield f"<!-- {', '.join(f'{each}={getattr(tuning, each):g}' for each in PACKAGES)} -->"
        for mark in MARKS[1:]:
            factor = conformal(sorted(w for other in by_build if other != name for w in widths(scored[other], mark)))
            held = fmean(width <= factor for width in widths(scored[name], mark))
            yield f"{name}, {mark:.0%}: factor {factor:.2f} of the other builds, its band holds for {held:.0%}"


def widths(scored: Sequence[ScoredRun], mark: float) -> list[float]:
    """Return for each run, in order, the factor by which the band must be wider at a mark to reach the true end."""
    found = []
    for each in (run.marks[mark] for run in scored):
        if each.predicted_seconds and each.low_seconds and each.high_seconds:
            late = each.remaining_seconds > each.predicted_seconds
            edge = each.high_seconds if late else each.low_seconds
            apart = log(each.remaining_seconds / each.predicted_seconds)
            found.append(apart / (log(edge / each.predicted_seconds) or inf))
    return sorted(found)


def conformal(ordered: Sequence[float]) -> float:
    """Return the least factor with which the band holds for its share of further runs like these."""
    return ordered[min(len(ordered), ceil(BAND * (len(ordered) + 1))) - 1]


def bands(name: str, scored: Sequence[ScoredRun]) -> Iterator[str]:
    """Yield the factors by mark, and how often the band holds for runs that its factor has not seen."""
    for mark in MARKS:
        found = widths(scored, mark)
        held = [each <= conformal(found[:place] + found[place + 1 :]) for place, each in enumerate(found)]
        yield f"{name}, {mark:.0%}: factor {conformal(found):.2f}, holds for {fmean(held):.0%} of the runs left out"


def row(name: str, scored: Sequence[ScoredRun]) -> str:
    """Return a line of the table."""
    cells = []
    for mark in MARKS:
        each = score(scored, mark)
        if each.median_abs_error_ratio is None or each.p90_abs_error_ratio is None or each.band_coverage is None:
            cells.append("-")
            continue
        errors = f"{each.median_abs_error_ratio * 100:.1f} / {each.p90_abs_error_ratio * 100:.1f}"
        cells.append(f"{errors}, {each.band_coverage:.0%}")
    return f"| {name}, {len(scored)} runs | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("journals", nargs="+")
    parser.add_argument("--book", type=Path, help="the LFS book's XML, for the time that all tests take")
    parser.add_argument("--bands", action="store_true", help="measure the width of the band on all runs but one")
    parser.add_argument("--constants", action="store_true", help="choose the constants on half of the runs")
    parser.add_argument("--packages", action="store_true", help="of builds whose runs are of different packages")
    arguments = parser.parse_args()
    runs = list(read_runs(arguments.journals))
    if arguments.packages:
        print("\n".join(packages(runs)))
        return
    known, book = whole_runs(runs), book_figures(arguments.book)
    print(f"| | {' | '.join(f'{mark:.0%}' for mark in MARKS)} |\n|---|{'---|' * len(MARKS)}")
    scored = left_out(runs, known, book, lambda each, run: (each.build, each.run) != (run.build, run.run))
    print(row("first build, table of all other runs", scored))
    if arguments.bands:
        unscaled = replace(DEFAULT, bands_run=(1.0,) * len(MARKS), bands_table=(1.0,) * len(MARKS))
        earlier = with_history(runs, known, {each.run for each in runs}, unscaled)
        first = left_out(runs, known, book, lambda each, run: (each.build, each.run) != (run.build, run.run), unscaled)
        print("\n".join([*bands("with history", earlier), *bands("first build", first)]))
    if len({each.build for each in runs}) > 1:
        scored = left_out(runs, known, book, lambda each, run: each.build != run.build)
        for build in sorted({each.build for each in scored}):
            print(row(f"{build} as first build, table of other builds", [s for s in scored if s.build == build]))
    if arguments.constants:
        names = sorted({each.run for each in runs})
        halves = [set(names[::2]), set(names[1::2])]
        print(row("with history", with_history(runs, known, set(names), DEFAULT)))
        held: list[ScoredRun] = []
        for half, other in (halves, halves[::-1]):
            tuning = chosen(partial(loss, runs, known, half))
            print(f"<!-- {', '.join(f'{n}={getattr(tuning, n):g}' for n in CONSTANTS if tuning != DEFAULT)} -->")
            held += with_history(runs, known, other, tuning)
        print(row("with history, constants of the other half", held))


if __name__ == "__main__":
    main()
