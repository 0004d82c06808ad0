"""To which of several emerges a line belongs, case by case, with both sides of each rule."""

from __future__ import annotations

from typing import Any

import pytest

from build_exporter.sources.portage.lines import MAX_PACKAGE_LENGTH, Entry, LineType, read_line
from build_exporter.sources.portage.session import (
    Merge,
    Session,
    session_of_cleaning,
    session_of_exit,
    session_of_merge,
    session_of_package,
    session_of_termination,
)


def emerge(name: str, began: float = 0.0, open_: str = "", **fields: Any) -> Session:
    """Return an emerge that is named by its command, with a package that continues if one is given."""
    session = Session(began, began, **{"command": name, "start": began, **fields})
    if open_:
        session.merges[open_] = session.open[open_] = Merge(open_, open_, "/", began, began)
    return session


def fresh(name: str, began: float = 0.0) -> Session:
    """Return an emerge that has merged nothing."""
    return emerge(name, began, start=None)


def merge(number: int, total: int) -> Entry:
    """Return the line with which an emerge begins a package."""
    return Entry(9.0, LineType.MERGE, number, total, "a/b-1", "/")


@pytest.mark.parametrize(
    ("number", "total", "sessions", "found"),
    [
        (3, 9, [emerge("next", number=2, total=9), emerge("ahead", 5, number=5, total=9)], "next"),
        (4, 9, [emerge("behind", number=2, total=9), emerge("ahead", 5, number=7, total=9)], "behind"),
        (1, 9, [emerge("same", number=2, total=9), fresh("fresh")], "fresh"),
        (2, 9, [emerge("same", number=5, total=9), fresh("fresh", 5)], "same"),
        (1, 3, [emerge("--keep-going", number=6, total=9), fresh("fresh", 5)], "--keep-going"),
        (1, 4, [emerge("--keep-going", number=6, total=9), fresh("fresh")], "fresh"),
        (1, 3, [emerge("stops", number=6, total=9), fresh("fresh")], "fresh"),
        (3, 9, [emerge("over", number=2, total=9, exited=8.0), emerge("other", number=1, total=4)], "other"),
        (3, 9, [emerge("old", number=2, total=9), emerge("new", 5, number=2, total=9)], "new"),
        (3, 9, [emerge("over", exited=8.0)], None),
    ],
)  # fmt: skip
def test_a_package_is_begun_by_the_emerge_it_continues(
    number: int, total: int, sessions: list[Session], found: str | None
) -> None:
    """By the count first, by what a failure leaves with `--keep-going`, then the one that has begun nothing."""
    session = session_of_merge(sessions, merge(number, total))
    assert (None if session is None else session.command) == found


@pytest.mark.parametrize(
    ("time", "sessions", "found"),
    [
        (160.0, [emerge("exits", exited=100.0, open_="a"), fresh("fresh", 9)], "exits"),
        (161.0, [emerge("exits", exited=100.0, open_="a"), fresh("fresh", 9)], "fresh"),
        (50.0, [emerge("works", 9, open_="a"), emerge("idle", 1)], "idle"),
        (50.0, [emerge("old", 1), emerge("new", 9)], "new"),
        (50.0, [], None),
    ],
)
def test_who_terminates_said_so_within_a_minute(time: float, sessions: list[Session], found: str | None) -> None:
    """An emerge that exits ends within a minute of it; else one that merged nothing, or has nothing to do."""
    session = session_of_termination(sessions, time)
    assert (None if session is None else session.command) == found


@pytest.mark.parametrize(
    ("status", "sessions", "found"),
    [
        (0, [emerge("works", 9, open_="a"), emerge("idle", 1)], "idle"),
        (1, [emerge("works", 9, open_="a"), emerge("idle", 1)], "works"),
        (0, [emerge("idle", 9), emerge("cleans", 1, is_cleaning=True)], "cleans"),
        (1, [emerge("idle", 9), emerge("cleans", 1, is_cleaning=True)], "cleans"),
        (0, [emerge("over", exited=5.0)], None),
    ],
)
def test_who_exits_has_nothing_left_to_do(status: int, sessions: list[Session], found: str | None) -> None:
    """A success is of one that works on nothing, and of one that cleans before others; a failure of the newest."""
    session = session_of_exit(sessions, status)
    assert (None if session is None else session.command) == found


def test_who_cleans_has_merged_all() -> None:
    """One that is at its last package, before one that waits for its next, before one that builds."""
    done, waits = emerge("done", 1, number=9, total=9), emerge("waits", 5, number=3, total=9)
    works = emerge("works", 9, open_="a", number=9, total=9)
    for sessions, found in (([works, waits, done], done), ([works, waits], waits), ([fresh("x"), works], works)):
        assert session_of_cleaning(sessions) is found
    assert session_of_cleaning([fresh("x")]) is None


def test_a_package_continues_where_it_is_open() -> None:
    """In an emerge that goes on, then in one of the same count, then in the one heard of last."""
    over, other = emerge("over", 9, open_="a/b-1", total=9, exited=10.0), emerge("other", 5, open_="a/b-1", total=4)
    same = emerge("same", 1, open_="a/b-1", total=9)
    for sessions, found in (([over, other, same], same), ([over, other], other), ([emerge("x", open_="a/c-1")], None)):
        assert session_of_package(sessions, merge(1, 9)) is found


@pytest.mark.parametrize(
    ("command", "package", "is_named"),
    [
        ("--ask >=dev-lang/python-3.12:3.12", "dev-lang/python-3.12.4", True),
        ("python:3.12", "dev-lang/python-3", True), ("=dev-lang/python-3", "dev-lang/python-4", True),
        ("--python", "dev-lang/python-3", False),
        ("python-exec", "dev-lang/python-3", False), ("app/python", "dev-lang/python-3", False),
    ],
)  # fmt: skip
def test_a_command_line_names_packages(command: str, package: str, is_named: bool) -> None:
    """With or without category, version, slot and operator; an option is none."""
    assert emerge(command).names(package) is is_named


def test_what_an_emerge_is_called_and_where_it_builds() -> None:
    """Its words without options, its jobs in any spelling, and a root where that is not its first one."""
    for words, target, jobs in (
        ("--ask --jobs=4 world", "world", 4), ("-j2 a/b c/d", "a/b c/d", 2), ("--pretend", None, None),
        ("a " * 300, "a " * 128, None),
    ):  # fmt: skip
        assert (emerge(words).target, emerge(words).reported_jobs) == (target, jobs)
    assert [emerge("x", root="/").step_name("a/b-1", root) for root in ("/", "/mnt/")] == ["a/b-1", "a/b-1 to /mnt/"]
    assert emerge("x").step_name("a/b-1", "/mnt/") == "a/b-1", "the first root is its own"
    done = emerge("x", open_="a", number=2, total=2)
    assert not done.is_complete
    done.merges["a"].status = "succeeded"
    assert (done.is_complete, emerge("x").is_complete) == (True, False)
    done.total = 3
    assert (done.left, done.is_complete) == (1, False)


def test_times_of_an_emerge_go_on_when_the_clock_is_set_back() -> None:
    """Each event is after the one before it, by a millisecond at least."""
    assert [(session := emerge("x", newest=5.0)).see(time) for time in (6.0,)] == [6.0]
    assert [session.see(time) for time in (6.0, 2.0, 7.0)] == [6.0, 6.001, 7.0]


@pytest.mark.parametrize(("length", "count"), [(MAX_PACKAGE_LENGTH, 1), (MAX_PACKAGE_LENGTH + 1, 0)])
def test_a_name_too_long_for_a_label_is_none(length: int, count: int) -> None:
    """A package's name may have two hundred characters."""
    name = "a/b-1".ljust(length, "1")
    lines = [f">>> emerge (1 of 2) {name} to /", f"=== (1 of 2) Compiling/Merging ({name}::/x.ebuild)"]
    assert [len(read_line(f"1700000000:  {line}")) for line in lines] == [count] * 2
