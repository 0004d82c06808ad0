"""Test suites of steps as answers show them."""

from __future__ import annotations

from collections.abc import Iterable

from build_exporter.model.events import TestsReported
from build_exporter.queries.common import Answer
from build_exporter.queries.context import shown
from build_exporter.summary import tests_run
from build_exporter.tracker import Step


class TestSums(Answer, frozen=True):
    """Test results of a step, summed over its suites; `failed` counts errors, too."""

    suites: int
    total: int
    passed: int
    failed: int
    skipped: int


class Suite(Answer, frozen=True):
    """Results of one test suite of a step; nothing but zeros: it was to run and gave no result."""

    phase: str
    step: str
    suite: str
    time: float
    passed: int
    failed: int
    expected_failed: int
    unexpected_passed: int
    skipped: int
    errors: int


def suites_of(steps: Iterable[Step]) -> list[Suite]:
    """Return the suites of steps, in the order of the steps."""
    return [suite(step, report) for step in steps for report in list(step.tests.values())]


def suite(step: Step, report: TestsReported) -> Suite:
    """Return one suite of a step."""
    return Suite(
        phase=shown(step.phase),
        step=shown(step.step),
        suite=shown(report.suite),
        time=report.time,
        passed=report.passed,
        failed=report.failed,
        expected_failed=report.expected_failed or 0,
        unexpected_passed=report.unexpected_passed or 0,
        skipped=report.skipped or 0,
        errors=report.errors or 0,
    )


def test_sums(steps: Iterable[Step]) -> TestSums | None:
    """Return test results summed over steps, None where no suite was reported."""
    reports = [report for step in steps for report in list(step.tests.values())]
    if not reports:
        return None
    return TestSums(
        suites=len(reports),
        total=sum(map(tests_run, reports)),
        passed=sum(report.passed for report in reports),
        failed=sum(report.failed + (report.errors or 0) for report in reports),
        skipped=sum(report.skipped or 0 for report in reports),
    )
