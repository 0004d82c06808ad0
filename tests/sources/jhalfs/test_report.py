"""Reports that jhalfs writes at the end: runs of long ago, of which nothing else was kept, as history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import runs_of

from build_exporter.journal.layout import runs
from build_exporter.model.states import BuildState
from build_exporter.plan.jhalfs_makefile import read
from build_exporter.sources.attach import Attachment
from build_exporter.sources.files import Ends
from build_exporter.sources.jhalfs.report import MAX_BYTES, JhalfsReports, parse_report
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run

HEAD = """
Mon Mar  2 04:00:00 UTC 2026

Book version is:\t12.4-systemd

INITSYS \t<systemd>
N_PARALLEL \t<8>
The SBU unit value is equal to 60 seconds at -j8.
"""
STEPS = (
    *("binutils-pass1-2.45", "gcc-pass1-15.2.0", "m4-1.4.20", "kernfs", "creatingdirs", "cleanup", "man-pages-6.15"),
    *("m4-1.4.20", "gcc-15.2.0", "cleanup", "network", "kernel-6.16.1"),
)


def written(*names: str, seconds: int = 60) -> str:
    """Return a report of steps that took one minute more each."""
    return (
        HEAD
        + "".join(
            f"\t\t\t\t[{name}]\n\nBuild time is:\t{n} minutes\nBuild time in seconds is:\t\t\t{seconds * n}\n"
            f"Required space to build the package:\t\t\t{n * 1000} KB or {n} MB\n"
            f"Installed files disk usage:\t\t\t\t-{n} KB or -0.1 MB\n"
            for n, name in enumerate(names, 1)
        )
        + "Total time required to build the system:\t\t9.9  SBU\n"
    )


def ends(text: str) -> Ends:
    """Return a text as read from a file."""
    return Ends(text, "", len(text), 1_772_424_000.0)


@pytest.fixture
def taken(journal: Path) -> Callable[[Path], list[Run]]:
    """Import a path and return its runs, oldest first."""

    def take(path: Path) -> list[Run]:
        attachment = Attachment(JhalfsReports(Settings(path)), str(journal))
        attachment.poll(0.0, over=True)
        attachment.close()
        return [run for run in runs_of(journal) if run.build == attachment.source.build]

    return take


def test_a_report_is_a_finished_run(tmp_path: Path, taken: Callable[[Path], list[Run]]) -> None:
    """Steps have the chapters and targets they had, their seconds and disk use, and end when the report was written."""
    path = tmp_path / "12.4-systemd-SBU_DU-2026-03-02.report"
    path.write_text(written(*STEPS))
    (run,) = taken(path)
    assert (run.build, run.book, run.target, run.jobs) == ("lfs-12.4-systemd", "12.4-systemd", "systemd", 8)
    assert run.state is BuildState.SUCCEEDED
    assert list(run.steps) == [
        ("chapter-5", "501-binutils-pass1"),
        ("chapter-5", "502-gcc-pass1"),
        ("chapter-6", "601-m4"),
        ("chapter-7", "701-kernfs"),
        ("chapter-7", "702-creatingdirs"),
        ("chapter-7", "703-cleanup"),
        ("chapter-8", "801-man-pages"),
        ("chapter-8", "802-m4"),
        ("chapter-8", "803-gcc"),
        ("chapter-8", "804-cleanup"),
        ("chapter-9", "901-network"),
        ("chapter-10", "1001-kernel"),
    ]
    gcc = run.steps["chapter-8", "803-gcc"]
    assert (gcc.package, gcc.version, gcc.seconds, gcc.disk_bytes) == ("gcc", "15.2.0", 540.0, 9000 * 1024)
    assert run.end == 1_772_424_000.0
    assert (gcc.start, gcc.end) == (run.end - 60 * (9 + 10 + 11 + 12), run.end - 60 * (10 + 11 + 12)), "end to end"
    assert run.start == run.end - sum(60 * n for n in range(1, 13))
    assert list(run.milestones) == ["cross toolchain", "temporary tools", "chroot entered", "base system", "bootable"]


def test_targets_are_those_the_makefile_had(records: Path) -> None:
    """Of nine real runs whose Makefile was kept, every step of the report is found at its target and in its chapter."""
    for tree in sorted((records / "jhalfs/alfs-sysroot").iterdir()):
        (path,) = tree.glob("*.report")
        report = parse_report(ends(path.read_text(errors="replace")))
        planned = {step.target: step.phase for step in read(tree / "Makefile").steps}
        stray = [entry.step for entry in report.entries if planned.get(entry.step) not in (None, entry.phase)]
        assert not stray
        # what the user took out of the Makefile after it was built is in the report alone
        assert sum(entry.step not in planned for entry in report.entries) <= 1
        logged = {log.name: log.read_text(errors="replace") for log in (tree / "logs").iterdir()}
        for entry in report.entries:
            log = logged.get(f"{entry.step}-{entry.version}" if entry.version else entry.step)
            assert log is None or f"Totalseconds: {entry.seconds}\n" in log


def test_auto_knows_a_report_from_other_files(tmp_path: Path) -> None:
    """`auto` takes a report for one, and a file that is merely called so for none."""
    path = tmp_path / "a.report"
    path.write_text(written(*STEPS))
    kind = recognise(path)
    assert kind is not None
    assert kind.name == "jhalfs-report"
    path.write_text("a report of something else\n")
    assert recognise(path) is None


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "date and book version are missing"),
        ("\0" * 5000, "date and book version are missing"),
        (written(), "no step in it"),
        (written(*STEPS)[:900], "its end is missing: it is cut"),
        (written("glibc-2.30", "m4-1.4"), "older than LFS 10"),
        (HEAD.replace("12.4-systemd", ""), "date and book version are missing"),
    ],
)
def test_what_is_no_report_is_reported(tmp_path: Path, command: Any, text: str, reported: str) -> None:
    """The import says what is wrong with a file, in one line, and what is right beside it is taken all the same."""
    (tmp_path / "bad.report").write_text(text)
    (tmp_path / "good.report").write_text(written(*STEPS))
    ended = command("import", "jhalfs-report", str(tmp_path), "--journal", str(tmp_path / "journal"))
    assert ended.returncode == 1
    assert reported in ended.stderr
    assert "1 of 2" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert len(list((tmp_path / "journal").glob("*/*.jsonl"))) == 1


def test_hostile_files_cost_nothing(tmp_path: Path, command: Any) -> None:
    """A report of 2 GB, a FIFO, a link to itself: an error, without waiting."""
    with (tmp_path / "huge.report").open("wb") as file:
        file.truncate(2 << 30)
    os.mkfifo(tmp_path / "fifo.report")
    (tmp_path / "loop.report").symlink_to("loop.report")
    ended = command("import", "jhalfs-report", str(tmp_path), "--journal", str(tmp_path / "journal"))
    assert ended.returncode == 1
    assert "3 of 3 reports can't be read" in ended.stderr


@given(
    st.lists(st.sampled_from([*STEPS, "fstab", "bootscripts-1", "[", "x" * 200]), max_size=30), st.integers(-5, 10**9)
)
def test_whatever_order_steps_come_in_each_has_a_place_of_its_own(names: list[str], seconds: int) -> None:
    """Odd reports make runs in which no step hides another, or are refused with a word."""
    try:
        report = parse_report(ends(written(*names, seconds=seconds)))
    except SourceError:
        return
    keys = [(entry.phase, entry.step) for entry in report.entries]
    assert len(set(keys)) == len(keys)
    assert report.start <= report.end


def test_a_report_has_a_length() -> None:
    """No real one has more than four megabytes."""
    text = written(*STEPS)
    assert parse_report(Ends(text, "", MAX_BYTES, 1.77e9)).entries
    with pytest.raises(SourceError, match="no report is so long"):
        parse_report(Ends(text, "", MAX_BYTES + 1, 1.77e9))


def test_a_report_that_comes_later_is_taken_while_watching(tmp_path: Path, journal: Path) -> None:
    """A watched directory of reports gives the new run alone when jhalfs has written the next one."""
    shutil.copy(_write(tmp_path / "a.report", "2"), tmp_path / "b.report")
    attachment = Attachment(JhalfsReports(Settings(tmp_path)), str(journal))
    first = attachment.poll(0.0)
    assert first > 0
    assert list(attachment.source.poll(1.0)) == [], "what is read is not read again"
    _write(tmp_path / "c.report", "3")
    assert attachment.poll(2.0) > 0
    assert len(runs(str(journal), "lfs-12.4-systemd")) == 2
    attachment.close()


def _write(path: Path, day: str) -> Path:
    path.write_text(written(*STEPS).replace("Mar  2", f"Mar  {day}"))
    return path


def test_a_report_beside_a_missing_log(tree: Any, imported: Callable[[Path], Run]) -> None:
    """A step whose log is gone took what jhalfs' own report in the tree says, where that is of the same run."""
    tree.all_steps()
    (tree.path / "logs/601-c++-14.2.0").unlink()
    report = HEAD + "".join(
        f"[{name}]\nBuild time in seconds is:\t{seconds}\n"
        f"Required space to build the package:\t{7 * seconds} KB or 1 MB\n"
        for name, seconds in (("binutils-pass1-2.42", 9), ("linker-2.42", 10), ("m4-1.4", 9), ("c++-14.2.0", 8))
    )
    path = tree.path / "12.4-SBU_DU-2026-03-02.report"
    path.write_text(report + "Total time required to build the system:\t\t9.9  SBU\n")
    step = imported(tree.path).steps["chapter-6", "601-c++"]
    assert (step.state.label, step.seconds, step.disk_bytes) == ("succeeded", 8.0, 7 * 8 * 1024)
    older = tree.path / "12.4-SBU_DU-2026-03-01.report"
    older.write_text(path.read_text().replace("Mar  2", "Mar  1").replace("\t56 KB", "\t9 KB"))
    assert imported(tree.path).steps["chapter-6", "601-c++"].disk_bytes == 7 * 8 * 1024, "the newest is its own"
    path.write_text(path.read_text().replace("\t56 KB", "\t-56 KB"))
    assert imported(tree.path).steps["chapter-6", "601-c++"].disk_bytes is None, "it tidied up"
    older.unlink()
    path.write_text(report.replace("is:\t10", "is:\t11") + "Total time required to build the system:\t9.9  SBU\n")
    assert imported(tree.path).steps["chapter-6", "601-c++"].seconds != 8.0
