"""What is made of a build's files while it continues, fails, stops, or is damaged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.bitbake.run import split_recipe
from build_exporter.sources.bitbake.source import BitBake
from build_exporter.sources.bitbake.stats import BuildStats
from build_exporter.tracker.progress import build_progress


def test_a_task_runs_then_ends_with_what_it_used(build: Any, follow: Callable[..., Any]) -> None:
    """A task is running as soon as its file is there; its end brings CPU time of compilers, memory and I/O."""
    build.start("zlib-1.3.1-r0", "do_compile")
    follower = follow()
    follower.poll()
    (run,) = follower.runs()
    assert [(s.key, s.package, s.version) for s in run.running.values()] == [
        (("do_compile", "zlib-1.3.1-r0"), "zlib", "1.3.1")
    ]
    build.end("zlib-1.3.1-r0", "do_compile", 12.0)
    follower.poll()
    (run,) = follower.runs()
    step = run.steps["do_compile", "zlib-1.3.1-r0"]
    assert (step.state.name, step.seconds, step.cpu_seconds) == ("SUCCEEDED", pytest.approx(12, abs=0.01), 3.5)
    assert (step.max_rss_bytes, step.read_bytes, step.written_bytes) == (3000 * 1024, 4096, 8192)


def test_progress_follows_the_total_of_the_console(build: Any, follow: Callable[..., Any]) -> None:
    """The share done is that of all tasks the console counts, though BitBake names none that is to come."""
    follower = follow()
    build.say("NOTE: Running setscene task 30 of 60 (/x/a.bb:do_package_setscene)")
    build.task("a-1.0-r0", "do_package_setscene", 1)
    follower.poll()
    assert follower.runs()[0].steps["setscene", "setscene"].ratio == 0.5
    build.say("NOTE: Setscene tasks completed", "NOTE: Running task 96 of 100 (/x/b.bb:do_compile)")
    build.task("b-1.0-r0", "do_compile")
    build.task("b-1.0-r0", "do_install")
    follower.poll()
    (run,) = follower.runs()
    assert run.steps["setscene", "setscene"].state.name == "SUCCEEDED"
    # three steps done and four tasks that were not begun
    assert build_progress(run, build.clock) == pytest.approx(3 / 7)
    build.say("NOTE: Running task 100 of 100 (/x/b.bb:do_build)")
    build.finish()
    follower.poll()
    (run,) = follower.runs()
    assert (run.state.name, build_progress(run, build.clock)) == ("SUCCEEDED", 1.0)
    assert ("tasks", "tasks-not-begun-yet") not in run.steps


def test_a_failed_task_is_told_with_its_error(build: Any, follow: Callable[..., Any]) -> None:
    """A failure carries the compiler's own line; the build continues with what it can and has failed in the end."""
    follower = follow()
    build.start("bad-2.0-r1", "do_compile")
    follower.poll()
    build.say(
        "ERROR: bad-2.0-r1 do_compile: oe_runmake failed",
        "ERROR: Logfile of failure stored in: /b/tmp/x/bad/2.0-r1/temp/log.do_compile.77",
        "Log data follows:",
        "| make: Entering directory '/b'",
        "| main.c:7:2: error: unknown type name 'strng'",
        "| make: *** [Makefile:3: main.o] Error 1",
    )
    build.end("bad-2.0-r1", "do_compile", status="FAILED")
    build.task("good-1.0-r0", "do_compile")
    follower.poll()
    (run,) = follower.runs()
    assert run.failed["do_compile", "bad-2.0-r1"].message == "main.c:7:2: error: unknown type name 'strng'"
    assert run.steps["do_compile", "good-1.0-r0"].state.name == "SUCCEEDED"
    build.finish(("bad-2.0-r1", "do_compile"), summary="1 failed")
    follower.poll()
    assert follower.runs()[0].status.name == "FAILED"


def test_without_a_console_the_tasks_own_log_tells_why(build: Any, follow: Callable[..., Any]) -> None:
    """Where there is no console log a failure's reason is read from the task's log, which its step names."""
    build.log.unlink()
    log = build.top / "tmp" / "work" / "core2-64/bad/2.0/temp/log.do_configure"
    log.parent.mkdir(parents=True)
    log.write_text("checking for gcc... no\nconfigure: error: no acceptable C compiler found in $PATH\n")
    build.start("bad-2.0-r0", "do_configure")
    build.log.unlink()
    follower = follow()
    follower.poll()
    (run,) = follower.runs()
    assert run.running["do_configure", "bad-2.0-r0"].log == str(log)
    build.end("bad-2.0-r0", "do_configure", status="FAILED")
    build.log.unlink()
    follower.poll()
    (run,) = follower.runs()
    assert "no acceptable C compiler" in run.failed["do_configure", "bad-2.0-r0"].message


def test_the_disk_monitor_stopped_it(build: Any, follow: Callable[..., Any]) -> None:
    """A build that the disk monitor stopped has failed and says why, although its summary says all succeeded."""
    build.task("a-1.0-r0", "do_compile")
    build.say(
        "WARNING: The free space of /b/tmp (/dev/sda3) is running low (0.888GB left)",
        'ERROR: No new tasks can be executed since the disk space monitor action is "STOPTASKS"!',
    )
    build.finish()
    follower = follow()
    follower.poll()
    (run,) = follower.runs()
    assert run.state.name == "FAILED"
    assert "0.888GB left" in run.notes[0][1]


def test_a_killed_build_ends_interrupted(build: Any, follow: Callable[..., Any]) -> None:
    """A build whose heartbeat has stopped is over as of its last sign of life; what ran was interrupted."""
    build.task("a-1.0-r0", "do_compile")
    build.start("b-1.0-r0", "do_compile")
    beat = int(build.clock) + 90
    (build.stats / "reduced_proc_stat.log").write_text(f"{int(build.clock)}\n0.1 0.2 0.3\n\n{beat}\n0.1 0.2 0.3\n\n")
    follower = follow()
    now = time.time()
    follower.poll(now)
    assert follower.runs()[0].state.name == "RUNNING"
    follower.poll(now + 400)
    follower.poll(now + 500)
    (run,) = follower.runs()
    assert (run.state.name, run.end) == ("INTERRUPTED", beat)
    assert run.steps["do_compile", "b-1.0-r0"].state.name == "INTERRUPTED"
    build.end("b-1.0-r0", "do_compile", 600)
    build.finish()
    follower.poll(now + 900)
    follower.poll(now + 910)
    (run,) = follower.runs()
    assert (run.state.name, run.steps["do_compile", "b-1.0-r0"].state.name) == ("SUCCEEDED", "SUCCEEDED")


def test_a_later_build_ends_an_earlier_one(build: Any, make_build: Any, follow: Callable[..., Any]) -> None:
    """Each build is a run of its own; one without an end is over when the next begins."""
    follower = follow()
    build.start("a-1.0-r0", "do_compile")
    follower.poll()
    later = make_build(began=build.clock + 100)
    later.task("a-1.0-r0", "do_compile")
    follower.poll()
    assert [run.state.name for run in follower.runs()] == ["INTERRUPTED", "RUNNING"]
    later.finish()
    follower.poll()
    assert [run.state.name for run in follower.runs()] == ["INTERRUPTED", "SUCCEEDED"]


def test_a_restored_task_that_fails_is_no_failure(build: Any, follow: Callable[..., Any]) -> None:
    """A task that can't be restored from shared state is run instead, so that the build has not failed."""
    build.task("a-1.0-r0", "do_package_setscene", 1, "FAILED")
    build.say("WARNING: Setscene task (/x/a.bb:do_package_setscene) failed with exit code '1' - real task will be run")
    build.say("NOTE: Setscene tasks completed")
    build.task("a-1.0-r0", "do_package")
    build.finish()
    follower = follow()
    follower.poll()
    (run,) = follower.runs()
    assert run.state.name == "SUCCEEDED"
    assert run.steps["setscene", "setscene"].message == "1 of 1 could not be restored: they are run"


def test_damage_is_survived(build: Any, follow: Callable[..., Any]) -> None:
    """Garbage, half a file, links that go round and a file of two gigabytes hide nothing of the rest."""
    recipe = build.stats / "bad-1.0-r0"
    recipe.mkdir()
    (recipe / "do_fetch").write_bytes(os.urandom(5000))
    (recipe / "do_unpack").write_text("Event: TaskStarted \nStarted: 17")
    (recipe / "do_patch").write_text("Event: TaskStarted \nStarted: 99999999999999 \n")
    (recipe / "do_compile").symlink_to("/proc/self/mem")
    (recipe / "loop").symlink_to(build.stats)
    (build.stats / "loop").symlink_to(build.stats)
    (build.stats / os.fsdecode(b"na\xff-1.0-r0")).mkdir()
    (build.stats / os.fsdecode(b"na\xff-1.0-r0") / "do_fetch").write_text(f"Started: {build.clock:.2f} \n")
    os.mkfifo(recipe / "do_install")
    with (recipe / "do_package").open("wb") as file:
        file.truncate(2 << 30)
    with build.log.open("ab") as file:
        file.write(b"\x00\xff" * 1000 + b"x" * 300_000 + b"\n")
    build.task("good-1.0-r0", "do_compile")
    follower = follow()
    follower.poll()
    follower.poll()
    (run,) = follower.runs()
    assert run.steps["do_compile", "good-1.0-r0"].state.name == "SUCCEEDED"
    assert ("do_fetch", "na\ufffd-1.0-r0") in run.steps
    assert not [key for key in run.steps if key[1] == "bad-1.0-r0"]


def test_only_what_is_new_is_read(build: Any) -> None:
    """A look at a tree in which nothing has happened reads no byte, and a task's end costs its own file."""
    for number in range(200):
        build.task(f"r{number}-1.0-r0", "do_compile")
    stats = BuildStats(build.stats)
    assert len(stats.poll()) == 200
    read = stats.bytes_read
    assert stats.poll() == []
    assert stats.bytes_read == read
    build.task("new-1.0-r0", "do_compile")
    assert len(stats.poll()) == 1
    assert stats.bytes_read - read < 1000


def test_an_event_log_is_never_opened(build: Any, follow: Callable[..., Any]) -> None:
    """Pickles in BitBake's event log, which run code when read, are left alone."""
    (build.top / "tmp/log/eventlog").mkdir()
    os.mkfifo(build.top / "tmp/log/eventlog/20260101000000.json")
    build.task("a-1.0-r0", "do_compile")
    assert follow().poll() > 0


def test_every_way_to_name_a_record(build: Any, tmp_path: Path) -> None:
    """A build directory, its tmp, buildstats, one build of these or a console log is recognised; others are not."""
    for path in (build.top, build.top / "tmp", build.stats.parent, build.stats, build.log):
        assert BitBake.recognises(path), path
    (tmp_path / "other.log").write_text("make: nothing to be done\n")
    assert not BitBake.recognises(tmp_path / "other.log")
    (tmp_path / "empty").mkdir()
    assert not BitBake.recognises(tmp_path / "empty")


@pytest.mark.parametrize(
    ("recipe", "package", "version"),
    [
        ("u-boot-digilent-1_2016.07-r0", "u-boot-digilent", "1_2016.07"),
        ("python3-pyproject-hooks-native-1.0.0-r0", "python3-pyproject-hooks-native", "1.0.0"),
        ("libedit-native-20230828-3.1-r0", "libedit-native", "20230828-3.1"),
        ("pseudo-native-1.9.0+git-r0", "pseudo-native", "1.9.0+git"),
        ("odd", "odd", None),
    ],
)
def test_recipes_are_split(recipe: str, package: str, version: str | None) -> None:
    """Package and version are separated however the recipe's name is made."""
    assert split_recipe(recipe) == (package, version)
