"""Suites as a running exporter shows them, and logs as they are written byte by byte."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
from build_exporter.sources.step_logs.suites import Results, SuiteReader

LOG = (
    "PASS: a.sh\nFAIL: b.sh\nFAIL: c.sh\nTestsuite summary for thing 1.2\n=====\n# PASS:  1\n# FAIL:  2\n=====\n"
    "Ran 12 tests in 0.5s\r\n\nFAILED (failures=1)\n1..3\nok 1 - caf\u00e9\nnot ok 2\nok 3"
)
RESULTS = {
    "thing 1.2": Results(passed=1, failed=2),
    "unittest": Results(passed=11, failed=1),
    "tap": Results(passed=2, failed=1),
}


def test_known_failures_of_the_configuration_are_expected_ones(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """What the user lists is no failure in the metrics, and a list changed is in force with the next reload."""
    config, log = tmp_path / "config.yml", tmp_path / "s.log"
    config.write_text("tests: {expected_failures: {thing: [b.sh]}}\n")
    log.write_text("PASS: a.sh\nFAIL: b.sh\nFAIL: c.sh\n")
    served = serve("--config", str(config))
    run = run_file(clock=time.time())
    run.add("step_started", phase="p", step="900-thing", log=str(log))

    def count(outcome: str) -> float | None:
        found: float | None = served.value("build_step_tests", step="900-thing", suite="make check", outcome=outcome)
        return found

    poll(lambda: count("failed") == 1, what="the failure that is in no list")
    assert count("expected_failed") == 1
    config.write_text("tests: {expected_failures: {thing: 9}}\n")
    assert served.get("/-/reload", "POST")[0] == 200
    with log.open("a") as file:
        file.write("PASS: d.sh\n")
    run.add("step_finished", phase="p", step="900-thing", status="succeeded", time=time.time())
    poll(lambda: count("failed") == 0, what="the list that was changed")
    assert count("expected_failed") == 2
    assert count("passed") == 2


def test_a_suite_without_results_is_shown_with_zeros(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """The alert has what it needs: series whose sum is 0, once the step is over and not before."""
    log = tmp_path / "s.log"
    log.write_text("make  check-TESTS\nmake: *** [Makefile:12: check-recursive] Error 1\n")
    served = serve()
    run = run_file(clock=time.time())
    run.add("step_started", phase="p", step="s", log=str(log))
    poll(lambda: served.value("build_step_status", step="s") == 1, what="the running step")
    assert served.value("build_step_tests", step="s", outcome="passed") is None
    run.add("step_finished", phase="p", step="s", status="succeeded", time=time.time())
    poll(lambda: served.value("build_step_tests", step="s", outcome="passed") == 0, what="the suite without results")
    assert served.value("build_step_tests", step="s", suite="make check", outcome="failed") == 0


@given(st.lists(st.integers(0, len(LOG.encode())), max_size=20))
@settings(deadline=None)
def test_where_a_log_is_cut_changes_nothing(tmp_path_factory: Any, cuts: list[int]) -> None:
    """A log read amid a line, a character or the end of a line gives what the whole one gives."""
    path = tmp_path_factory.mktemp("log") / "s.log"
    path.write_bytes(b"")
    logs = AttemptLogs(lambda: [SuiteReader()], path, "s", None)
    data, written = LOG.encode(), 0
    for cut in [*sorted(cuts), len(data)]:
        with path.open("ab") as file:
            file.write(data[written:cut])
        written = cut
        logs.read(lambda _: True, over=cut == len(data))
    (reader,) = logs.readers
    assert isinstance(reader, SuiteReader)
    assert reader.results == RESULTS
