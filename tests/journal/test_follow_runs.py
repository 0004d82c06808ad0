"""Following the runs of a build: which is the newest, how the one before ends, and lines of a clock that is ahead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.decode import Decoder, Reason
from build_exporter.journal.follow import Follower

RunFiles = Callable[..., Any]
OLD, NEW = "20260101T000000Z", "20260103T000000Z"
DAY = 86400.0


def messages(follower: Follower) -> list[tuple[str, str]]:
    """Return run and message of the new notes."""
    return [(batch.run, getattr(event, "message", "")) for batch in follower.poll() for event in batch.events]


def test_a_run_without_a_line_hides_no_result(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """The file that a full disk left empty is not the newest run; it is from its first line on."""
    run_file("lfs", OLD).add("note", message="result")
    new = run_file("lfs", NEW)
    new.raw(b"")
    follower = follow().follower
    assert messages(follower) == [(OLD, "result")]
    assert follower.older_runs("lfs") == []
    new.add("note", message="room again")
    assert messages(follower) == [(NEW, "room again")]
    assert follower.older_runs("lfs") == [OLD]


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self.now


@pytest.mark.parametrize("is_newest", [True, False])
def test_lines_are_taken_once_the_clock_is_right(journal: Path, run_file: RunFiles, *, is_newest: bool) -> None:
    """An exporter that started with a clock two days behind shows the whole build once its clock is right."""
    clock = Clock(1.8e9)
    run = run_file("lfs", OLD, clock=1.8e9 + 2 * DAY)
    run.add("note", message="one")
    run.raw(b'bad\n{"time":1,"event":"coffee_made","build":"lfs"}\n')
    run.add("note", after=50.0, message="two")
    if not is_newest:
        run_file("lfs", NEW, clock=1.8e9).add("note", message="new")
    follower = Follower(str(journal), Decoder(clock))

    def read() -> list[str]:
        found = [message for run, message in messages(follower) if run == OLD]
        for name in follower.older_runs("lfs"):
            found += [event.message for events in follower.read_older("lfs", name) for event in events]  # type: ignore[attr-defined]
        return found

    assert read() == []
    counted = dict(follower.decoder.rejected)
    assert counted == {Reason.FUTURE: 2, Reason.NOT_JSON: 1}
    clock.now += DAY
    assert read() == [], "a second too early"
    clock.now += 2.0
    assert read() == ["one"]
    clock.now += 50.0
    assert read() == ["one", "two"]
    assert follower.decoder.unknown_events == 1
    assert dict(follower.decoder.rejected) == counted, "no line is counted twice"
    run.raw(b"bad\n")
    assert read() == ([] if is_newest else ["one", "two"])
    assert follower.decoder.rejected[Reason.NOT_JSON] == 2
    follower.close()


def test_a_line_that_stays_in_the_future_costs_only_itself(journal: Path, run_file: RunFiles) -> None:
    """A time of the next century is never waited for by reading a file again and again."""
    run = run_file("lfs", OLD, clock=4e9)
    run.add("note", message="far")
    follower = Follower(str(journal), Decoder(Clock(1.8e9)))
    for number in range(3):
        run.raw(b'{"time": 1000, "event": "note", "build": "lfs", "message": "%d"}\n' % number)
        assert messages(follower) == [(OLD, str(number))]
    assert follower.decoder.rejected == {Reason.FUTURE: 1}
    follower.close()
