"""`status`: where the builds are, for people and for scripts."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from build_exporter.cli.status_file import StatusFile
from build_exporter.monitor import Monitor

Command = Callable[..., Any]
RunFiles = Callable[..., Any]
PLAN = [{"phase": "chapter-5", "step": f"50{n}", "expected_seconds": 100.0} for n in range(1, 5)]


@pytest.fixture
def status(command: Command, journal: Path) -> Callable[..., Any]:
    """Run `status` over the journal."""
    return lambda *arguments, **options: command("status", "--journal", str(journal), *arguments, **options)


@pytest.fixture
def reported(status: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """Return what `status --output json` reports each build."""

    def call(*arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(status("--output", "json", *arguments).stdout)
        return found

    return call


def begin(run_file: RunFiles, build: str = "lfs", ago: float = 1000.0) -> Any:
    """Emit the beginning of a build of four planned steps."""
    run = run_file(build, clock=time.time() - ago)
    run.add("build_started", target="x86_64", jobs=2)
    run.add("plan", steps=[{**step, "after": [PLAN[n - 1]["step"]] if n else []} for n, step in enumerate(PLAN)])
    return run


def test_without_a_build(status: Callable[..., Any], reported: Callable[..., Any], journal: Path) -> None:
    """An empty journal is reported as such, with exit code 1, one that is named and not there with 2."""
    done = status()
    assert (done.returncode, done.stdout) == (1, f"no build in {journal}\n")
    assert reported() == []
    journal.rmdir()
    assert status().returncode == 2


def test_a_running_build(run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any]) -> None:
    """While it runs: share, time left with its band, speed, and the running step beside what was expected of it."""
    run = begin(run_file)
    run.step("chapter-5", "501", seconds=100.0)
    run.add("step_started", after=870, phase="chapter-5", step="502")
    run.add("step_progress", phase="chapter-5", step="502", ratio=0.5)
    done = status()
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[2:]}
    assert done.stdout.splitlines()[0] == "lfs  running  run 20260102T030405Z"
    assert "37.5 %" in done.stdout.splitlines()[1]
    assert lines["steps"].split(maxsplit=1)[1] == "2 pending, 1 running, 1 succeeded"
    assert re.search(r"\d min \d\d s \(\d.* to \d.*\), done about \w{3} \d\d:\d\d", lines["left"])
    assert re.search(r"chapter-5/502, \d\d s of about 1 min 40 s, 50.0 %", lines["running"])
    (build,) = reported()
    assert (build["build"], build["state"], build["progress_ratio"]) == ("lfs", "running", 0.375)
    assert build["steps"] == {
        "pending": 2, "running": 1, "succeeded": 1, "failed": 0, "skipped": 0, "interrupted": 0
    }  # fmt: skip
    assert build["estimated_remaining_seconds"]["50"] == pytest.approx(250.0, rel=0.2)
    assert [step["step"] for step in build["running"]] == ["502"]
    assert build["success_ratio"] == 1
    assert build["steps_per_hour"]["last_hour"] == pytest.approx(3600 / 1000, rel=0.1)


def test_a_failed_build(run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any]) -> None:
    """A failed step is shown with its class, its words and what waits for it, and is a no for scripts."""
    run = begin(run_file)
    run.step("chapter-5", "501", status="failed", exit_code=2, error_class="compiler-error", message="a.c:1: error: x")
    done = status()
    assert done.returncode == 1
    assert "chapter-5/501, 10 s of about 1 min 40 s: compiler-error" in done.stdout
    assert re.search(r"left .*\) once it goes on\n", done.stdout)
    assert "done about" not in done.stdout
    assert "a.c:1: error: x" in done.stdout
    assert "3 steps wait for it" in done.stdout
    (build,) = reported()
    (failed,) = build["failed"]
    assert (failed["exit_code"], failed["error_class"], failed["message"]) == (2, "compiler-error", "a.c:1: error: x")
    assert build["blocked"] == ["chapter-5/502", "chapter-5/503", "chapter-5/504"]
    assert build["success_ratio"] == 0


def test_a_reason_that_only_the_log_holds(
    run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any], tmp_path: Path
) -> None:
    """Where the hook recorded a failure and no exporter runs, `status` gives the reason that `explain` gives."""
    run, log = begin(run_file), tmp_path / "501.log"
    log.write_text("gcc x.o -lmpfr\n/usr/bin/ld: cannot find -lmpfr: No such file or directory\n")
    run.add("step_started", phase="chapter-5", step="501", log=str(log))
    run.add("step_finished", phase="chapter-5", step="501", status="failed", exit_code=1)
    lines = status().stdout.splitlines()
    failed = next(number for number, line in enumerate(lines) if line.startswith("  failed"))
    assert lines[failed].endswith(": missing-library")
    assert "cannot find -lmpfr" in lines[failed + 1]
    assert reported()[0]["failed"][0]["error_class"] == "missing-library"


@pytest.mark.parametrize(("result", "code"), [("succeeded", 0), ("failed", 1), ("interrupted", 1)])
def test_an_ended_build(
    run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any], result: str, code: int
) -> None:
    """What has ended has its state, its whole time, and nothing left; the exit code is the answer."""
    run = begin(run_file, ago=100_000)
    for step in PLAN:
        run.step("chapter-5", str(step["step"]), seconds=100.0)
    run.add("build_finished", status=result)
    done = status()
    assert done.returncode == code
    assert f"lfs  {result}  " in done.stdout
    assert "left" not in done.stdout
    assert "in the last hour" not in done.stdout
    (build,) = reported()
    assert (build["state"], build["estimated_remaining_seconds"]) == (result, None)
    assert build["end"] - build["start"] == 406.0
    assert (build["progress_ratio"] == 1) == (result == "succeeded")


def test_several_builds_and_one_of_them(
    run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any], journal: Path
) -> None:
    """All builds are shown, or the one named; the code is about those shown."""
    begin(run_file, "good")
    begin(run_file, "bad").step("chapter-5", "501", status="failed")
    assert status().returncode == 1
    assert {build["build"] for build in reported()} == {"good", "bad"}
    assert status("--build", "good").returncode == 0
    assert [build["build"] for build in reported("--build", "good")] == ["good"]
    assert status("--exporter", f"http://127.0.0.1:{free_port()}").returncode == 1, "nothing runs that it could judge"
    begin(run_file, "good").add("step_started", phase="chapter-5", step="501")
    done = status("--exporter", f"http://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stderr.startswith("build-exporter status: http://127.0.0.1:")) == (2, True)
    done = status("--build", "goood")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"build-exporter status: no build goood in {journal}; there are: good\n"


def test_only_the_newest_run_counts(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """An earlier run that failed is no longer where the build is."""
    old = run_file("lfs", run="20260101T000000Z")
    old.add("build_finished", status="failed")
    begin(run_file)
    assert status().returncode == 0


def test_hostile_names_steer_no_terminal(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """Escape sequences and line ends in names and messages neither colour nor forge what is shown."""
    evil = "\x1b[2J\x1b]0;x\x07a\nlfs  succeeded\r\u202e"
    run = begin(run_file)
    run.add("milestone_reached", milestone=evil)
    run.step(evil, evil, status="failed", message=evil)
    run.add("step_started", phase=evil, step=f"2{evil}")
    done = status()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout)
    assert [line for line in done.stdout.splitlines() if line.startswith("lfs  ")] == [done.stdout.splitlines()[0]]
    assert done.stdout.startswith("lfs  failed")


def test_colours_are_for_terminals(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """What goes into a pipe or a file has no escape sequences."""
    begin(run_file).step("chapter-5", "501", status="failed")
    assert "\x1b" not in status().stdout


def test_any_number_of_an_event_can_be_shown_as_json(run_file: RunFiles, reported: Callable[..., Any]) -> None:
    """The largest figures an event may hold come out as they went in."""
    run = begin(run_file)
    figures = {"seconds": 1e18, "exit_code": -(2**31), "signal": 10**18, "max_rss_bytes": 10**18}
    run.add("step_finished", phase="chapter-5", step="501", status="failed", **figures)
    (failed,) = reported()[0]["failed"]
    assert (failed["seconds"], failed["exit_code"], failed["signal"]) == (1e18, -(2**31), 10**18)


def test_it_reads_and_changes_nothing(run_file: RunFiles, status: Callable[..., Any], journal: Path) -> None:
    """Asking needs no right to write, makes nothing and leaves no file behind."""
    begin(run_file)
    before = sorted((str(path), path.stat().st_mtime_ns) for path in journal.rglob("*"))
    journal.chmod(0o555)
    assert status().returncode == 0
    journal.chmod(0o755)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in journal.rglob("*")) == before


def test_an_unreadable_journal_is_reported(status: Callable[..., Any], run_file: RunFiles, journal: Path) -> None:
    """Missing permission is not the same as no build: the path and the reason are on standard error."""
    run = begin(run_file)
    if os.geteuid() == 0:
        # root may read anything but what is no file
        run.path.unlink()
        run.path.mkdir()
    else:
        run.path.chmod(0)
    done = status()
    assert done.returncode == 1
    assert str(run.path) in done.stderr
    assert re.search("Permission denied|not a regular file", done.stderr)
    # on a machine with builds of root a line says where those are
    assert len([line for line in done.stderr.splitlines() if " of the system: " not in line]) == 1


def test_suites_that_failed_or_gave_nothing(
    run_file: RunFiles, status: Callable[..., Any], reported: Callable[..., Any]
) -> None:
    """Tests whose failure the builder swallowed are listed by step and suite, the first ten; good suites are not."""
    run = run_file("lfs")
    run.add("step_started", phase="p", step="sed")
    run.add("step_progress", phase="p", step="sed", warnings=2)
    for number in range(12):
        run.add("tests_reported", phase="p", step="sed", suite=f"bad {number}", passed=8, failed=1, skipped=1)
    run.add("tests_reported", phase="p", step="sed", suite="none", passed=0, failed=0)
    run.add("tests_reported", phase="p", step="sed", suite="good", passed=8, failed=0)
    output = status().stdout
    assert "p/sed, bad 0: 1 of 10 tests failed" in output
    assert "bad 10" not in output
    assert "and 3 more suites" in output
    assert "good" not in output
    (found,) = reported()
    assert found["warnings"] == 2
    assert [suite["suite"] for suite in found["bad_suites"]] == [*(f"bad {number}" for number in range(12)), "none"]


def test_a_record_without_times_has_no_time_reported(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """A console imported when it was over is not said to have been built in no time."""
    run = run_file("lfs")
    run.add("build_started", after=0)
    run.add("step_finished", after=0, phase="p", step="s", status="succeeded")
    run.add("build_finished", after=0, status="succeeded")
    assert re.search(r"time +unknown time, recorded ", status().stdout)


def test_the_worst_and_newest_come_first(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """A failed build stands before a running one, that before one that succeeded; each in one line with --short."""
    old = run_file("old", clock=1.783e9)
    old.step("p", "a")
    old.add("build_finished", status="succeeded")
    done = run_file("done", clock=1.786e9)
    done.step("p", "a")
    done.add("build_finished", status="succeeded")
    run_file("broken", clock=1.784e9).step("p", "b", status="failed")
    run_file("busy", clock=1.785e9).add("step_started", phase="p", step="c")
    shown = status("--short")
    assert shown.returncode == 1
    lines = [line.split("  ")[:2] for line in shown.stdout.splitlines()]
    assert lines == [["broken", "failed"], ["busy", "running"], ["done", "succeeded"], ["old", "succeeded"]]
    assert "p/b" in shown.stdout
    assert "ended " in shown.stdout.splitlines()[2]


def test_it_says_what_to_do_next(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """A failed step is named with the command that explains it, safe to paste; an ended build says when it ended."""
    run_file("lfs").step("p", "a b; rm", status="failed")
    assert "next       build-exporter explain 'a b; rm' --build lfs" in status("--build", "lfs").stdout
    done = run_file("done")
    done.step("p", "a")
    done.add("build_finished", status="succeeded")
    text = status("--build", "done").stdout
    assert re.search(r"time       11 s, ended .+ ago\n", text)
    assert text.count("ended") == 1
    assert "build-exporter report done" in text


def test_the_status_file_is_replaced_as_a_whole(run_file: RunFiles, journal: Path, tmp_path: Path) -> None:
    """The configured file holds the builds as JSON; where it can't be written, the exporter goes on."""
    run_file("lfs").step("p", "a", status="failed")
    monitor = Monitor(str(journal))
    monitor.poll()
    file, path = StatusFile(monitor), tmp_path / "status.json"
    assert file.write(str(path))
    (found,) = json.loads(path.read_text())
    assert (found["build"], found["state"]) == ("lfs", "failed")
    assert list(tmp_path.glob("*.new")) == []
    with path.open() as reading:
        assert file.write(str(path))
        assert os.fstat(reading.fileno()).st_nlink == 0, "whoever reads has the old one whole"
    assert not file.write(str(tmp_path / "gone" / "status.json"))
    assert not file.write(None)


def test_what_will_not_fit_and_what_got_slower_are_reported(run_file: RunFiles, status: Callable[..., Any]) -> None:
    """A step that needs more disk than there is, and one that took twice its usual time, have a line each.

    All earlier runs count.
    """
    for day in range(1, 5):
        earlier = run_file("lfs", run=f"2026010{day}T000000Z", clock=1.77e9 + 86_400 * day)
        earlier.add("build_started", jobs=2)
        for name, seconds in (("a", 100.0), ("b", 300.0), ("c", 300.0)):
            earlier.step("p", name, seconds=seconds)
        earlier.add("build_finished", status="succeeded")
    run = run_file("lfs", run="20260109T000000Z", clock=time.time() - 1000)
    run.add("build_started", jobs=2)
    names = ("a", "b", "c", "huge")
    disk = {"huge": 10**17}
    run.add("plan", steps=[{"phase": "p", "step": name, "disk_bytes": disk.get(name, 0)} for name in names])
    for name, seconds in (("a", 200.0), ("b", 300.0), ("c", 300.0)):
        run.step("p", name, seconds=seconds)
    shown = status().stdout
    assert "4 earlier runs of this build" in shown, "as many as the exporter reads"
    lines = {line.split()[0]: line for line in shown.splitlines()[1:]}
    assert re.search(r"p/huge will lack \d+\.\d TiB of disk", lines["short"])
    assert "p/a took 2.0 times as long as usual, 1 min 40 s longer" in lines["slower"]
