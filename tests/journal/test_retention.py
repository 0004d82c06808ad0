"""Retention: what is kept, what goes first, and what never goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.journal.layout import run_path
from build_exporter.journal.removed_runs import Tally, note, removed_runs
from build_exporter.journal.retention import Limits, prune

RunFiles = Callable[..., Any]
NOW = 1.8e9
DAY = 86400.0


def nothing(build: str, run: str) -> Tally:
    """Return the counts of a run that did nothing."""
    return Tally()


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


@pytest.mark.parametrize(
    ("limits", "after", "gone"),
    [
        (Limits(), 1000, ""),
        (Limits(runs=1), 0, "abce"), (Limits(runs=2), 0, "ab"), (Limits(runs=3), 0, "a"), (Limits(runs=4), 0, ""),
        (Limits(runs=9), 0, ""),
        # 100 bytes each: the oldest of all builds go until the rest fits, and the newest count, though they stay
        (Limits(size=600), 0, ""), (Limits(size=599), 0, "a"), (Limits(size=400), 0, "ab"), (Limits(size=1), 0, "abce"),
        # from the last line of a run on, which is days after its name
        (Limits(age=1.5 * DAY), 0, "ab"), (Limits(age=3 * DAY), 0, ""), (Limits(age=3 * DAY - 1), 0, "a"),
        (Limits(age=1.0), 1000, "abce"),
        # what one limit removes the others need not
        (Limits(runs=3, size=500), 0, "a"), (Limits(runs=3, age=1.5 * DAY, size=300), 0, "abe"),
    ],
)  # fmt: skip
def test_what_is_beyond_a_limit_goes_the_oldest_first(
    journal: Path, runs: Any, limits: Limits, after: float, gone: str
) -> None:
    """Of four runs of a build and two of another, a day apart, the newest of each, which may be written to, stays."""
    paths = dict(zip("abcdef", [*runs("lfs", *[100] * 4), *runs("blfs", *[100] * 2)], strict=True))
    removed = prune(str(journal), limits, NOW + after * DAY, nothing)
    assert sorted(removed) == sorted(paths[name] for name in gone)
    assert left(journal) == set(paths.values()) - set(removed)
    assert prune(str(journal), limits, NOW + after * DAY, nothing) == []


def test_what_is_no_run_is_never_removed(journal: Path, runs: Any) -> None:
    """Files of people in the journal stay, and none passes for the newest run so that the real one would go."""
    (newest,) = runs("lfs", 10)
    others = ["zzzzzzzz-zzzzzz-.jsonl", "my-notes-16-long.jsonl", "README", "20260101T000000Z.jsonl.bak"]
    for name in others:
        (journal / "lfs" / name).write_text("mine")
        os.utime(journal / "lfs" / name, (0, 0))
    assert prune(str(journal), Limits(runs=1, size=0, age=0.0), NOW, nothing) == []
    assert Path(newest).exists()
    assert all((journal / "lfs" / name).exists() for name in others)


def test_what_cannot_be_removed_keeps_nothing_else(journal: Path, runs: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A directory with a run's name is reported in the log; all other runs beyond the limit go."""
    lfs, blfs = runs("lfs", 1, 1), runs("blfs", 1, 1)
    Path(run_path(str(journal), "lfs", "20250101T000000Z")).mkdir()
    Path(run_path(str(journal), "blfs", "20250101T000000Z")).symlink_to("nowhere")
    removed = prune(str(journal), Limits(runs=1), NOW, nothing)
    assert {lfs[0], blfs[0]} <= set(removed)
    assert len(removed) == 3
    assert [record.__dict__["path"] for record in caplog.records] == [run_path(str(journal), "lfs", "20250101T000000Z")]


def test_a_journal_that_is_not_there_is_nothing_to_prune(tmp_path: Path) -> None:
    """Before the first build there is nothing to remove."""
    assert prune(str(tmp_path / "missing"), Limits(runs=1, size=1, age=1.0), NOW, nothing) == []


def one_each(build: str, run: str) -> Tally:
    """Return the counts of a run that failed once and then succeeded."""
    return Tally({"failed": 1, "succeeded": 1}, {"chapter-5": {"disk-full": 2}})


def test_what_removed_runs_counted_is_kept(journal: Path, runs: Any) -> None:
    """A counter over runs is after a removal, and a restart, what it was before; each build has its own."""
    runs("lfs", 1, 2, 3, 4)
    runs("blfs", 5)
    assert removed_runs(str(journal), "lfs") == Tally()
    prune(str(journal), Limits(runs=3), NOW, one_each)
    assert removed_runs(str(journal), "lfs") == one_each("lfs", "")
    prune(str(journal), Limits(runs=1), NOW, one_each)
    assert removed_runs(str(journal), "lfs") == Tally({"failed": 3, "succeeded": 3}, {"chapter-5": {"disk-full": 6}})
    assert removed_runs(str(journal), "blfs") == Tally()


def test_a_crash_between_noting_and_removing_counts_nothing_twice(journal: Path, runs: Any) -> None:
    """A run noted whose file is still there is counted by its file alone, until the file has gone."""
    paths = runs("lfs", 1, 2)
    name = Path(paths[0]).stem
    note(str(journal), "lfs", name, one_each("lfs", name))
    assert removed_runs(str(journal), "lfs") == Tally()
    prune(str(journal), Limits(runs=1), NOW, one_each)
    assert removed_runs(str(journal), "lfs") == one_each("lfs", name)


PRUNE = """
import sys, time
from build_exporter.journal.removed_runs import Tally
from build_exporter.journal.retention import Limits, prune
print("ready", flush=True)
sys.stdin.readline()
prune(sys.argv[1], Limits(runs=1), time.time(), lambda build, run: Tally({"succeeded": 1}, {"p": {"other": 2}}))
"""


def test_exporters_that_remove_at_once_lose_no_counts(journal: Path, runs: Any) -> None:
    """Exporters on one journal count each removed run exactly once, however their removals interleave."""
    builds = [f"build-{number}" for number in range(8)]
    for build in builds:
        runs(build, *([1] * 28))
    command = [sys.executable, "-c", PRUNE, str(journal)]
    pipe = subprocess.PIPE
    started: list[Any] = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    for build in builds:
        assert removed_runs(str(journal), build) == Tally({"succeeded": 27}, {"p": {"other": 54}})


def test_a_run_whose_counts_are_not_known_yet_stays(journal: Path, runs: Any) -> None:
    """Nothing is removed before it has been read."""
    paths = runs("lfs", 1, 2)
    assert prune(str(journal), Limits(runs=1), NOW, lambda *_: None) == []
    assert left(journal) == set(paths)


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"[]", b'{"gone": {"results": {"failed": -1}}}', b"[" * 100_000])
def test_a_damaged_note_costs_the_counts_alone(journal: Path, runs: Any, content: bytes) -> None:
    """Whatever stands in the file, the runs beside it are read and removed as ever."""
    paths = runs("lfs", 1, 2)
    (journal / "lfs/removed.json").write_bytes(content)
    assert removed_runs(str(journal), "lfs") == Tally()
    assert prune(str(journal), Limits(runs=1), NOW, one_each) == paths[:1]
    assert removed_runs(str(journal), "lfs") == one_each("lfs", "")


def test_a_note_that_is_a_pipe_holds_nobody_up(journal: Path, runs: Any) -> None:
    """Whoever may write to a build's directory can put a FIFO there: it counts as damaged."""
    runs("lfs", 1)
    os.mkfifo(journal / "lfs" / "removed.json")
    assert removed_runs(str(journal), "lfs") == Tally()


def test_counters_continue_after_removal_and_restart(
    journal: Path, tmp_path: Path, run_file: RunFiles, serve: Any, poll: Any
) -> None:
    """`build_runs_total` and `build_failures_total` of an exporter that kept one run of three, started twice."""
    for day in ("01", "02", "03"):
        run = run_file("lfs", f"202601{day}T000000Z")
        run.add("step_finished", phase="chapter-5", step="s", status="failed", error_class="disk-full")
        run.add("build_finished", status="failed")
    config = tmp_path / "config.yml"
    config.write_text("retention:\n  runs: 1\n")
    for _ in range(2):
        served = serve("--config", str(config))
        poll(lambda: len(left(journal)) == 1)
        assert served.value("build_runs_total", build="lfs", result="failed") == 3
        assert served.value("build_failures_total", build="lfs", phase="chapter-5", **{"class": "disk-full"}) == 3
        served.kill()
