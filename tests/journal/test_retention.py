"""Retention: what is kept, what goes first, and what never goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.layout import run_path
from build_exporter.journal.retention import Limits, prune

RunFiles = Callable[..., Any]
NOW = 1.8e9
DAY = 86400.0


@pytest.fixture
def runs(journal: Path, run_file: RunFiles) -> Callable[..., list[str]]:
    """Make runs of a build: sizes in bytes, oldest first, a day apart, the last one now; return their paths."""

    def make(build: str, *sizes: int) -> list[str]:
        paths = []
        for number, size in enumerate(sizes):
            file = run_file(build, f"202601{number + 1:02}T000000Z")
            file.raw(b"x" * size)
            modified = NOW - DAY * (len(sizes) - 1 - number)
            os.utime(file.path, (modified, modified))
            paths.append(str(file.path))
        return paths

    return make


def left(journal: Path) -> set[str]:
    """Return the paths of the runs that are there."""
    return {str(path) for path in journal.rglob("*.jsonl")}


def test_without_limits_all_is_kept(journal: Path, runs: Any) -> None:
    """Nothing is removed unless a limit was set."""
    paths = runs("lfs", 10, 10, 10)
    assert prune(str(journal), Limits(), NOW) == []
    assert left(journal) == set(paths)


@pytest.mark.parametrize(("keep", "kept"), [(1, 1), (2, 2), (3, 3), (4, 4), (9, 4)])
def test_the_newest_runs_of_each_build_are_kept(journal: Path, runs: Any, keep: int, kept: int) -> None:
    """`runs` counts for each build by itself, and the oldest go."""
    lfs, blfs = runs("lfs", 1, 2, 3, 4), runs("blfs", 5)
    removed = prune(str(journal), Limits(runs=keep), NOW)
    assert sorted(removed) == lfs[: 4 - kept]
    assert left(journal) == {*lfs[4 - kept :], *blfs}
    assert prune(str(journal), Limits(runs=keep), NOW) == []


def test_size_is_of_the_whole_journal_and_the_oldest_go_first(journal: Path, runs: Any) -> None:
    """Runs go by age over all builds until the rest fits; the newest ones count, though they stay."""
    lfs, blfs = runs("lfs", 100, 100, 100), runs("blfs", 100, 100)
    # oldest first: lfs[0], then lfs[1] and blfs[0] of the same day
    assert prune(str(journal), Limits(size=400), NOW) == [lfs[0]]
    assert left(journal) == {lfs[1], lfs[2], *blfs}
    assert prune(str(journal), Limits(size=400), NOW) == []


def test_the_newest_run_stays_however_large_and_old(journal: Path, runs: Any) -> None:
    """The newest run of a build may still be written to: no limit removes it."""
    lfs, blfs = runs("lfs", 1000, 5000), runs("blfs", 7000)
    assert prune(str(journal), Limits(runs=1, size=1, age=1.0), NOW + 1000 * DAY) == [lfs[0]]
    assert left(journal) == {lfs[1], *blfs}


def test_runs_that_ended_long_ago_go(journal: Path, runs: Any) -> None:
    """Age counts from the last line of a run, not from its name."""
    lfs = runs("lfs", 1, 1, 1, 1)
    os.utime(lfs[0], (NOW, NOW))
    assert prune(str(journal), Limits(age=1.5 * DAY), NOW) == [lfs[1]]
    assert left(journal) == {lfs[0], lfs[2], lfs[3]}


def test_limits_count_together(journal: Path, runs: Any) -> None:
    """What one limit removes the others need not."""
    lfs = runs("lfs", 50, 50, 50, 50)
    removed = prune(str(journal), Limits(runs=3, age=1.5 * DAY, size=60), NOW)
    assert set(removed) == set(lfs[:3])
    assert len(removed) == 3


def test_what_is_no_run_is_never_removed(journal: Path, runs: Any) -> None:
    """Files of people in the journal stay, and none passes for the newest run so that the real one would go."""
    (newest,) = runs("lfs", 10)
    others = ["zzzzzzzz-zzzzzz-.jsonl", "my-notes-16-long.jsonl", "README", "20260101T000000Z.jsonl.bak"]
    for name in others:
        (journal / "lfs" / name).write_text("mine")
        os.utime(journal / "lfs" / name, (0, 0))
    assert prune(str(journal), Limits(runs=1, size=0, age=0.0), NOW) == []
    assert Path(newest).exists()
    assert all((journal / "lfs" / name).exists() for name in others)


def test_what_cannot_be_removed_keeps_nothing_else(journal: Path, runs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A directory with a run's name is told in the log; all other runs beyond the limit go."""
    lfs, blfs = runs("lfs", 1, 1), runs("blfs", 1, 1)
    Path(run_path(str(journal), "lfs", "20250101T000000Z")).mkdir()
    Path(run_path(str(journal), "blfs", "20250101T000000Z")).symlink_to("nowhere")
    removed = prune(str(journal), Limits(runs=1), NOW)
    assert {lfs[0], blfs[0]} <= set(removed)
    assert len(removed) == 3
    assert [record.__dict__["path"] for record in caplog.records] == [run_path(str(journal), "lfs", "20250101T000000Z")]


def test_a_journal_that_is_not_there_is_nothing_to_prune(tmp_path: Path) -> None:
    """Before the first build there is nothing to remove."""
    assert prune(str(tmp_path / "missing"), Limits(runs=1, size=1, age=1.0), NOW) == []
