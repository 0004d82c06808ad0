"""Consoles followed while they grow: times, attaching late, starting again, ends, runs that take another's place."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model.events import StepFinished
from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.make.open_files import FileWriters
from build_exporter.sources.make.source import Make
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run
from build_exporter.tracker.progress import build_progress

FAILING = """\
configure: creating ./config.status
config.status: creating Makefile
make -C lib all
make[1]: Entering directory '/p/lib'
gcc -c -o a.o a.c
make[1]: Leaving directory '/p/lib'
make[1]: Entering directory '/p/src'
gcc -c -o b.o b.c
b.c:1:2: error: expected something else
make[1]: *** [Makefile:4: b.o] Error 1
make[1]: Leaving directory '/p/src'
make: *** [Makefile:6: src] Error 2
make -C lib all
make[1]: Entering directory '/p/lib'
make[1]: Nothing to be done for 'all'.
make[1]: Leaving directory '/p/lib'
make[1]: Entering directory '/p/src'
gcc -c -o b.o b.c
make[1]: Leaving directory '/p/src'
gcc -o all lib/a.o src/b.o
Making check in src
make[1]: Entering directory '/p/src'
PASS: one
FAIL: two
make[1]: Leaving directory '/p/src'
"""


FLAT = """\
gcc -c -o a.o a.c
a.c:3:5: error: 'x' undeclared (first use in this function)
make: *** [Makefile:4: a.o] Error 1
"""
OTHER = FLAT.replace("a.", "b.").replace("'x'", "'y'")
BELOW = """\
make[1]: Entering directory '/p/lib'
gcc -c -o a.o a.c
a.c:3:5: error: 'x' undeclared (first use in this function)
make[1]: *** [Makefile:4: a.o] Error 1
make[1]: Leaving directory '/p/lib'
make: *** [Makefile:2: all] Error 2
"""


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (FLAT * 2, "xx"), (FLAT + OTHER, "xy"), (FLAT + OTHER + FLAT, "xyx"), (BELOW * 2, "xx"),
        (BELOW + OTHER, "xy"), (FLAT + OTHER + "make: Target 'all' not remade because of errors.\n", "x"),
        (FLAT + "make: *** Waiting for unfinished jobs....\n" + OTHER, "x"),
    ],
    ids=["twice", "others", "thrice", "below", "below-others", "keep-going", "parallel"],
)  # fmt: skip
def test_failing_builds_in_one_file_fail_each(
    console: Callable[[str], Run], tmp_path: Path, text: str, reasons: str
) -> None:
    """Builds whose output was appended to one file have failed each for its reason; a make that goes on, once."""
    run = console(text)
    (step,) = run.steps.values()
    assert (step.attempts, run.failures) == (len(reasons), {("build", "compiler-error"): len(reasons)})
    events = Make(Settings(tmp_path / "text.log", "b")).poll(time.time(), over=True)
    messages = [each.event.message or "" for each in events if isinstance(each.event, StepFinished)]
    assert [message.partition("'")[2][:1] for message in messages] == list(reasons)


@pytest.mark.parametrize("kind", ["failing", "again", "recursive", "cmake"])
def test_however_followed_it_is_the_same(
    project: Any, tmp_path: Path, followed_alike: Callable[[Path], None], kind: str
) -> None:
    """A console read piece by piece, by exporters started again or attached late, gives the result of the import."""
    if kind == "failing":
        data = FAILING.encode()
    elif kind == "again":
        data = (BELOW * 2 + FLAT + OTHER).encode()
    elif kind == "recursive":
        assert project.recursive().run("make -j3 && make install") == 0
        data = project.log.read_bytes()
    else:
        assert project.cmake().run("cmake -S . -B b && make -C b -j2 && make -C b test") == 0
        data = project.log.read_bytes()
    whole = tmp_path / f"{kind}.log"
    whole.write_bytes(data)
    followed_alike(whole)


def test_steps_are_timed_as_they_are_watched(project: Any, follow: Callable[..., Any], poll: Any) -> None:
    """A directory that takes two seconds took about two; its end is recorded soon after make's."""
    follower = follow(project.recursive().log)
    with pytest.raises(Exception, match="No such file"):
        follower.poll()
    make = project.start("make WAIT='sleep 1'")
    poll(project.log.exists, 30)
    running: set[str] = set()

    def is_over() -> bool:
        follower.poll()
        for run in follower.runs():
            running.update(name for _, name in run.running)
        return make.poll() is not None

    poll(is_over, 60)
    assert make.returncode == 0
    assert {"lib", "src", "doc"} <= running
    poll(lambda: bool(follower.poll()) and follower.newest.status is not None, 30, "the end is reported")
    run = follower.newest
    assert (run.state, run.plans) == (BuildState.SUCCEEDED, 0)
    for name in ("lib", "src", "doc"):
        # a busy machine makes it longer
        assert 1.5 < (run.steps["build", name].seconds or 0.0) < 15
    assert 5 < run.end - run.start < 45
    assert follow(project.log).poll(over=True) == 0


def test_a_step_that_ran_before_it_was_watched_has_no_made_up_time(follow: Callable[..., Any], tmp_path: Path) -> None:
    """What was over when watching began is done, without a duration; what the log begins with began with it."""
    log = tmp_path / "x.log"
    log.write_text("".join(f"[ {n}%] Building C object x.o\n" for n in range(10, 60)))
    os.utime(log, (time.time() + 100, time.time() + 100))
    follower = follow(log)
    follower.poll()
    step = follower.newest.steps["build", "make"]
    assert (step.state, step.ratio) == (StepState.RUNNING, 0.59)
    assert step.start == follower.newest.start
    other = tmp_path / "y.log"
    other.write_text(FAILING)
    follower = follow(other, "other")
    follower.poll()
    steps = follower.newest.steps
    assert {step.seconds for key, step in steps.items() if step.state is not StepState.RUNNING} == {None}


def test_dates_in_the_console_are_the_times(follow: Callable[..., Any], tmp_path: Path, same_state: Any) -> None:
    """Lines stamped by `ts`, a CI service or the system's journal give every step its own times."""
    lines = FAILING.splitlines()
    stamps: dict[str, Callable[[int], str]] = {
        "ci": lambda n: f"2026-01-02T03:04:{n:02d}.1234567Z ",
        "ts": lambda n: f"Jan  2 03:04:{n:02d} ",
        "journal": lambda n: f"Jan 02 03:04:{n:02d} machine make-it[{1000 + n}]: ",
        "epoch": lambda n: f"[{1767323040 + n}.000] ",
    }
    for name, stamp in stamps.items():
        log = tmp_path / f"{name}.log"
        log.write_text("".join(f"{stamp(number)}{line}\n" for number, line in enumerate(lines)))
        os.utime(log, (1767400000, 1767400000))
        follower = follow(log, name)
        follower.poll(over=True)
        run = follower.newest
        src = run.steps["build", "src"]
        assert (src.attempts, src.seconds, run.failures) == (2, 1.0, {("build", "compiler-error"): 1}), name
        assert run.end - run.start == pytest.approx(len(lines) - 1, abs=1)
        assert run.steps["test", "src"].seconds == 2.0
        follower.restart()
        assert follower.poll(over=True) == 0


def test_a_log_written_over_is_another_run(project: Any, follow: Callable[..., Any], poll: Any) -> None:
    """The next `make > build.log` is a run of its own, watched or found later; `>>` continues with the one there is."""
    follower = follow(project.recursive().log)
    assert project.run("make") == 0
    follower.poll()
    # no one was seen writing: a log is over when it has been silent for a while
    follower.poll(time.time() + 20)
    assert follower.newest.status is None
    follower.poll(time.time() + 60)
    first = follower.newest
    assert first.status is BuildState.SUCCEEDED
    time_of_first = time.time()
    poll(lambda: time.time() > time_of_first + 1.1)
    assert project.run("make clean-it") == 2
    follower.poll()
    assert follower.runs()[0].run == first.run
    assert len(follower.runs()) == 2
    follower.poll(over=True)
    assert [run.state for run in follower.runs()] == [BuildState.SUCCEEDED, BuildState.FAILED]
    project.run(f"make install >> {project.log} 2>&1")
    follower.poll()
    assert len(follower.runs()) == 2
    assert ("install", "lib") in follower.newest.steps
    follower.poll(over=True)
    assert follower.newest.state is BuildState.SUCCEEDED
    poll(lambda: time.time() > time_of_first + 3.3)
    # no one watched when this was written over the other
    assert project.run("make install") == 0
    later = follow(project.log)
    later.poll(over=True)
    assert len(later.runs()) == 3
    assert set(later.newest.steps) == {("install", name) for name in ("lib", "src", "doc")}


def test_sessions_of_script_in_one_file(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Several sessions that script(1) appended to one file are as many runs, each with its date and outcome."""
    log = tmp_path / "typescript"
    log.write_text(
        'Script started on 2026-01-02 03:04:05+00:00 [COMMAND="make"]\r\n' + FAILING.replace("\n", "\r\n")
        + '\r\nScript done on 2026-01-02 03:05:05+00:00 [COMMAND_EXIT_CODE="2"]\r\n'
        + 'Script started on 2026-01-02 05:04:05+01:00 [COMMAND="make"]\r\n\x1b[1mgcc -c x.c\x1b[0m\r\n'
        + 'Script done on 2026-01-02 05:05:05+01:00 [COMMAND_EXIT_CODE="0"]\r\n'
    )  # fmt: skip
    follower = follow(log)
    follower.poll()
    assert [(run.run, run.state.name) for run in follower.runs()] == [
        ("20260102T030405Z", "FAILED"),
        ("20260102T040405Z", "SUCCEEDED"),
    ]


def test_the_run_before_is_the_plan(project: Any, follow: Callable[..., Any], poll: Any) -> None:
    """The steps of a run that succeeded are expected of the next, with what they took: so there is progress at once."""
    follower = follow(project.recursive().log)
    with pytest.raises(Exception, match="No such file"):
        follower.poll()
    for number in range(2):
        began = time.time()
        poll(lambda began=began: time.time() > began + 1.1)
        project.run("rm -f */*.o */*.a")
        make = project.start("make WAIT='sleep 0.5'")
        shown: list[float] = []

        def is_over(make: subprocess.Popen[bytes] = make, shown: list[float] = shown, number: int = number) -> bool:
            if project.log.exists():
                follower.poll()
                shown.extend(build_progress(run, time.time()) or 0.0 for run in follower.runs()[number:])
            return make.poll() is not None

        poll(is_over, 60)
        poll(lambda: follower.poll() >= 0 and follower.newest.status is not None, 30, "the end")
        run = follower.newest
        assert run.plans == number
        if number:
            assert [step.step for step in run.steps.values() if step.planned][:3] == ["lib", "src", "doc"]
            assert all((run.steps["build", name].expected_seconds or 0) > 0.5 for name in ("lib", "src", "doc"))
            assert any(0.1 < ratio < 0.9 for ratio in shown)


def test_who_writes_is_seen(tmp_path: Path, poll: Any) -> None:
    """A log is over seconds after its writer is gone, and not before, however long the writer is silent."""
    log = tmp_path / "x.log"
    with log.open("wb") as file:
        tee = subprocess.Popen(["tee"], stdin=subprocess.PIPE, stdout=file)
    assert tee.stdin is not None
    tee.stdin.write(b"x\n")
    tee.stdin.flush()
    poll(lambda: log.stat().st_size > 0)
    with log.open("rb"):
        writers, written = FileWriters(log), log.stat().st_mtime
        began = writers.since()
        assert began is not None, "the process that writes is known"
        assert abs(began - time.time()) < 20
        assert not writers.are_gone(written + 1e6, written)
        tee.send_signal(signal.SIGTERM)
        tee.wait(10)
        tee.stdin.close()
        assert not writers.are_gone(written + 1e6, written)
        # this test's own open file only reads
        assert writers.are_gone(written + 1e6 + 4, written)
    fresh = FileWriters(log)
    assert not fresh.are_gone(written + 20, written)
    assert fresh.are_gone(written + 5 * 3600, written)
