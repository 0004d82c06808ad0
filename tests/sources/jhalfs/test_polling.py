"""A tree as it grows: what is running, done, failed, tried again, built again; and the quirks of real trees."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.make_process import MakeWatch
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run, Step

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree

Follow = Callable[..., Run]


def step(run: Run, name: str) -> Step:
    """Return a step of a run by its name."""
    return next(each for each in run.steps.values() if each.step == name)


def states(run: Run) -> dict[str, str]:
    """Return the states of the steps that were begun."""
    return {each.step: each.state.label for each in run.steps.values() if each.state is not StepState.PENDING}


def test_plan_is_known_with_the_first_step(tree: Tree, follow: Follow) -> None:
    """Order, phases, packages, versions and milestones come from the Makefile, whatever the names look like."""
    tree.begin("401-creatingdirs")
    run = follow()
    assert [(each.phase, each.step, each.package, each.version) for each in run.steps.values()] == [
        ("chapter-4", "401-creatingdirs", None, None),
        ("chapter-4", "402-environment", None, None),
        ("chapter-5", "501-linker", "linker", "2.42"),
        ("chapter-6", "601-c++", "c++", "14.2.0"),
        ("chapter-7", "701-entering", None, None),
        ("chapter-8", "801-Shell", "Shell", "5.3-rc1"),
        ("chapter-8", "802-library", "library", "1.0"),
        ("chapter-9", "901-clock", None, None),
        ("chapter-10", "1001-fstab", None, None),
        ("custom", "Cus-001-editor", None, None),
    ]
    assert [each.name for each in run.planned_milestones] == [
        "cross toolchain",
        "temporary tools",
        "chroot entered",
        "base system",
        "bootable",
    ]
    assert step(run, "501-linker").after == ("402-environment",)
    assert (run.jobs, run.book, run.source, run.deadline) == (4, "12.4", "jhalfs", None)


def test_whole_build(tree: Tree, follow: Follow) -> None:
    """Each step ends with its stamp, milestones come with the last step they wait for, the build with its last step."""
    tree.all_steps()
    run = follow()
    assert set(states(run).values()) == {"succeeded"}
    assert run.state is BuildState.SUCCEEDED
    assert run.end == run.last_event == step(run, "Cus-001-editor").end
    assert run.milestones["bootable"] == step(run, "1001-fstab").end
    assert follow(over=True).end == run.end


def test_step_runs_from_its_date_to_its_stamp(tree: Tree, follow: Follow) -> None:
    """A step runs when its log has a date, also with the log complete, until its stamp is there."""
    tree.step("401-creatingdirs")
    tree.step("402-environment")
    assert follow().running == {}
    tree.begin("501-linker", after=2)
    began = tree.clock
    run = follow()
    assert [each.step for each in run.running.values()] == ["501-linker"]
    assert step(run, "501-linker").start == int(began)
    log = step(run, "501-linker").log
    assert log is not None
    assert Path(log) == tree.path / "logs/501-linker-2.42"
    tree.complete("501-linker", seconds=60)
    assert [each.step for each in follow().running.values()] == ["501-linker"]
    tree.stamp("501-linker", after=4.25)
    done = step(follow(), "501-linker")
    assert done.state is StepState.SUCCEEDED
    assert done.end == pytest.approx(began + 64.25)
    assert done.seconds == 60
    assert done.disk_bytes == 500_000 * 1024


def test_retry_is_another_attempt_of_the_same_step(tree: Tree, follow: Follow) -> None:
    """`make` again after a failure cuts the failed log; the journal keeps the failure, and counts nothing twice."""
    for each in ("401-creatingdirs", "402-environment"):
        tree.step(each)
    tree.begin("501-linker")
    tree.write("501-linker", "ld.c:5: error: no such thing\nmake: *** [Makefile:1: all] Error 1\n", after=30)
    failed_at = tree.clock
    follow()
    tree.clock += 600
    tree.begin("501-linker")
    again = follow()
    assert step(again, "501-linker").attempts == 2
    assert step(again, "501-linker").ends == pytest.approx((failed_at,))
    assert again.finished == {"succeeded": 2, "failed": 1}
    tree.complete("501-linker")
    tree.stamp("501-linker")
    run = follow(from_start=True)
    assert (step(run, "501-linker").state, step(run, "501-linker").attempts) == (StepState.SUCCEEDED, 2)
    assert run.finished == {"succeeded": 3, "failed": 1}
    assert len(run.starts) == 1
    assert step(run, "402-environment").attempts == 1


def test_failure_and_retry_across_restarts(tree: Tree, follow: Follow) -> None:
    """A failure recorded by one exporter, the retry by the next: two attempts, one failure."""
    tree.begin("401-creatingdirs")
    tree.step("401-creatingdirs")
    tree.begin("402-environment")
    tree.write("402-environment", "cp: cannot stat 'bashrc': No such file or directory\n")
    run = follow(over=True)
    assert (run.state, step(run, "402-environment").state) == (BuildState.FAILED, StepState.FAILED)
    assert step(run, "402-environment").message == "cp: cannot stat 'bashrc': No such file or directory"
    assert states(follow(from_start=True, over=True)) == states(run)
    tree.begin("402-environment", after=3600)
    run = follow(from_start=True)
    assert (run.state, step(run, "402-environment").attempts) == (BuildState.RUNNING, 2)
    tree.stamp("402-environment")
    run = follow(from_start=True)
    assert (step(run, "402-environment").attempts, run.finished["failed"]) == (2, 1)


def test_built_anew_from_a_step_on(tree: Tree, follow: Follow) -> None:
    """A stamp taken away and `make` called: that step and those after it get a second attempt, as make builds them."""
    for each in tree.steps[:6]:
        tree.step(each.target)
    follow()
    tree.clock += 5000
    (tree.path / "601-c++").unlink()
    assert states(follow())["601-c++"] == "succeeded"
    tree.begin("601-c++")
    run = follow()
    assert [each.step for each in run.running.values()] == ["601-c++"]
    tree.complete("601-c++", seconds=20)
    tree.stamp("601-c++")
    tree.begin("701-entering")
    run = follow()
    assert [each.step for each in run.running.values()] == ["701-entering"]
    tree.complete("701-entering")
    tree.stamp("701-entering")
    tree.step("801-Shell")
    run = follow()
    assert [each.attempts for each in run.steps.values()][:6] == [1, 1, 1, 2, 2, 2]
    assert set(states(run).values()) == {"succeeded"}
    assert run.state is BuildState.RUNNING


def test_stopped_at_a_breakpoint(tree: Tree, follow: Follow) -> None:
    """`make BREAKPOINT=…` ends after a finished step: the build is interrupted, no step failed; it can continue."""
    for each in tree.steps[:3]:
        tree.step(each.target)
    run = follow(over=True)
    assert (run.state, run.failed, run.end) == (BuildState.INTERRUPTED, {}, step(run, "501-linker").end)
    tree.step("601-c++")
    run = follow()
    assert (run.state, run.count(StepState.SUCCEEDED), run.starts) == (BuildState.RUNNING, 4, [run.start])


def test_nothing_at_work_any_more(tree: Tree, follow: Follow) -> None:
    """With no one writing for hours a step does not stay running, whether or not the process table can be seen."""
    tree.clock = time.time()
    tree.step("401-creatingdirs")
    tree.begin("402-environment")
    assert follow().running
    assert follow(late=60).running
    run = follow(late=4 * 3600 + 60)
    assert not run.running
    assert run.state in {BuildState.FAILED, BuildState.INTERRUPTED}
    ended = run.end
    assert ended == pytest.approx(tree.clock, abs=1)
    assert follow(late=5 * 3600).end == ended
    tree.clock += 6 * 3600
    tree.begin("402-environment")
    run = follow()
    assert (run.state, step(run, "402-environment").attempts) == (BuildState.RUNNING, 2)


def test_foreign_and_empty_logs(tree: Tree, follow: Follow) -> None:
    """Logs that the Makefile names no step for are nobody's; an empty one is no step yet."""
    tree.put("logs/000-masterscript.log", "Cloning\n")
    tree.put("logs/800-libs-1.0", "")
    tree.step("401-creatingdirs")
    tree.put("logs/402-environment", "")
    assert states(follow()) == {"401-creatingdirs": "succeeded"}


def test_log_of_another_version(tree: Tree, follow: Follow) -> None:
    """A step done before the Makefile was written again with a newer package keeps its log and duration."""
    for each in tree.steps[:3]:
        tree.step(each.target)
    (tree.path / "logs/501-linker-2.42").rename(tree.path / "logs/501-linker-2.41")
    assert step(follow(), "501-linker").seconds == 10


def test_makefile_written_anew(tree: Tree, follow: Follow) -> None:
    """More steps in a Makefile written again are a new plan of the same run; what was done stays done."""
    for each in tree.steps[:4]:
        tree.step(each.target)
    run = follow()
    assert (len(run.steps), run.plans) == (10, 1)
    tree.plan = {**tree.plan, "BOOT": [*tree.plan["BOOT"], type(tree.steps[0])("1002-kernel", 10, "6.16")]}
    tree.clock += 10
    tree.write_makefile()
    os.utime(tree.path / "Makefile", (tree.clock + 3.5, tree.clock + 3.5))
    assert follow(late=5).plans == 1, "it may still be being written"
    run = follow(late=6)
    assert (len(run.steps), run.plans, run.count(StepState.SUCCEEDED)) == (11, 2, 4)
    assert run.planned_milestones[-1].step == "1002-kernel"
    assert follow(late=7, from_start=True).plans == 2


def test_another_build_in_the_same_place(tree: Tree, follow: Follow) -> None:
    """A tree cleared and built again is another run; the one before is over, though nothing said so."""
    for each in tree.steps[:3]:
        tree.step(each.target)
    tree.begin("601-c++")
    first = follow()
    shutil.rmtree(tree.path)
    with pytest.raises(SourceError):
        follow()
    tree.clock += 86400
    (tree.path / "logs").mkdir(parents=True)
    tree.write_makefile()
    tree.step("401-creatingdirs")
    run = follow()
    assert run.run > first.run
    assert states(run) == {"401-creatingdirs": "succeeded"}


def test_settings_with_colours(tree: Tree, follow: Follow) -> None:
    """Jobs and what is built come from jhalfs.config, which holds the colours of the terminal it was shown on."""
    colours = "{} \x1b[1;33m<\x1b[0m\x1b[1m{}\x1b[0m\x1b[1;33m>\x1b[0m\n"
    reported = {"INITSYS": "systemd", "N_PARALLEL": "12", "MULTILIB": "m32", "COMMIT": "trunk"}
    tree.put("jhalfs.config", "".join(colours.format(*each) for each in reported.items()))
    tree.begin("401-creatingdirs")
    run = follow()
    assert (run.jobs, run.target) == (12, "systemd-m32")


def test_logs_of_a_step_can_be_found(tree: Tree) -> None:
    """Whoever reads test results is reported where a step's log and its test log are."""
    source = Jhalfs(Settings(tree.path))
    tree.step("401-creatingdirs")
    tree.begin("501-linker")
    tree.put("test-logs/501-linker-2.42", "PASS: x\n")
    list(source.poll(tree.clock + 1))
    assert source.step_logs("501-linker") == [
        tree.path / "logs/501-linker-2.42",
        tree.path / "test-logs/501-linker-2.42",
    ]
    assert source.step_logs("401-creatingdirs") == [tree.path / "logs/401-creatingdirs"]
    assert source.step_logs("no-such-step") == []


def test_reading_changes_nothing(tree: Tree, follow: Follow) -> None:
    """The tree is as it was after it was read: no file made, none changed, no time set."""
    tree.all_steps()

    def everything() -> dict[Path, tuple[int, int, int]]:
        return {p: (p.stat().st_size, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in tree.path.rglob("*")}

    before = everything()
    follow()
    follow(over=True)
    assert everything() == before


def test_import_of_what_never_began(tree: Tree, follow: Follow) -> None:
    """A build that died before its first step is reported as such, not as a build without steps."""
    tree.put("logs/000-masterscript.log", "parser error\n")
    with pytest.raises(SourceError, match="no step of the Makefile has been begun"):
        follow(over=True)


def test_each_pause_for_a_password_is_noted_once(tree: Tree, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after a step's end a prompt is noted, with the step that waits, and another after a later step."""
    asking: list[float] = []

    def ask(_: MakeWatch) -> str:
        asking.append(tree.clock)
        return "sudo"

    monkeypatch.setattr(MakeWatch, "asking", ask)
    tree.step("401-creatingdirs")
    assert [len(follow(late=late).notes) for late in (0.1, 1.0, 10.9, 11.1, 12.0, 60.0)] == [0, 0, 0, 1, 1, 1]
    assert len(asking) == 2, "processes are looked at every ten seconds at most"
    tree.clock += 70
    tree.begin("402-environment")
    assert len(follow(late=30).notes) == 1, "a step that runs may ask for what it likes"
    tree.write("402-environment", "done\n", 10)
    tree.stamp("402-environment")
    assert [len(follow(late=late).notes) for late in (0.1, 40.0, 60.0)] == [1, 2, 2]
    said = "waiting-for-input: sudo asks for a password before "
    assert [text.removeprefix(said) for _, text in follow(late=60.1).notes] == ["402-environment", "501-linker"]
