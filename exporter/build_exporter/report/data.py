"""Contents of a report, shared by all formats."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from build_exporter import __version__
from build_exporter.analysis.advice import Outcome, outcomes
from build_exporter.analysis.bottlenecks import Analysis, analyze
from build_exporter.analysis.comparison import Comparison, compare
from build_exporter.config.views import View
from build_exporter.failures import Card, excerpt
from build_exporter.model.states import StepState
from build_exporter.queries.attempts import attempts
from build_exporter.queries.build import Board, board
from build_exporter.queries.common import Answer
from build_exporter.queries.context import Context, shown, shown_or_none
from build_exporter.queries.failures import cards
from build_exporter.queries.request import Request
from build_exporter.queries.suites import Suite, suites_of
from build_exporter.report.sections import Section, section_of
from build_exporter.report.words import summary
from build_exporter.toolchain.summary import summary as toolchain_summary
from build_exporter.tracker import Build, Run


class ReportStep(Answer, frozen=True):
    """A step; `expected_seconds` is what it was expected to take when it began."""

    phase: str
    step: str
    package: str | None
    version: str | None
    state: str
    attempts: int
    start: float | None
    end: float | None
    seconds: float | None
    expected_seconds: float | None
    cpu_seconds: float | None
    max_rss_bytes: int | None
    read_bytes: int | None
    written_bytes: int | None
    disk_bytes: int | None
    warnings: int | None
    error_class: str | None


class ReportAttempt(Answer, frozen=True):
    """An attempt that ended otherwise than with success; `reason` is its first error as far as that is recorded."""

    phase: str
    step: str
    attempt: int
    end: float
    status: str
    error_class: str | None
    reason: str | None


class Report(Answer, frozen=True):
    """A run: its summary in words, steps, tests, failures, analysis, sections, and a comparison where asked for.

    `expected_seconds` sums what was expected of the steps that succeeded, `taken_seconds` what those steps took.
    """

    version: str
    made: float
    source: str
    summary: str
    board: Board
    steps: list[ReportStep]
    suites: list[Suite]
    failures: list[Card]
    bad_attempts: list[ReportAttempt]
    expected_seconds: float | None
    taken_seconds: float | None
    toolchain: str | None
    analysis: Analysis
    comparison: Comparison | None
    outcomes: list[Outcome]
    sections: list[Section]


def report(request: Request, compare_with: str | None = None, views: Sequence[View] = ()) -> Report:
    """Return the report of a run: of the build asked about, or of the build that was active last.

    `views`: those of the configuration; the ones with `report` become sections.

    Raises:
        NotFoundError: there is no such build or run.
    """
    newest = request.newest()[0]
    run = request.named(newest.build, request.run or "newest")
    history = [summary for summary in request.history(run.build) if summary.run < run.run]
    other = request.named(run.build, compare_with) if compare_with is not None else None
    analysis = analyze(run, history, os.cpu_count())
    expected, taken = _expected(run)
    bad_attempts = list(_bad_attempts(request, run))
    context = Context({run.build: Build(run.build, run)}, run.end or request.now, card=request.context.card)
    shown_board = board(context, run.build)
    return Report(
        version=__version__,
        made=request.now,
        source=request.source,
        summary=summary(shown_board, analysis, len(bad_attempts), (expected, taken)),
        board=shown_board,
        steps=list(report_steps(run)),
        suites=suites_of(run.steps.values()),
        failures=cards(context, run),
        bad_attempts=bad_attempts,
        expected_seconds=expected,
        taken_seconds=taken,
        toolchain=shown_or_none(toolchain_summary(run)),
        analysis=analysis,
        comparison=compare(other, run, history) if other is not None else None,
        outcomes=outcomes(analyze(other).recommendations, other, run) if other is not None else [],
        sections=[section_of(view, request, run) for view in views if view.report is not None],
    )


def _expected(run: Run) -> tuple[float | None, float | None]:
    known = [
        step
        for step in run.steps.values()
        if step.state is StepState.SUCCEEDED and step.expected_at_start and step.seconds is not None
    ]
    if not known:
        return None, None
    return sum(step.expected_at_start or 0.0 for step in known), sum(step.seconds or 0.0 for step in known)


def report_steps(run: Run) -> Iterator[ReportStep]:
    """Yield the steps of a run as reports and exports have them."""
    for step in run.steps.values():
        yield ReportStep(
            phase=shown(step.phase),
            step=shown(step.step),
            package=shown_or_none(step.package),
            version=shown_or_none(step.version),
            state=step.state.label,
            attempts=step.attempts,
            start=step.start,
            end=step.end,
            seconds=step.seconds,
            expected_seconds=step.expected_at_start,
            cpu_seconds=step.cpu_seconds,
            max_rss_bytes=step.max_rss_bytes,
            read_bytes=step.read_bytes,
            written_bytes=step.written_bytes,
            disk_bytes=step.disk_bytes,
            warnings=step.warnings,
            error_class=step.error_class,
        )


def _bad_attempts(request: Request, run: Run) -> Iterator[ReportAttempt]:
    for each in attempts(request, run):
        if each.status not in ("succeeded", "skipped"):
            yield ReportAttempt(
                phase=shown(each.phase), step=shown(each.step), attempt=each.number, end=each.end, status=each.status,
                error_class=each.error_class, reason=shown(excerpt(each.message)) or None,
            )  # fmt: skip
