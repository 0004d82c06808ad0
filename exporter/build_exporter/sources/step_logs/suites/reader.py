"""Results of the test suites that a step runs, read where the builder itself swallows the exit code.

Counts are emitted while a suite runs and corrected by its summary. Known failures count as expected; a suite
without any result is emitted with zeros only, one that broke off with an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Final

from build_exporter.model.events import Event, TestsReported
from build_exporter.model.states import StepState
from build_exporter.sources.step_logs.expected_failures import NO_EXPECTED_FAILURES, ExpectedFailurePatterns
from build_exporter.sources.step_logs.reader import StepContext
from build_exporter.sources.step_logs.scan import shown_last, words_in
from build_exporter.sources.step_logs.suites.detection import SuiteDetector
from build_exporter.sources.step_logs.suites.drivers import CTest, GoogleTest, Lit, Meson
from build_exporter.sources.step_logs.suites.gnu import CHECK, Automake, Autotest, DejaGnu, ShownLog
from build_exporter.sources.step_logs.suites.languages import Cargo, GoTest, NodeTest, NodeTools
from build_exporter.sources.step_logs.suites.libraries import Catch, Check, Cmocka
from build_exporter.sources.step_logs.suites.other_runners import Curl, E2fsprogs, PerlCore, QtTest, TclTest, UtilLinux
from build_exporter.sources.step_logs.suites.perl import Prove, Tap
from build_exporter.sources.step_logs.suites.python import PyTest, RegressionTest, UnitTest
from build_exporter.sources.step_logs.suites.results import COUNTS, MAX_NAME_CHARACTERS, Ledger, Results, Suite
from build_exporter.sources.step_logs.suites.runner import Runner
from build_exporter.tracker import Step

INTERVAL_SECONDS: Final = 10.0
"""Between reports of one suite while it runs …"""

LATER_SECONDS: Final = 60.0
"""… and once it has been reported `MANY` times."""

MANY: Final = 60

FAILING: Final = 5
"""Failed tests named in a report."""

PROMPT: Final = 20
"""Number of times a further failure is reported at once."""

_VERSION: Final = re.compile(r"[\s-]v?\d\S*$")


@dataclass(slots=True)
class _Pace:
    """When a suite was reported last, how often, and with how many failures."""

    time: float = 0.0
    count: int = 0
    prompt: int = 0
    bad: int = 0

    def is_due(self, time: float, bad: int) -> bool:
        """Return whether a report is worth a line by now, and take it as made."""
        interval = INTERVAL_SECONDS if self.count < MANY else LATER_SECONDS
        if not 0 <= time - self.time < interval or not self.count:
            pass
        elif bad > self.bad and self.prompt < PROMPT:
            self.prompt += 1
        else:
            return False
        self.time, self.bad = time, bad
        self.count += 1
        return True


RUNNERS: Final[tuple[type[Runner], ...]] = (
    *(
        ShownLog,
        RegressionTest,
        CTest,
        Meson,
        Lit,
        DejaGnu,
        UnitTest,
        PyTest,
        GoogleTest,
        Cmocka,
        QtTest,
        Automake,
        Autotest,
    ),
    *(Prove, PerlCore, Tap, TclTest, UtilLinux, E2fsprogs, Cargo, GoTest, Curl, NodeTest, NodeTools, Check, Catch),
)
"""In the order in which they read a line that several may want."""


class SuiteReader:
    """Reads the lines of one attempt's logs."""

    WORDS: Final = tuple(dict.fromkeys((*SuiteDetector.WORDS, *(word for each in RUNNERS for word in each.WORDS))))
    """One of them is in every line that matters, unless it `is_busy`."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._detector = SuiteDetector()
        self._paces: dict[str, _Pace] = {}
        self._has_read = False
        self._known = NO_EXPECTED_FAILURES
        self._verdicts: dict[str, bool] = {}
        self._runners = [make() for make in RUNNERS]
        self._busy: list[Runner] = []
        self._taking: Runner | None = None

    @property
    def results(self) -> dict[str, Results]:
        """Results of each suite that has any."""
        return {name: results for name, suite in self.ledger.suites.items() if (results := suite.results).total}

    @property
    def is_busy(self) -> bool:
        """Whether a runner is inside a block, so that any line may matter."""
        return bool(self._busy)

    def feed_block(self) -> None:
        """Take note that a log has lines, be there none with any of `WORDS` among them."""
        self._has_read = True

    def feed(self, line: str, words: Sequence[bytes] | None = None) -> None:
        """Take one plain line into account, and the words of `WORDS` in it where they have been found already."""
        self._has_read = True
        if words is None:
            line = shown_last(line)
            words = words_in(line, self.WORDS)
        if not words and not self._busy:
            return
        self._detector.feed(line)
        runners = self._interested(words)
        for runner in runners:
            if runner.feed(line, self.ledger):
                break
        # only one that was asked can have begun anything
        self._busy = [runner for runner in runners if runner.is_busy]
        self._taking = next((runner for runner in runners if runner.takes_all), None)

    def _interested(self, words: Sequence[bytes]) -> list[Runner]:
        """Return the runners for which a line with some words may matter, in the order in which they read it."""
        found, first = [self._runners[place] for place in _interested(tuple(words))], self._taking
        if self._busy:
            found = [each for each in self._runners if each in found or each in self._busy]
        # the others read a line only where the first does not take it
        return found if first is None else [first, *(each for each in found if each is not first)]

    def finish(self) -> None:
        """Take what there is as all."""
        for runner in self._runners:
            runner.finish(self.ledger)

    def emit(self, context: StepContext) -> Iterator[Event]:
        """Yield the results of the suites that changed; while they run, not each time."""
        if context.over:
            self.finish()
            self.ledger.changed = True
        elif not self.ledger.changed:
            return
        self.ledger.changed = False
        reported = context.step.tests
        for name, results in self._results(context).items():
            failing = self._failing(name) if results.bad else None
            before = next((old for old, new in self.ledger.renamed.items() if new == name and old in reported), None)
            report = _report(context, name, results, before)
            report.failing = failing
            if before is None and _is_recorded(context.step, report):
                continue
            pace = self._paces.setdefault(name, _Pace())
            if context.over or before is not None or pace.is_due(context.time, results.bad):
                yield report
            else:
                self.ledger.changed = True

    def _results(self, context: StepContext) -> dict[str, Results]:
        """Return the counts to emit for each suite; those without a result only after the step."""
        known = context.known_failures
        if known != self._known:
            self._known = known
            self._verdicts.clear()
        is_ended = context.over and context.step.state in (StepState.SUCCEEDED, StepState.FAILED)
        found: dict[str, Results] = {}
        number = known.number
        for name, suite in sorted(self.ledger.suites.items()):
            results, number = excused(suite, self._is_known, number)
            if is_ended and suite.open:
                # begun, and broken off
                results += Results(errors=suite.open)
            if results.total:
                found[name] = results
        if is_ended:
            found.update((name, Results()) for name in sorted(self._missing(context, set(found), known)))
        return found

    def _failing(self, name: str) -> list[str] | None:
        """Return the names of the first tests of a suite that failed and are not known to fail."""
        suite = self.ledger.suites.get(name)
        names = [*suite.failing, *suite.broken] if suite is not None else []
        return [each[:MAX_NAME_CHARACTERS] for each in names if not self._is_known(each)][:FAILING] or None

    def _is_known(self, name: str) -> bool:
        """Return whether a test is known to fail; each name is compared once, however often it is asked for."""
        found = self._verdicts.get(name)
        if found is None:
            found = self._verdicts[name] = self._known.has(name)
        return found

    def _missing(self, context: StepContext, found: set[str], known: ExpectedFailurePatterns) -> set[str]:
        """Return the suites that were to give results and gave none."""
        has_succeeded = context.step.state is StepState.SUCCEEDED
        if found:
            return _gone(context.earlier_suites, found) if has_succeeded else set()
        if known.is_uncounted and not self._detector.is_broken:
            return set()
        names = self.ledger.without_result | self.ledger.suites.keys() | self._detector.begun
        if not names and has_succeeded and self._has_read:
            # whether the step came as far as its tests isn't known of one that failed
            if context.runs_tests and not self._detector.is_nothing:
                return {CHECK}
            if any(step.tests for step in context.run.steps.values()):
                return set(context.earlier_suites)
        return names


@lru_cache(1024)
def _interested(words: tuple[bytes, ...]) -> tuple[int, ...]:
    """Return which runners, by their place in `RUNNERS`, want a line that may hold some words."""
    return tuple(place for place, each in enumerate(RUNNERS) if not set(words).isdisjoint(each.WORDS))


def excused(suite: Suite, is_known: Callable[[str], bool], number: int) -> tuple[Results, int]:
    """Return a suite's counts with the failures that are known as expected ones, and what is left of `number`."""
    results = suite.results
    failed = min(results.failed, sum(count for name, count in suite.failing.items() if is_known(name)))
    errors = min(results.errors, sum(count for name, count in suite.broken.items() if is_known(name)))
    more = min(number, results.failed - failed)
    failed += more
    expected = results.expected_failed + failed + errors
    counts = replace(results, failed=results.failed - failed, expected_failed=expected, errors=results.errors - errors)
    return counts, number - more


def _gone(earlier: frozenset[str], found: set[str]) -> set[str]:
    """Return the suites of the last time that have no results now; a new version in a name makes it no other suite."""
    names = {_VERSION.sub("", name) for name in found}
    return {name for name in earlier if _VERSION.sub("", name) not in names}


def _report(context: StepContext, suite: str, results: Results, replaces: str | None) -> TestsReported:
    return TestsReported(
        time=context.time,
        build=context.run.build,
        phase=context.step.phase,
        step=context.step.step,
        suite=suite,
        replaces=replaces,
        **asdict(results),
    )


def _is_recorded(step: Step, report: TestsReported) -> bool:
    reported = step.tests.get(report.suite)
    return reported is not None and all((getattr(reported, name) or 0) == getattr(report, name) for name in COUNTS)
