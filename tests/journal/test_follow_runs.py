"""Following the runs of a build: which is the newest, how the one before ends, and lines of a clock that is ahead."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.decode import Decoder, Reason
from build_exporter.journal.follow import Follower
from build_exporter.model.names import MAX_LINE_BYTES

RunFiles = Callable[..., Any]
OLD, MIDDLE, NEW = "20260101T000000Z", "20260102T000000Z", "20260103T000000Z"
DAY = 86400.0


def messages(follower: Follower) -> list[tuple[str, str]]:
    """Return run and message of the new notes."""
    return [(batch.run, getattr(event, "message", "")) for batch in follower.poll() for event in batch.events]


def all_messages(followed: Any, build: str, run: str) -> list[str]:
    """Return the messages of an older run's notes."""
    return [event.message for events in followed.follower.read_older(build, run) for event in events]


def test_only_the_newest_run_is_read_until_the_others_are_asked_for(
    run_file: RunFiles, follow: Callable[[], Any]
) -> None:
    """Starting reads one file a build however long its history is; the older runs come newest first, once."""
    for run in (OLD, NEW, MIDDLE):
        run_file("lfs", run).add("note", message=run)
    followed = follow()
    assert followed.messages() == [NEW]
    assert followed.follower.older_runs("lfs") == [MIDDLE, OLD]
    assert all_messages(followed, "lfs", MIDDLE) == [MIDDLE]
    assert followed.follower.older_runs("lfs") == [OLD]


def test_an_older_run_that_grows_is_offered_again(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """A writer that finishes its old run after a newer one began is heard."""
    old = run_file("lfs", OLD)
    old.add("note", message="one")
    run_file("lfs", NEW).add("note", message="new")
    followed = follow()
    followed.poll()
    assert all_messages(followed, "lfs", OLD) == ["one"]
    assert followed.follower.older_runs("lfs") == []
    old.add("note", message="two")
    assert followed.follower.older_runs("lfs") == [OLD]
    assert all_messages(followed, "lfs", OLD) == ["one", "two"]


def test_an_older_run_that_was_not_read_to_its_end_is_offered_again(
    run_file: RunFiles, follow: Callable[[], Any]
) -> None:
    """Reading that was given up after the first 256 KiB begins anew later, and a bad line among them counts once."""
    old = run_file("lfs", OLD)
    old.raw(b"bad\n")
    for number in range(6):
        old.add("note", message=f"{number}" + "x" * 60_000)
    run_file("lfs", NEW).add("note", message="new")
    followed = follow()
    followed.poll()
    pieces = followed.follower.read_older("lfs", OLD)
    assert [event.message[0] for event in next(pieces)] == ["0", "1", "2", "3"]
    pieces.close()
    followed.follower.forget_older("lfs", OLD)
    assert followed.follower.older_runs("lfs") == [OLD]
    assert [words[0] for words in all_messages(followed, "lfs", OLD)] == list("012345")
    assert followed.follower.older_runs("lfs") == []
    assert followed.follower.decoder.rejected.total() == 1


def test_a_new_run_takes_over(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """The next run of a build is followed from its beginning, and the one before becomes an older one."""
    followed = follow()
    run_file("lfs", OLD).add("note", message="old")
    assert followed.messages() == ["old"]
    run_file("lfs", NEW).add("note", message="new")
    (batch,) = followed.poll()
    assert (batch.run, batch.from_start) == (NEW, True)
    assert followed.follower.older_runs("lfs") == [OLD]


def test_the_last_lines_of_a_run_come_before_the_next(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """What a run wrote since the last look is not lost where the next one has begun meanwhile."""
    old = run_file("lfs", OLD)
    old.add("note", message="one")
    followed = follow()
    followed.poll()
    old.add("note", message="its end")
    run_file("lfs", NEW).add("note", message="new")
    found = [(batch.run, [event.message for event in batch.events], batch.from_start) for batch in followed.poll()]
    assert found == [(OLD, ["its end"], False), (NEW, ["new"], True)]
    position = followed.follower.position("lfs")
    assert (position.run, position.offset) == (NEW, run_file("lfs", NEW).path.stat().st_size)


def test_lines_too_long_are_counted_in_any_run(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """Each is one, in the newest run and in an older one that is read twice; lines beside them are read."""
    for run in (OLD, NEW):
        file = run_file("lfs", run)
        file.raw((b"x" * (MAX_LINE_BYTES + 1) + b"\n") * 2)
        file.add("note", message=run)
    followed = follow()
    assert followed.messages() == [NEW]
    assert followed.follower.decoder.rejected == {Reason.TOO_LONG: 2}
    for _ in range(2):
        assert all_messages(followed, "lfs", OLD) == [OLD]
        assert followed.follower.decoder.rejected == {Reason.TOO_LONG: 4}


def test_an_unreadable_older_run_is_logged_and_no_fault_of_the_journal(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """One old file that can't be read is named once, not tried again, and does not make the journal unreadable."""
    (journal / "lfs").mkdir()
    (journal / "lfs" / f"{OLD}.jsonl").mkdir()
    run_file("lfs", NEW).add("note", message="new")
    followed = follow()
    followed.poll()
    assert all_messages(followed, "lfs", OLD) == []
    assert followed.follower.errors == {}
    assert followed.follower.older_runs("lfs") == []
    assert [record.message for record in caplog.records] == ["cannot read the journal"]


def test_a_run_without_a_line_hides_no_result(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """The file that a full disk left empty is not the newest run; it is from its first line on."""
    run_file("lfs", OLD).add("note", message="result")
    new = run_file("lfs", NEW)
    new.raw(b"")
    # in a directory that has not changed for long
    os.utime(new.path.parent, (1000, 1000))
    follower = follow().follower
    assert messages(follower) == [(OLD, "result")]
    assert follower.older_runs("lfs") == []
    new.add("note", message="room again")
    assert messages(follower) == [(NEW, "room again")]
    assert follower.older_runs("lfs") == [OLD]


@pytest.mark.parametrize(("empty", "seen"), [(15, "result"), (16, None)])
def test_a_result_behind_runs_without_a_line(
    run_file: RunFiles, follow: Callable[[], Any], empty: int, seen: str | None
) -> None:
    """The newest run with a line is looked for among the newest sixteen."""
    run_file("lfs", OLD).add("note", message="result")
    for day in range(empty):
        run_file("lfs", f"202602{day + 1:02}T000000Z").raw(b"")
    assert messages(follow().follower) == ([(OLD, seen)] if seen else [])


def test_runs_that_are_over_hold_no_descriptor(journal: Path, run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """Of ten runs one after the other only the newest has its file open."""
    follower = follow().follower
    for day in range(10):
        run_file("lfs", f"202602{day + 1:02}T000000Z").add("note", message="new")
        messages(follower)
    held = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert [path for path in held if path.startswith(str(journal))] == [str(run_file("lfs", "20260210T000000Z").path)]


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


def test_the_first_of_lines_to_come_is_not_held_up_by_a_later_one(journal: Path, run_file: RunFiles) -> None:
    """Each is taken when the clock reaches its time, though they were read in two looks."""
    clock = Clock(1.8e9)
    follower = Follower(str(journal), Decoder(clock))
    for days, message in enumerate(("one", "two"), 2):
        run_file("lfs", OLD, clock=1.8e9 + days * DAY).add("note", message=message)
        assert messages(follower) == []
    clock.now += DAY + 2.0
    assert messages(follower) == [(OLD, "one")]
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
