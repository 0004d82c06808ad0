"""Files of running builds are looked after: what is wrong is reported once, in time, and at next to no cost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from build_exporter.checksums import worker_process
from build_exporter.checksums.worker import Job
from build_exporter.checksums.worker_process import WorkerProcess
from build_exporter.model.names import MAX_LINE_BYTES
from build_exporter.tracker.sources import steps_at_risk

Sources = Callable[..., list[dict[str, Any]]]
Watch = Callable[..., Any]

SLOW = """
import sys, time
from build_exporter.checksums.worker_process import WorkerProcess
from build_exporter.checksums.worker import Job
from build_exporter.checksums.check import check_metadata
from build_exporter.model.events import SourceFile
planned = SourceFile(file="large", digests=("md5:" + "0" * 32,))
work = WorkerProcess(bytes_per_second=1e6)
work.begin([Job(sys.argv[1], planned, None, check_metadata(sys.argv[1], planned).signature)])
print(work._child.pid, flush=True)
time.sleep(600)
"""
"""An exporter that has a large file read, slowly."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the files of each batch that is read."""
    batches: list[list[str]] = []
    begin = WorkerProcess.begin

    def noting(self: WorkerProcess, jobs: list[Job]) -> None:
        was_busy = self.is_busy
        begin(self, jobs)
        if self.is_busy and not was_busy:
            batches.append([job.planned.file for job in self._jobs])

    monkeypatch.setattr(WorkerProcess, "begin", noting)
    return batches


def test_what_is_wrong_is_reported_with_the_step_that_needs_it(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """One missing and one wrong file of four are both reported, the missing one before any file is read."""
    gcc, linux, bash = (sources(name)[0] for name in ("gcc-1.tar.xz", "linux-2.tar.gz", "bash-3.tar.gz"))
    (tarballs / "linux-2.tar.gz").write_bytes(b"other")
    watched = watch({"816-gcc": [gcc, *sources("mpfr.tar.xz")], "1002-kernel": [linux], "834-bash": [bash]})
    assert watched.checks.poll() is False
    assert watched.bad() == {"mpfr.tar.xz": "missing"}
    watched.settle()
    last = watched.reports()[-1]
    assert {name: last[name] for name in ("verified", "mismatch", "missing")} == {
        "verified": 2,
        "mismatch": 1,
        "missing": 1,
    }
    assert watched.bad() == {"mpfr.tar.xz": "missing", "linux-2.tar.gz": "mismatch"}
    count = len(watched.reports())
    watched.settle()
    assert len(watched.reports()) == count


def test_only_what_changed_is_read_again(
    watch: Watch, sources: Sources, tarballs: Path, asked: list[list[str]]
) -> None:
    """A file is read when it is new or has changed, even where its time was set back, and never else."""
    names = ("gcc-1.tar.xz", "linux-2.tar.gz", "bash-3.tar.gz")
    watched = watch({"step": sources(*names)})
    watched.settle()
    assert sorted(chain.from_iterable(asked)) == sorted(names)
    asked.clear()
    watched.settle()
    assert asked == []
    before = (tarballs / "bash-3.tar.gz").stat()
    (tarballs / "bash-3.tar.gz").write_bytes(b"?")
    os.utime(tarballs / "bash-3.tar.gz", ns=(before.st_atime_ns, before.st_mtime_ns))
    watched.settle()
    assert asked == [["bash-3.tar.gz"]]
    assert watched.bad() == {"bash-3.tar.gz": "mismatch"}


def test_a_file_that_grows_is_left_until_it_is_quiet(
    watch: Watch, sources: Sources, tarballs: Path, asked: list[list[str]]
) -> None:
    """A download under way is pending, is not read, and is judged when nothing has come for ten seconds."""
    said = sources("linux-2.tar.gz")
    os.truncate(tarballs / "linux-2.tar.gz", 1_000_000)
    changed = (tarballs / "linux-2.tar.gz").stat().st_ctime
    watched = watch({"step": said}, quiet_seconds=10.0)
    watched.now = changed + 9
    watched.checks.poll()
    assert asked == []
    assert watched.reports()[-1]["pending"] == 1
    watched.now = changed + 11
    assert watched.checks.poll() is False
    assert asked == [["linux-2.tar.gz"]]


def test_a_file_cut_short_after_it_was_verified(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """What was right and has become shorter is reported as truncated; put right it is verified again."""
    watched = watch({"step": sources("linux-2.tar.gz")})
    watched.settle()
    whole = (tarballs / "linux-2.tar.gz").read_bytes()
    os.truncate(tarballs / "linux-2.tar.gz", 2_000_000)
    watched.settle()
    assert watched.reports()[-1]["bad"] == [
        {
            "file": "linux-2.tar.gz",
            "state": "truncated",
            "detail": "2,000,000 bytes of 3,000,000 that it had when it was verified",
        }
    ]
    (tarballs / "linux-2.tar.gz").write_bytes(whole)
    watched.settle()
    assert watched.reports()[-1]["verified"] == 1
    assert "bad" not in watched.reports()[-1]


def test_the_directory_goes_and_comes_back(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """With its directory unmounted every file is missing, and verified again when it is back."""
    watched = watch({"step": sources("gcc-1.tar.xz", "x.patch")})
    watched.settle()
    shutil.move(tarballs, tarballs.with_name("away"))
    watched.settle()
    assert watched.bad() == {"gcc-1.tar.xz": "missing", "x.patch": "missing"}
    shutil.move(tarballs.with_name("away"), tarballs)
    watched.settle()
    assert watched.bad() == {}


def test_what_went_and_came_back_while_it_was_read(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """A directory that is away just while its files are to be read leaves nothing behind once it is back."""
    watched = watch({"step": sources("gcc-1.tar.xz", "x.patch")})
    watched.checks.poll()
    shutil.move(tarballs, tarballs.with_name("away"))
    while watched.checks._worker._child.poll() is None:
        time.sleep(0.01)
    shutil.move(tarballs.with_name("away"), tarballs)
    watched.settle()
    assert watched.reports()[-1]["verified"] == 2


def test_what_is_needed_next_is_read_first(watch: Watch, sources: Sources, asked: list[list[str]]) -> None:
    """Attached late, the files of steps to come are read before those that have been unpacked."""
    watched = watch({"done": sources("gcc-1.tar.xz"), "next": sources("linux-2.tar.gz", "x.patch")})
    watched.add("step_started", phase="chapter-8", step="done")
    watched.add("step_finished", phase="chapter-8", step="done", status="succeeded")
    watched.checks.poll()
    assert asked == [["linux-2.tar.gz", "x.patch", "gcc-1.tar.xz"]]


def test_what_has_been_unpacked_threatens_no_step(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """A file deleted after its step is done is counted as missing, and only steps to come are reported to lack one."""
    watched = watch({"done": sources("gcc-1.tar.xz"), "next": sources("x.patch", "gone.patch")})
    watched.add("step_started", phase="chapter-8", step="done")
    watched.add("step_finished", phase="chapter-8", step="done", status="succeeded")
    (tarballs / "gcc-1.tar.xz").unlink()
    watched.settle()
    assert watched.reports()[-1]["missing"] == 2
    assert [each["file"] for each in watched.reports()[-1]["bad"]] == ["gone.patch", "gcc-1.tar.xz"]
    assert [(step.step, bad.file) for step, bad in steps_at_risk(watched.run)] == [("next", "gone.patch")]


def test_a_restart_shows_nothing_again(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """An exporter restarted over the same files finds what is known already, and writes no line."""
    (tarballs / "x.patch").unlink()
    steps = {"step": sources("gcc-1.tar.xz", "x.patch")}
    first = watch(steps)
    first.settle()
    before = first.reports()
    again = watch(steps)
    again.settle()
    assert again.reports() == before


def test_nothing_is_looked_at_for_a_build_that_needs_nothing_more(
    watch: Watch, sources: Sources, asked: list[list[str]]
) -> None:
    """A build whose steps are all done, or of which nothing was heard for a day, costs nothing."""
    watched = watch({"step": sources("gcc-1.tar.xz")})
    watched.now = time.time() + 86401
    watched.checks.poll()
    watched.now = time.time()
    watched.add("step_started", phase="chapter-8", step="step")
    watched.add("step_finished", phase="chapter-8", step="step", status="succeeded")
    watched.settle()
    assert asked == []
    assert watched.reports() == []


def test_what_is_reported_fits_a_line(watch: Watch) -> None:
    """A plan of thousands of missing files with long names is reported in one line, with exact counts."""
    files = [{"file": f"{number:04}" + "\x01" * 240, "digests": ["md5:" + "0" * 32]} for number in range(3000)]
    watched = watch({f"{number:03}": files[number * 20 : number * 20 + 20] for number in range(150)})
    watched.settle()
    (reports,) = watched.reports()
    assert reports["missing"] == 3000
    assert 10 <= len(reports["bad"]) <= 100
    assert max(map(len, watched.path.read_bytes().splitlines())) < MAX_LINE_BYTES


def test_reading_is_throttled(watch: Watch, sources: Sources) -> None:
    """No more is read in a second than is allowed, by a process that gives way to the build at the processor."""
    watched = watch({"step": sources("linux-2.tar.gz")}, bytes_per_second=1.5e6)
    began = time.monotonic()
    watched.checks.poll()
    child = watched.checks._worker._child
    while os.getpriority(os.PRIO_PROCESS, child.pid) != 19:
        assert child.poll() is None, "it ended before it was seen to be nice"
    watched.settle()
    assert time.monotonic() - began > 1.5
    assert watched.reports()[-1]["verified"] == 1


def test_a_reader_that_was_killed_accuses_no_file(
    watch: Watch, sources: Sources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process that reads may be killed for want of memory: the file is read again later, and no one is woken."""
    monkeypatch.setattr(worker_process, "REST_SECONDS", 0.0)
    watched = watch({"step": sources("linux-2.tar.gz", "gcc-1.tar.xz")}, bytes_per_second=1e6)
    watched.checks.poll()
    os.kill(watched.checks._worker._child.pid, signal.SIGKILL)
    watched.settle()
    assert [event.get("bad") for event in watched.reports()] == [None] * len(watched.reports())
    assert watched.reports()[-1]["verified"] == 2
    assert "could not be verified" in caplog.text


def test_a_fifo_in_a_files_place_holds_nothing_up(watch: Watch, sources: Sources, tarballs: Path) -> None:
    """A FIFO without a writer where a file should be is reported, and the other files are judged all the same."""
    said = sources("x.patch", "gcc-1.tar.xz")
    (tarballs / "x.patch").unlink()
    os.mkfifo(tarballs / "x.patch")
    watched = watch({"step": said})
    watched.settle()
    assert watched.bad() == {"x.patch": "unreadable"}
    assert watched.reports()[-1]["verified"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a run to another user")
def test_a_strangers_plan_learns_nothing(watch: Watch, sources: Sources) -> None:
    """A run that another user writes is not reported whether a file that isn't his has the content that he guesses."""
    watched = watch({"step": sources("x.patch")})
    os.chown(watched.path, 12345, 12345)
    watched.settle()
    assert watched.bad() == {"x.patch": "unreadable"}
    os.chown(watched.path, 0, 0)
    watched.settle()
    assert watched.bad() == {}


def test_no_reader_outlives_its_exporter(tmp_path: Path, poll: Callable[..., None]) -> None:
    """When the exporter is killed, what it had read in the background ends by itself."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(10**9)
    command = [sys.executable, "-c", SLOW, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as exporter:
        assert exporter.stdout is not None
        child = int(exporter.stdout.readline())
        exporter.kill()

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    poll(is_gone, 60, "the reader ends")
