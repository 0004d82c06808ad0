"""How a command ended, by what wait(2) says of it: a table of both sides of each rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_exporter.wrapper.reason import explain
from build_exporter.wrapper.record import Outcome
from build_exporter.wrapper.supervise import outcome_of


def exited(code: int) -> int:
    """Return the wait status of a command that exits with a code."""
    return code << 8


@pytest.mark.parametrize(
    ("wait_status", "gave_up", "asked_to_end", "expected"),
    [
        (exited(0), False, False, ("succeeded", 0, 0)), (exited(0), True, True, ("succeeded", 0, 0)),
        (exited(1), False, False, ("failed", 1, 0)), (exited(1), False, True, ("interrupted", 1, 0)),
        (exited(1), True, True, ("interrupted", 1, 0)), (exited(128), False, False, ("failed", 128, 0)),
        (exited(129), False, False, ("interrupted", 129, 0)), (exited(130), False, False, ("interrupted", 130, 0)),
        (exited(130), True, False, ("failed", 130, 0)), (exited(131), False, False, ("failed", 131, 0)),
        (exited(143), False, False, ("interrupted", 143, 0)), (exited(255), False, False, ("failed", 255, 0)),
        (1, False, False, ("interrupted", 129, 1)), (2, False, False, ("interrupted", 130, 2)),
        (2, True, False, ("failed", 130, 2)), (9, False, False, ("failed", 137, 9)),
        (9, False, True, ("failed", 137, 9)), (15, False, False, ("interrupted", 143, 15)),
        (6 | 128, False, False, ("failed", 134, 6)),
    ],
)  # fmt: skip
def test_how_it_ended(wait_status: int, gave_up: bool, asked_to_end: bool, expected: tuple[str, int, int]) -> None:
    """Who hangs up, interrupts or terminates a command interrupts it; one that gave up by itself has failed."""
    outcome = Outcome(wait_status)
    outcome.gave_up, outcome.termination_requested = gave_up, asked_to_end
    assert (outcome.status, outcome.exit_code, outcome.signal) == expected


def test_what_it_used() -> None:
    """The kernel counts memory in kilobytes and what is read and written in blocks of 512 bytes."""
    outcome = outcome_of(exited(3), (1.25, 3.0, 4.0, 5.0))
    found = (outcome.exit_code, outcome.cpu_seconds, outcome.max_rss_bytes, outcome.read_bytes, outcome.written_bytes)
    assert found == (3, 1.25, 3072, 2048, 2560)


def test_what_is_known_of_a_failure_stays(tmp_path: Path) -> None:
    """Words that the wrapper has itself are kept as they are; else they are those of the log, if it has any."""
    log = tmp_path / "x.log"
    log.write_text("building\nx.c:1:2: error: no such thing\n")
    found = []
    for said, path in (("odd words " * 99, str(log)), ("", str(log)), ("", ""), ("", str(tmp_path / "none"))):
        outcome = Outcome(exited(2))
        outcome.message = said
        explain(outcome, path, 0)
        found.append(outcome.message)
    assert found == ["odd words " * 99, "x.c:1:2: error: no such thing", "", ""]
