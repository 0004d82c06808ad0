"""Following a journal: what comes, goes, is renamed or cannot be read."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.decode import Reason
from build_exporter.journal.follow import HELD_SECONDS, MOST_HELD, journal_bytes
from build_exporter.journal.lines import LineFile

RunFiles = Callable[..., Any]
OLD, NEW = "20260101T000000Z", "20260103T000000Z"


def test_only_what_is_new_is_reported(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """Each look gives the events since the one before, and nothing when nothing came."""
    lfs = run_file("lfs")
    followed = follow()
    lfs.add("note", message="one")
    assert followed.messages() == ["one"]
    assert followed.poll() == []
    lfs.add("note", message="two")
    lfs.add("note", message="three")
    assert followed.messages() == ["two", "three"]


def test_a_run_is_known_from_its_file(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """An empty run file is a run, restarted, before it has emitted anything."""
    run_file("lfs").raw(b"")
    (batch,) = follow().poll()
    assert (batch.build, batch.events, batch.from_start) == ("lfs", [], True)


def test_a_journal_that_appears_later_is_found(tmp_path: Path, follow: Callable[..., Any], note: Any) -> None:
    """The exporter may be started before anything has been built: directory, build and run come when they come."""
    root = tmp_path / "later" / "journal"
    followed = follow(root)
    assert followed.poll() == []
    assert followed.follower.errors == {}
    root.mkdir(parents=True)
    assert followed.poll() == []
    (root / "lfs").mkdir()
    assert followed.poll() == []
    (root / "lfs" / f"{OLD}.jsonl").write_bytes(note("first"))
    assert followed.messages() == ["first"]
    shutil.rmtree(root)
    assert followed.poll() == []
    assert followed.follower.build_names() == []
    (root / "lfs").mkdir(parents=True)
    (root / "lfs" / f"{OLD}.jsonl").write_bytes(note("again"))
    assert followed.messages() == ["again"]


def test_a_renamed_build_is_another_build(journal: Path, run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """Moving a build's directory ends the build under its old name; lines that name the old one are refused."""
    lfs = run_file("lfs")
    lfs.add("note", message="one")
    followed = follow()
    assert followed.messages() == ["one"]
    (journal / "lfs").rename(journal / "lfs-old")
    (batch,) = followed.poll()
    assert (batch.build, batch.events) == ("lfs-old", [])
    assert followed.follower.build_names() == ["lfs-old"]
    assert followed.follower.decoder.rejected == {Reason.WRONG_BUILD: 1}
    # the old name is free for another build, also at once
    run_file("lfs", NEW).add("note", message="anew")
    assert followed.messages() == ["anew"]


def test_a_build_made_anew_between_two_looks_is_read_anew(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any]
) -> None:
    """A build removed and begun again faster than anyone looked has none of the old events."""
    run_file("lfs").add("note", message="old")
    followed = follow()
    followed.poll()
    for number in range(20):
        shutil.rmtree(journal / "lfs")
        run_file("lfs").add("note", message=f"new {number}")
        (batch,) = followed.poll()
        assert batch.from_start
        assert [event.message for event in batch.events] == [f"new {number}"]


def test_a_newest_run_that_is_removed_gives_way_to_the_one_before(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any]
) -> None:
    """After its newest run was deleted a build is what a restart would show: the run before, or nothing."""
    for run in (OLD, NEW):
        run_file("lfs", run).add("note", message=run)
    followed = follow()
    assert followed.messages() == [NEW]
    (journal / "lfs" / f"{NEW}.jsonl").unlink()
    (batch,) = followed.poll()
    assert (batch.run, batch.from_start) == (OLD, True)
    (journal / "lfs" / f"{OLD}.jsonl").unlink()
    assert followed.poll() == []
    assert followed.follower.build_names() == []
    assert followed.follower.errors == {}


def _open_files() -> list[str]:
    return [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]


def test_many_builds_side_by_side(run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """A hundred builds are followed at once, each by its own name, few files open, and gone ones leave none open."""
    files = [run_file(f"build-{number}") for number in range(100)]
    followed = follow()
    followed.poll()
    for round_ in range(3):
        for number, file in enumerate(files):
            file.add("note", message=f"{round_} {number}")
        reported = {batch.build: [event.message for event in batch.events] for batch in followed.poll()}
        assert reported == {f"build-{number}": [f"{round_} {number}"] for number in range(100)}
    for file in (files[0], files[-1]):
        file.add("note", message="again")
        assert followed.messages() == ["again"]
        # the one that grew last is among those that stay open
        assert _open_files().count(str(file.path)) == 1
    before = len(list(Path("/proc/self/fd").iterdir()))
    for file in files:
        shutil.rmtree(file.path.parent)
    followed.poll()
    assert len(list(Path("/proc/self/fd").iterdir())) == before - MOST_HELD


@pytest.mark.parametrize(("quiet", "held"), [(HELD_SECONDS, 1), (HELD_SECONDS + 0.1, 0)])
def test_a_quiet_run_holds_no_descriptor(
    run_file: RunFiles, follow: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, quiet: float, held: int
) -> None:
    """After half a minute without a line its file is closed, and read on when it grows."""
    lfs = run_file("lfs")
    lfs.add("note", message="one")
    followed = follow()
    monkeypatch.setattr(LineFile, "quiet_seconds", lambda file: quiet)
    assert followed.messages() == ["one"]
    assert _open_files().count(str(lfs.path)) == held
    lfs.add("note", message="two")
    assert followed.messages() == ["two"]


@pytest.mark.parametrize(
    "name",
    [
        "notes-of-mine-xy.jsonl",
        "20260101T000000z.jsonl",
        "20260101 000000Z.jsonl",
        "20260101T000000Z.jsonl~",
        "20260101T000000Z.json",
        ".20260101T000000Z.jsonl",
        "\uff12\uff10\uff12\uff160101T000000Z.jsonl",
        "20260101T000000Z\n.jsonl",
        "zzzzzzzzTzzzzzzZ.jsonl",
    ],
)
def test_other_files_are_left_alone(journal: Path, run_file: RunFiles, follow: Callable[[], Any], name: str) -> None:
    """Files that people and editors leave beside the runs are never taken for one."""
    run_file("lfs", OLD).add("note", message="run")
    (journal / "lfs" / name).write_bytes(b"not of ours\n")
    followed = follow()
    assert followed.messages() == ["run"]
    assert followed.follower.older_runs("lfs") == []
    assert not followed.follower.decoder.rejected


@pytest.mark.parametrize("name", [".hidden", "two words", "lfs\n", "ä", "x" * 101, "a,b"])
def test_other_directories_are_left_alone(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any], note: Any, name: str
) -> None:
    """A directory whose name can name no build is none, whatever lies in it."""
    run_file("lfs").add("note", message="run")
    (journal / name).mkdir()
    (journal / name / f"{OLD}.jsonl").write_bytes(note(build=name))
    (journal / "file").write_bytes(b"")
    followed = follow()
    assert followed.messages() == ["run"]
    assert followed.follower.build_names() == ["lfs"]


def test_a_link_in_a_circle_hides_no_build(journal: Path, run_file: RunFiles, follow: Callable[[], Any]) -> None:
    """A broken link in the journal costs nothing, before and after the builds beside it."""
    run_file("lfs").add("note", message="one")
    for name in ("a-circle", "z-circle"):
        (journal / name).symlink_to(journal / name)
    (journal / "missing").symlink_to(journal / "nowhere")
    followed = follow()
    assert followed.messages() == ["one"]
    assert followed.follower.build_names() == ["lfs"]


def test_a_linked_build_is_followed(
    journal: Path, tmp_path: Path, follow: Callable[[], Any], note: Callable[..., bytes]
) -> None:
    """A build whose directory lies elsewhere, as inside a chroot, and is linked into the journal is one like any."""
    inside = tmp_path / "chroot" / "lfs"
    inside.mkdir(parents=True)
    (journal / "lfs").symlink_to(inside)
    followed = follow()
    followed.poll()
    (inside / f"{OLD}.jsonl").write_bytes(note("within"))
    assert followed.messages() == ["within"]


@pytest.mark.parametrize("kind", ["fifo", "directory", "circle"])
@pytest.mark.timeout(20)
def test_what_stands_where_a_run_should_is_reported_until_it_is_gone(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A named pipe, directory or broken link as a run affects no other build, and is reported once."""
    (journal / "bad").mkdir()
    path = journal / "bad" / f"{OLD}.jsonl"
    if kind == "circle":
        path.symlink_to(path)
    else:
        (os.mkfifo if kind == "fifo" else os.mkdir)(path)
    other = run_file("lfs")
    followed = follow()
    for number in range(3):
        other.add("note", message=str(number))
        assert followed.messages() == [str(number)]
    assert list(followed.follower.errors) == [str(path)]
    assert [record.message for record in caplog.records] == ["cannot read the journal"]
    run_file("bad", NEW).add("note", message="real")
    assert followed.messages() == ["real"]
    assert followed.follower.errors == {}


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Give up root's right to read everything for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("what", ["journal", "build", "run"])
def test_what_may_not_be_read_is_reported_until_it_may(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any], caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """Missing permissions show as an error of the source and in the log, and go away when they are put right."""
    run = run_file("lfs")
    run.add("note", message="one")
    for path in (journal, *journal.parents):
        if path.owner() != "root" or path == Path("/tmp"):
            break
        path.chmod(0o755)
    closed = {"journal": journal, "build": journal / "lfs", "run": run.path}[what]
    before = closed.stat().st_mode
    for path in (journal / "lfs", journal):
        # changed long ago, and not by a change of permissions
        os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    followed = follow()
    closed.chmod(0)
    with _as_nobody():
        for _ in range(3):
            assert followed.messages() == []
    assert followed.follower.errors == {str(closed): "Permission denied"}
    assert len(caplog.records) == 1
    closed.chmod(before)
    with _as_nobody():
        assert followed.messages() == ["one"]
    assert followed.follower.errors == {}


def test_a_file_system_with_coarse_time_stamps_hides_no_run(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any]
) -> None:
    """Where a directory's time keeps only whole seconds, a run made in the second of the last poll is still found."""
    (journal / "lfs").mkdir()
    now = int(time.time()) * 1_000_000_000
    os.utime(journal / "lfs", ns=(now, now))
    followed = follow()
    followed.poll()
    time.sleep(0.06)  # beyond the grain of a fine time stamp: what is tested is the time that passes
    run_file("lfs").add("note", message="found")
    os.utime(journal / "lfs", ns=(now, now))
    assert followed.messages() == ["found"]


def test_a_quiet_journal_is_not_listed_again(
    journal: Path, run_file: RunFiles, follow: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at a hundred builds where nothing happens lists no directory."""
    for number in range(100):
        file = run_file(f"build-{number}")
        file.add("note", message="m")
        os.utime(file.path.parent, ns=(10**18 + 1, 10**18 + 1))
    os.utime(journal, ns=(10**18 + 1, 10**18 + 1))
    followed = follow()
    followed.poll()

    def listed(*_: object) -> list[str]:
        raise AssertionError

    monkeypatch.setattr("build_exporter.journal.follow.builds", listed)
    monkeypatch.setattr("build_exporter.journal.follow.runs", listed)
    assert followed.poll() == []


def test_a_flood_of_bad_lines_is_no_flood_of_messages(
    run_file: RunFiles, follow: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Rejected lines are reported at the first and then at each tenfold, with the reason and the line itself."""
    caplog.set_level(logging.WARNING)
    file = run_file("lfs")
    followed = follow()
    for _ in range(1500):
        file.raw(b"\x1b[31mnot \xff JSON\n")
        followed.poll()
    assert [record.__dict__["total"] for record in caplog.records] == [1, 10, 100, 1000]
    assert caplog.records[0].__dict__["reason"] == "not-utf-8"
    assert caplog.records[0].__dict__["line"] == "\x1b[31mnot \\xff JSON"


def test_a_rejected_line_is_reported_without_its_secrets(
    run_file: RunFiles, follow: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What was meant as an event may hold a password; the exporter's own log does not repeat it."""
    file = run_file("lfs")
    followed = follow()
    file.raw(b'{"message": "fetching https://me:hunter2@host/x", oops\n')
    followed.poll()
    assert caplog.records[0].__dict__["line"] == '{"message": "fetching https://***@host/x", oops'


def test_the_size_of_a_journal_counts_every_run(journal: Path, run_file: RunFiles) -> None:
    """Bytes shown are those of all run files of all builds, whatever else cannot be looked at."""
    assert journal_bytes(str(journal)) == 0
    sizes = 0
    for build in ("lfs", "blfs"):
        for run in (OLD, NEW):
            file = run_file(build, run)
            file.raw(b"x" * 1000)
            sizes += 1000
        (journal / build / "a-broken-link.jsonl").symlink_to("nowhere")
        (journal / build / "other.txt").write_bytes(b"y" * 5000)
    assert journal_bytes(str(journal)) == sizes
    assert journal_bytes(str(journal / "missing")) == 0


def test_who_writes_faster_than_anybody_reads_holds_up_nobody(
    follow: Callable[..., Any], journal: Path, note: Callable[..., bytes]
) -> None:
    """A poll ends after its time with what is left for the next one: every build gets its turn, nothing is skipped."""
    for build in ("a", "b"):
        (journal / build).mkdir()
        lines = b"".join(note(f"{n}", build=build) for n in range(8000))
        (journal / build / "20260101T000000Z.jsonl").write_bytes(lines)
    follower = follow().follower
    read: dict[str, list[str]] = {"a": [], "b": []}
    polls = 0
    while polls == 0 or follower.has_more:
        batches = list(follower.poll(seconds=0.0))
        assert [batch.build for batch in batches] in (["a", "b"], []), "the last look finds that there is nothing more"
        for batch in batches:
            read[batch.build] += [event.message for event in batch.events]
        polls += 1
    assert polls > 2
    assert read == {build: [str(n) for n in range(8000)] for build in "ab"}
