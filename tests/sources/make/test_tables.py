"""Tables of hand-worked values for how a console is read: dates, marks, which make failed, who writes, forecasts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.states import BuildState
from build_exporter.sources.make.directories import Directories, Open
from build_exporter.sources.make.failures import MAX_UNPLACED, Reasons, UnplacedFailure, UnplacedFailures
from build_exporter.sources.make.history import is_of
from build_exporter.sources.make.open_files import FileWriters
from build_exporter.sources.make.patterns import Failure
from build_exporter.sources.make.text import Stamped, script_mark, stamped
from build_exporter.tracker import Run

NEWEST = datetime(2026, 1, 2, 6, 0, 0, tzinfo=UTC).timestamp()
FAILED = Failure(1, 2, stopped=False)
A, B, C = Open(1, "/p/a", "a"), Open(1, "/p/b", "b"), Open(1, "/p/sub/c", "c")


@pytest.fixture
def _utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The zone is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_utc")
@pytest.mark.parametrize(
    ("line", "after"),
    [
        (f"[{NEWEST:.0f}] x", 0), (f"[{NEWEST + 86400:.0f}] x", 86400), (f"[{NEWEST + 86401:.0f}] x", None),
        ("2026-01-02T05:59:00+00:00 x", -60), ("2026-01-02T07:59:00+02:00 x", -60), ("Jan 02 05:59:58 x", -2),
        ("Jan 03 06:00:00 x", 86400), ("Jan 03 06:00:01 x", 86401 - 365 * 86400), ("Dec 31 06:00:00 x", -2 * 86400),
        ("Feb 29 06:00:00 x", None), ("00:00:12 x", None),
    ],
)  # fmt: skip
def test_the_date_before_a_line(line: str, after: float | None) -> None:
    """A date is taken away and is the line's time; without a year it is the last such day, up to a day ahead."""
    assert stamped(line, NEWEST) == Stamped("x", None if after is None else NEWEST + after)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Script started on 2026-01-02 06:00:00+00:00 [TERM="x"]', (True, NEWEST, None)),
        ('Script done on 2026-01-02 08:00:07+02:00 [COMMAND_EXIT_CODE="2"]', (False, NEWEST + 7, 2)),
        ('Script done on 2026-01-02 06:00:00+00:00 [COMMAND_EXIT_CODE="0"]', (False, NEWEST, 0)),
        ('Script done on 2026-13-02 06:00:00+00:00 [COMMAND_EXIT_CODE="137"]', (False, None, 137)),
        ("Script done", (False, None, None)), ("Script started, file is x", (True, None, None)),
        ("Script startedness", None), ("A Script done", None),
    ],
)  # fmt: skip
def test_lines_of_script(line: str, expected: tuple[object, ...] | None) -> None:
    """The first and last line of script(1) give the time, and the last the command's exit code."""
    found = script_mark(line)
    assert (tuple(found) if found is not None else None) == expected


@pytest.mark.parametrize(
    ("candidates", "left", "target", "broken", "expected"),
    [
        ([A, B], [], "all-a", (), A), ([A, B], [], "x", (), B), ([A, B, C], [], "sub/c.o", (), C),
        ([A, B], [A], "all-b", (), A), ([A, B], [A, B], "all-a", (), A), ([A, B, C], [B, A], "x", (), A),
        ([A, B], [], "x", ("/p/b",), A), ([A, B], [], "b", ("/p/b",), A), ([A, B], [], "x", ("/p/a", "/p/b"), B),
        ([A, B], [B], "x", ("/p/b",), B), ([A, B], [], "abc", (), B),
    ],
)  # fmt: skip
def test_which_of_several_makes_failed(
    candidates: list[Open], left: list[Open], target: str, broken: tuple[str, ...], expected: Open
) -> None:
    """The one that the caller's target names, else the last that was left, else the last; not one known to have."""
    assert UnplacedFailure(FAILED, None, candidates, list(left)).place(target, broken) is expected


@pytest.mark.parametrize(
    ("top", "paths", "names"),
    [
        ("/tmp/linux", ("/tmp/hn", "/tmp/linux/fs/ext4/x", "/tmp/t/perf"), ("hn", "fs/ext4", "t/perf")),
        ("/srv/a", ("/tmp/hn", "/var/tmp/x", "/var/tmp/x/y/z", "/opt/tmp/hn"), ("hn", "x", "y/z", "tmp/hn")),
        ("/srv/b/a", ("/srv/b/c", "/srv/b/a/d"), ("c", "a/d")),
    ],
)  # fmt: skip
def test_a_directory_beside_the_build_has_its_own_name(
    top: str, paths: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Below the top its path; elsewhere its last two parts, without where the temporary files of all programs are."""
    directories = Directories()
    assert directories.name(top) == ""
    assert tuple(directories.name(path) for path in paths) == names


def test_failures_that_wait() -> None:
    """Each level's failures come out in turn, the deepest level first at the end; a flood of them is bounded."""
    waiting, found = UnplacedFailures(), [UnplacedFailure(FAILED, None, [each]) for each in (A, B, C)]
    for level, each in ((1, found[0]), (1, found[1]), (2, found[2])):
        waiting.add(level, each)
    assert waiting.leave(1, B)
    assert not waiting.leave(1, C)
    assert [each.left for each in found] == [[], [B], []]
    assert waiting.take(1) is found[0]
    assert 1 in waiting
    assert waiting.take_all() == [found[2], found[1]]
    assert 1 not in waiting
    assert waiting.take(1) is None
    for _ in range(MAX_UNPLACED + 5):
        waiting.add(3, found[0])
    assert len(waiting.take_all()) == MAX_UNPLACED


@pytest.mark.parametrize(
    ("line", "is_known", "reason"),
    [
        ("x.c:1:2: error: no", False, "x.c:1:2: error: no"), ("x.c:1:2: error: no", True, "x.c:1:2: error: no"),
        ("ninja: build stopped: subcommand failed.", False, "ninja: build stopped: subcommand failed."),
        ("ninja: build stopped: subcommand failed.", True, None),
    ],
)  # fmt: skip
def test_words_that_only_hand_a_failure_on(line: str, is_known: bool, reason: str | None) -> None:
    """They are a reason where there is no other, and none where what failed is known."""
    reasons = Reasons()
    reasons.keep(line)
    cause = reasons.cause(FAILED, is_known=is_known)
    assert (cause.reason if cause is not None else None) == reason
    reasons.forget()
    assert reasons.last_cause() is None


def test_a_tool_that_gave_up_may_say_why() -> None:
    """It is judged at the twelfth line after, or at once where nothing more comes; once."""
    reasons = Reasons()
    assert not reasons.is_due(now=True)
    reasons.wait()
    assert [reasons.is_due() for _ in range(5)] == [False] * 5
    reasons.wait()
    assert [reasons.is_due() for _ in range(8)] == [False] * 6 + [True, False]
    reasons.wait()
    assert [reasons.is_due(now=True) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("start", "end", "status", "expected"),
    [
        (None, None, None, False), (101.0, None, None, True), (101.1, None, None, False), (1.0, None, None, True),
        (1.0, 99.0, BuildState.FAILED, True), (1.0, 98.9, BuildState.FAILED, False), (1.0, 50.0, None, True),
        (1.0, 500.0, BuildState.SUCCEEDED, True), (1.0, None, BuildState.SUCCEEDED, True),
    ],
)  # fmt: skip
def test_whose_log_it_is(start: float | None, end: float | None, status: BuildState | None, expected: bool) -> None:
    """A log written last at 100 s is that of a run begun by then that goes on, or ended no second earlier."""
    run = Run("b", "20260102T030405Z", start=start)
    run.end, run.status = end, status
    assert is_of(run, 100.0) is expected


def processes(proc: Path, log: Path, rows: list[tuple[int, int, str]]) -> None:
    """Write a `/proc` booted at 1000 s with processes that have a log open: pid, ticks they began at, flags."""
    (proc / "stat").write_text("btime 1000\n")
    for pid, ticks, flags in rows:
        for name in ("fd", "fdinfo"):
            (proc / str(pid) / name).mkdir(parents=True)
        (proc / str(pid) / "fd/3").symlink_to(log)
        (proc / str(pid) / "fdinfo/3").write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n")
        (proc / str(pid) / "stat").write_text(f"{pid} (a) b) S " + "0 " * 18 + f"{ticks} 0\n")


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        ([], None), ([(7, 500, "0100000")], None), ([(7, 500, "0100001")], 5), ([(7, 500, "0100002")], 5),
        ([(7, 500, "01"), (8, 300, "01"), (9, 100, "00")], 3), ([(7, 0, "0102001"), (8, 900, "01")], 0),
    ],
)  # fmt: skip
def test_since_when_somebody_writes(rows: list[tuple[int, int, str]], seconds: float | None, tmp_path: Path) -> None:
    """Of those who have the log open for writing, and not only to read it, the oldest counts."""
    log = tmp_path / "x.log"
    log.touch()
    processes(tmp_path, log, rows)
    hertz = os.sysconf("SC_CLK_TCK") / 100
    assert FileWriters(log, tmp_path).since() == (None if seconds is None else 1000 + seconds / hertz)


@pytest.mark.parametrize(
    ("silent", "after"), [((2.9, 10.0, 12.9), (10.0, 13.0)), ((0.0, 3.0, 5.9), (3.0, 6.0))]
)  # fmt: skip
def test_a_writer_that_is_gone(silent: tuple[float, ...], after: tuple[float, float], tmp_path: Path) -> None:
    """It is over three seconds after the last look that found nobody, once somebody had been seen."""
    log = tmp_path / "x.log"
    log.touch()
    processes(tmp_path, log, [(7, 500, "01")])
    writers = FileWriters(log, tmp_path)
    assert writers.since() is not None
    assert not writers.are_gone(9999.0, 5000.0)
    (tmp_path / "7/fd/3").unlink()
    assert [writers.are_gone(5000.0 + each, 5000.0) for each in silent] == [False] * 3
    assert [writers.are_gone(5000.0 + each, 5000.0) for each in after] == [False, True]


def test_what_is_counted_is_forecast(follow: Callable[..., Any], tmp_path: Path) -> None:
    """At 5, 20 and 50 % of a first build its step's time is planned as the time so far, over the share that is done."""
    began, log = 1767400000, tmp_path / "x.log"
    follower = follow(log)
    rows = [
        (0, "$ make", None), (2, "[  4%] Building C object a.o", None), (4, "[ 10%] Building C object b.o", 20.0),
        (5, "[ 19%] Building C object c.o", 20.0), (8, "[ 20%] Building C object d.o", 30.0),
        (9, "[ 25%] Building C object e.o", 30.0), (32, "[ 60%] Building C object f.o", 50.0),
        (60, "[ 80%] Building C object g.o", 50.0),
    ]  # fmt: skip
    for second, text, expected in rows:
        with log.open("a") as file:
            file.write(f"[{began + second}] {text}\n")
        os.utime(log, (began + second, began + second))
        follower.poll(began + second)
        steps = follower.newest.steps.values() if follower.runs() else ()
        assert [step.expected_seconds for step in steps if step.planned] == ([expected] if expected else []), text
