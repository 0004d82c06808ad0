"""The run of a report in a few sentences, for whoever reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from build_exporter.analysis.bottlenecks import Analysis
from build_exporter.failures import Card
from build_exporter.formatting import count_of, duration, percent
from build_exporter.queries.build import Board


def summary(board: Board, analysis: Analysis, bad_attempts: int, expected: tuple[float | None, float | None]) -> str:
    """Return how far the run came, what that took, what failed, and where most of the time went.

    Args:
        board: the run's board.
        analysis: the run's analysis.
        bad_attempts: number of attempts that did not succeed.
        expected: seconds that were expected of the steps of which something was, and that those took.
    """
    sentences = (_outcome(board, analysis, board.failures), *_expectation(*expected))
    return " ".join((*sentences, *_repeated(bad_attempts - len(board.failures)), *_longest(analysis)))


def _outcome(board: Board, analysis: Analysis, failures: Sequence[Card]) -> str:
    done, total = board.steps.succeeded + board.steps.skipped, board.steps.total
    time = "" if analysis.wall_seconds is None else f" {duration(analysis.wall_seconds)}"
    steps = count_of(total, "step")
    # without a plan nobody knows how many there are to come
    is_known = board.progress_ratio is not None
    counted = f"{done} of {steps}" if is_known else count_of(done, "step")
    so_far = f"{counted} {'is' if done == 1 or (is_known and total == 1) else 'are'} done{time and f' after{time}'}."
    if board.state == "succeeded" and done == total:
        return f"All {steps} are done{time and f', in{time}'}."
    if failures:
        more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
        why = failures[0].class_ if failures[0].class_ != "other" else failures[0].reason
        return f"{failures[0].step}{more} failed: {why}. {so_far}"
    return f"The build was interrupted. {so_far}" if board.state == "interrupted" else so_far


def _expectation(expected: float | None, taken: float | None) -> Iterator[str]:
    if expected and taken is not None:
        yield f"What was expected to take {duration(expected)} took {duration(taken)}."


def _repeated(count: int) -> Iterator[str]:
    if count == 1:
        yield "One attempt did not succeed and was repeated."
    elif count > 1:
        yield f"{count} attempts did not succeed and were repeated."


def _longest(analysis: Analysis) -> Iterator[str]:
    if len(analysis.slowest) > 1:
        first = analysis.slowest[0]
        took = duration(first.seconds) + (f" in {first.attempts} attempts" if first.attempts > 1 else "")
        yield f"{first.step} took longest: {took}, {percent(first.share)} of the time in steps."
