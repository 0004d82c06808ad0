"""A full disk, a kernel that kills, a program that asks: found while the build runs, and over with their cause."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from build_exporter.alerting import host_watch
from build_exporter.alerting.conditions import FILE, HostCondition, HostConditions
from build_exporter.alerting.host_watch import HostWatch
from build_exporter.cli.exporter import Exporter, Overrides
from build_exporter.config.schema import Config
from build_exporter.model.states import Verdict
from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Kind
from build_exporter.sources.runner import SourceRunner
from build_exporter.sources.step_logs.memory_kills import MemoryKills
from build_exporter.tracker import Run, Step
from build_exporter.verdicts import Judgement

START = 1.78e9


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


class Clock:
    """A clock that is set by hand."""

    now = START + 10

    def __call__(self) -> float:
        return self.now


def test_a_disk_that_fills_is_reported_after_three_seconds_and_over_with_space(
    small_disk: Path, journal: Path, run_file: Callable[..., Any]
) -> None:
    """The step's log shows where it writes; three seconds without space make the incident, space ends it."""
    run_file(clock=START).add("step_started", phase="p", step="s", log=str(small_disk / "s.log"))
    monitor, clock = Monitor(str(journal)), Clock()
    monitor.poll()
    watch = HostWatch(monitor, clock)
    watch.poll()
    assert watch.standing == []
    with (small_disk / "big").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    watch.poll()
    clock.now += 2.9
    watch.poll()
    assert watch.standing == []
    clock.now += 0.2
    watch.poll()
    (found,) = watch.standing
    assert (found.kind, found.build, found.since) == (Kind.DISK_FULL, "lfs", START + 13)
    assert str(small_disk) in found.description
    (small_disk / "big").unlink()
    watch.poll()
    assert watch.standing == []


def test_a_kill_for_lack_of_memory_is_reported_once_and_for_ten_minutes(
    journal: Path, tmp_path: Path, run_file: Callable[..., Any]
) -> None:
    """Only kills while a build runs count, and none waits for the reading of logs; within ten minutes they are one."""
    run = run_file(clock=START)
    run.add("step_started", phase="p", step="s")
    monitor, clock = Monitor(str(journal)), Clock()
    monitor.poll()

    def count(kills: int) -> None:
        (tmp_path / "vmstat").write_text(f"a 1\noom_kill {kills}\n")

    count(7)
    watch = HostWatch(monitor, clock, MemoryKills(proc=str(tmp_path)).poll)
    watch.poll()
    assert watch.standing == []
    count(8)
    watch.poll()
    (found,) = watch.standing
    assert (found.kind, found.since) == (Kind.OUT_OF_MEMORY, START + 10)
    for kills, clock.now in ((8, START + 300), (9, START + 609), (9, START + 609.9)):
        count(kills)
        watch.poll()
        assert [each.failure for each in watch.standing] == [found.failure]
    clock.now = START + 610
    watch.poll()
    assert watch.standing == []
    count(10)
    watch.poll()
    run.add("step_finished", phase="p", step="s", status="succeeded")
    monitor.poll()
    watch.poll()
    assert watch.standing == []


def test_a_program_that_reads_the_terminal_for_a_minute_is_an_incident_until_it_goes_on(
    journal: Path, run_file: Callable[..., Any]
) -> None:
    """A person at the keyboard types within a minute; ten seconds without the verdict are an answer."""
    run = run_file(clock=START)
    run.add("step_started", phase="p", step="sudo")
    run.add("step_started", phase="p", step="gcc")
    monitor, clock = Monitor(str(journal)), Clock()
    monitor.poll()
    waits, words = {"sudo"}, ["reads from the terminal"]

    def verdict(run: Run, step: Step) -> Judgement:
        if step.step in waits:
            return Judgement(Verdict.WAITING_FOR_INPUT, (f"sudo {words[0]}", "no CPU time"))
        return Judgement(Verdict.COMPILING)

    watch = HostWatch(monitor, clock, verdict=verdict)
    watch.poll()
    clock.now += 59.9
    watch.poll()
    words[0] = "has read for a minute"
    assert watch.standing == []
    clock.now += 0.1
    watch.poll()
    (found,) = watch.standing
    assert (found.kind, found.since) == (Kind.WAITING_FOR_INPUT, START + 70)
    assert found.description == "Build lfs waits for a person at p / sudo: sudo reads from the terminal."
    waits.clear()
    clock.now += 9.9
    watch.poll()
    assert watch.standing == [found]
    clock.now += 0.2
    watch.poll()
    assert watch.standing == []
    assert watch._asked == {}, "nothing is kept of what is over"


def test_a_restart_makes_no_new_incident_of_what_still_holds_up_a_build(
    journal: Path, run_file: Callable[..., Any]
) -> None:
    """Numbers are kept: the alert stays one, and its acknowledgement stands; what has ended meanwhile is over."""
    for build in ("lfs", "done"):
        run_file(build, clock=START).add("step_started", phase="p", step="s")
    monitor, clock = Monitor(str(journal)), Clock()
    monitor.poll()
    asks = Judgement(Verdict.WAITING_FOR_INPUT, ("su reads from the terminal",))
    before = HostWatch(monitor, clock, verdict=lambda run, step: asks)
    before.poll()
    clock.now += 100
    before.poll()
    known = {found.build: found for found in before.standing}
    assert known.keys() == {"lfs", "done"}
    assert HostConditions(str(journal)).incidents(clock.now) == before.standing, "the command line shows them too"
    run_file("done", clock=clock.now).add("step_finished", phase="p", step="s", status="succeeded")
    monitor.poll()
    HostWatch(Monitor(str(journal)), clock).poll()
    assert HostConditions(str(journal)).since, "nothing is forgotten before the journal is read"
    # after the start a verdict takes some seconds
    after = HostWatch(monitor, clock, verdict=lambda run, step: None)
    after.poll()
    assert after.standing == [known["lfs"]]
    (journal / ".host-incidents.json").write_text("[[1")
    torn = HostWatch(monitor, clock, verdict=lambda run, step: asks)
    torn.poll()
    assert torn.standing == [], "a torn file costs a new wait and nothing else"


@pytest.mark.parametrize(
    ("changes", "full"),
    [
        ({}, False),
        ({"f_bavail": 16}, False),
        ({"f_bavail": 15}, True),
        ({"f_favail": 0}, True),
        ({"f_favail": 0, "f_files": 0}, False),
        ({"f_bavail": 0, "f_blocks": 0}, False),
    ],
)
def test_a_disk_is_full_below_64_kib_or_without_a_file_to_make(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], full: bool
) -> None:
    """What root alone may use is none; file systems without sizes or counts of files have no such limit."""
    sizes = {
        "f_blocks": 999,
        "f_bfree": 999,
        "f_bavail": 99,
        "f_frsize": 4096,
        "f_files": 9,
        "f_ffree": 9,
        "f_favail": 9,
    }
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(**(sizes | changes)))
    assert host_watch._is_full("/") == full


def test_where_a_build_writes_is_asked_every_quarter_of_a_minute(
    journal: Path, run_file: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, poll: Callable[..., None]
) -> None:
    """Directories of logs, and of the process and its children; a relative path is none, an ended build has none."""
    run = run_file(clock=START)
    place = journal / "work"
    place.mkdir()
    child = subprocess.Popen(["sh", "-c", "(cd work; sleep 99; :); :"], cwd=journal)
    try:
        poll(lambda: psutil.Process(child.pid).children(), 30, "the child")
        run.add("step_started", phase="p", step="s", log="logs/s.log", pid=child.pid)
        run.add("step_started", phase="p", step="t", log="/logs/t.log")
        monitor, clock, mono = Monitor(str(journal)), Clock(), [1000.0]
        monkeypatch.setattr("build_exporter.alerting.host_watch.time.monotonic", lambda: mono[0])
        asked: list[str] = []
        monkeypatch.setattr(host_watch, "_is_full", asked.append)
        watch = HostWatch(monitor, clock)
        watch.poll()
        assert asked == [], "not before the journal was read"
        monitor.poll()
        watch.poll()
        assert sorted(asked) == sorted({"/logs", str(journal), str(place)})
        run.add("step_finished", phase="p", step="t", status="succeeded")
        monitor.poll()
        for passed, places in ((14.9, 3), (15.0, 2)):
            asked.clear()
            mono[0] = 1000.0 + passed
            watch.poll()
            assert len(asked) == places
        asked.clear()
        run.add("build_finished", status="failed")
        monitor.poll()
        watch.poll()
        assert (asked, watch._places) == ([], {})
    finally:
        os.kill(psutil.Process(child.pid).children()[0].pid, 9)
        child.wait()


def test_what_is_not_kept_for_a_restart_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A journal that cannot be written is reported once; once it can, the number is kept though nothing changed."""
    found, seen = HostConditions(str(tmp_path / "later")), {HostCondition("b", Kind.OUT_OF_MEMORY): "killed"}
    found.keep(seen, 100.0)
    found.keep(seen, 101.0)
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    (tmp_path / "later").mkdir()
    found.keep(seen, 102.0)
    assert HostConditions(str(tmp_path / "later")).since == {HostCondition("b", Kind.OUT_OF_MEMORY): 100.0}
    (tmp_path / "later" / FILE).unlink()
    found.keep(seen, 103.0)
    assert not (tmp_path / "later" / FILE).exists(), "what has not changed is not written each second"


def test_of_two_conditions_the_first_is_the_incident(tmp_path: Path) -> None:
    """Two full disks of a build are one incident, of the disk that was full first, from three seconds after that."""
    first, second = (HostCondition("b", Kind.DISK_FULL, where) for where in ("/z", "/a"))
    found = HostConditions(str(tmp_path))
    found.keep({first: "z is full"}, 100.0)
    found.keep({second: "a is full", first: "z is full"}, 101.0)
    assert found.incidents(102.9) == []
    assert [each.failure for each in found.incidents(103.0)] == ["19700101T000140.000Z"]
    for conditions in (found, HostConditions(str(tmp_path))):
        (incident,) = conditions.incidents(110.0)
        assert (incident.description, incident.since) == ("z is full", 103.0)
    found.keep({second: "a is full"}, 111.0)
    assert [each.description for each in found.incidents(112.0)] == ["a is full"]


def test_the_exporter_counts_kills_for_its_alert(journal: Path) -> None:
    """An exporter as it is put together counts the kernel's kills, also while no log is read."""
    exporter = Exporter(str(journal), Config(), None, "/metrics", set(), SourceRunner([]), Overrides())
    counter = Path("/proc/vmstat").read_text("ascii")
    assert (exporter._alerts.host.kills() is not None) == ("\noom_kill " in counter)
