"""Following the logs of running steps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.diagnostics.rules import Rank, Rule, use
from build_exporter.model.events import StepFinished
from build_exporter.model.states import StepState
from build_exporter.monitor import Monitor
from build_exporter.sources.step_logs.watcher import StepLogWatcher
from build_exporter.tracker import Run, Step


class Watched:
    """A step with a log, a monitor, and the reader of logs, looked at by hand."""

    def __init__(self, journal: Path, run: Any, log: Path) -> None:
        self.log, self.run, self.journal = log, run, journal
        self.monitor = Monitor(str(journal))
        run.add("step_started", phase="p", step="s", log=str(log))
        self.monitor.poll()
        self.inside = self.reader()

    def reader(self) -> StepLogWatcher:
        """Return a new reader, as after a start of the exporter."""
        return StepLogWatcher(str(self.journal), self.runs, time.time)

    def runs(self) -> list[Run]:
        """Return the newest runs."""
        return [b.current for b in self.monitor.tracker.builds.values() if b.current is not None]

    def write(self, text: str) -> None:
        """Append to the log."""
        with self.log.open("a") as file:
            file.write(text)

    def poll(self) -> Step:
        """Read the log, and return the step from the journal."""
        self.inside.poll()
        self.monitor.poll()
        return self.runs()[0].steps["p", "s"]


@pytest.fixture
def watched(journal: Path, tmp_path: Path, run_file: Callable[..., Any]) -> Watched:
    """A running step with an empty log."""
    log = tmp_path / "s.log"
    log.write_text("")
    return Watched(journal, run_file(clock=time.time() - 60), log)


def test_a_running_step_moves_by_its_log(watched: Watched) -> None:
    """A long step's bar moves though its builder reports nothing."""
    watched.write("[120/480] Building a.o\n")
    assert watched.poll().ratio == 0.25
    watched.write("[121/480] Building b.o\n")
    lines = len(watched.run.path.read_text().splitlines())
    assert watched.poll().ratio == 0.25, "a gain too small for a line in the journal"
    assert len(watched.run.path.read_text().splitlines()) == lines
    watched.write("[240/480] Building c.o\n")
    assert watched.poll().ratio == 0.5


def test_test_results_come_though_the_builder_swallows_them(watched: Watched) -> None:
    """A suite's failures are reported even if the step then succeeds, and also when it ends at once after them."""
    watched.poll()
    watched.write("Testsuite summary for m4\n# PASS:  250\n# FAIL:  3\n")
    watched.run.add("step_finished", after=60, phase="p", step="s", status="succeeded")
    watched.monitor.poll()
    step = watched.poll()
    assert step.state is StepState.SUCCEEDED
    assert (step.tests["m4"].passed, step.tests["m4"].failed) == (250, 3)
    reported = watched.run.path.read_text()
    watched.inside = watched.reader()
    watched.poll()
    assert watched.run.path.read_text() == reported, "a restart reports nothing twice"


def test_a_failure_is_explained_at_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, poll: Callable[..., None]
) -> None:
    """The reason of a failed step does not wait for the next look at the logs."""
    monkeypatch.setattr("build_exporter.sources.step_logs.watcher.POLL_SECONDS", 3600.0)
    watched.monitor.listeners.append(watched.inside.on_events)
    watched.inside.start()
    watched.write("a.c:1:1: error: no\n")
    watched.run.add("step_finished", after=60, phase="p", step="s", status="failed")

    def is_explained() -> bool:
        watched.monitor.poll()
        return watched.runs()[0].steps["p", "s"].error_class == "compiler-error"

    poll(is_explained, 30, what="the reason")
    watched.inside.stop()


def test_failures_without_end_take_a_quarter_of_a_core_at_most(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, poll: Callable[..., None]
) -> None:
    """Where step after step fails, looks at the logs keep apart: by a quarter second, or three times what one took."""
    looks: list[tuple[float, float]] = []
    failure = StepFinished(time=1.0, build="lfs", phase="p", step="s", status="failed")

    def look() -> int:
        began = time.monotonic()
        until = time.thread_time() + (0.0, 0.2, 0.0)[min(len(looks), 2)]
        while time.thread_time() < until:
            pass
        looks.append((began, time.monotonic()))
        watched.inside.on_events("lfs", "r", [failure], live=True)
        return 0

    monkeypatch.setattr(watched.inside, "poll", look)
    watched.inside.on_events("lfs", "r", [failure], live=True)
    watched.inside.start()
    poll(lambda: len(looks) >= 3, 30, what="three looks")
    watched.inside.stop()
    (_, first), (second, heavy), (third, _) = looks[:3]
    assert second - first >= 0.25
    assert third - heavy >= 0.6


def test_an_ended_reader_looks_no_more(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that hangs when the exporter ends is not touched again: the end does not begin another look."""
    looks: list[int] = []
    monkeypatch.setattr(watched.inside, "poll", lambda: looks.append(1))
    watched.inside.start()
    watched.inside.stop()
    watched.inside._thread.join(30)
    assert not watched.inside._thread.is_alive()
    assert looks == []


def test_failures_that_were_put_right_are_forgotten(watched: Watched) -> None:
    """An exporter that runs for months keeps no name of each step that ever failed without a log."""
    watched.run.add("step_started", phase="p", step="t")
    for each in ("failed", "failed", "succeeded"):
        watched.run.add("step_finished", phase="p", step="t", status=each, message="cc: error: no")
        watched.monitor.poll()
        watched.poll()
        watched.run.add("step_started", phase="p", step="t")
        assert len(watched.inside._classified) == (each == "failed")


def test_what_ended_while_nobody_looked_is_caught_up_with(watched: Watched) -> None:
    """An exporter started amid a build knows the tests of the steps before, and reads their logs no second time."""
    watched.write("Testsuite summary for m4\n# PASS:  250\n# FAIL:  3\n")
    watched.run.add("step_finished", after=5, phase="p", step="s", status="succeeded")
    watched.run.add("step_started", after=1, phase="p", step="later")
    watched.monitor.poll()
    assert "m4" not in watched.poll().tests, "ended too long ago for who follows the running steps"
    assert watched.inside.catch_up() > 0
    watched.monitor.poll()
    step = watched.runs()[0].steps["p", "s"]
    assert (step.tests["m4"].passed, step.tests["m4"].failed) == (250, 3)
    assert step.tests["m4"].time == step.end
    assert watched.reader().catch_up() == 0


def test_builds_long_over_are_not_caught_up_with(watched: Watched) -> None:
    """Starting an exporter over years of history reads none of its logs."""
    watched.write("Testsuite summary for m4\n# PASS:  250\n===\n")
    watched.run.add("step_finished", after=5, phase="p", step="s", status="succeeded")
    watched.run.add("build_finished", after=1, status="succeeded")
    watched.monitor.poll()
    later = StepLogWatcher(str(watched.journal), watched.runs, lambda: time.time() + 2 * 86400)
    assert later.catch_up() == 0


def test_what_a_killed_exporter_had_not_reported_is_found_again(watched: Watched) -> None:
    """Killed right after a step's end, which was its build's as well, it finds the rest of the log's warnings again."""
    watched.write("a.c:1:1: warning: one [-Wunused]\n")
    watched.poll()
    watched.write("a.c:2:1: warning: two [-Wunused]\nTestsuite summary for m4\n# PASS:  250\n# FAIL:  3\n")
    watched.run.add("step_finished", after=15, phase="p", step="s", status="succeeded")
    watched.run.add("build_finished", after=1, status="succeeded")
    watched.monitor.poll()
    assert watched.runs()[0].steps["p", "s"].warnings == 1
    assert watched.reader().catch_up() > 0
    watched.monitor.poll()
    step = watched.runs()[0].steps["p", "s"]
    assert (step.warnings, step.tests["m4"].failed) == (2, 3)
    watched.write("a.c:3:1: warning: three [-Wunused]\n")
    assert watched.reader().catch_up() == 0, "what was read to its end is not opened again"


def test_a_failed_step_without_words_is_explained_by_its_log(watched: Watched) -> None:
    """The alert says why, although the hook knows no more than an exit code."""
    watched.write("gcc -c a.c\na.c:3:5: error: expected expression\nmake: *** [all] Error 1\n")
    watched.run.add("step_finished", after=60, phase="p", step="s", status="failed", exit_code=2)
    watched.monitor.poll()
    assert watched.poll().message == "a.c:3:5: error: expected expression"


def test_words_of_the_builder_itself_are_kept(watched: Watched) -> None:
    """A reason given with the failure is not replaced by a guess."""
    watched.write("a.c:3:5: error: expected expression\n")
    watched.run.add("step_finished", after=60, phase="p", step="s", status="failed", message="the disk is gone")
    watched.monitor.poll()
    assert watched.poll().message == "the disk is gone"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")
def test_a_rule_of_the_users_own_corrects_what_was_recorded(watched: Watched) -> None:
    """`run` and hooks know no configuration: the exporter beside them applies the user's rules to what they report."""
    watched.write("licence server busy\nx.c:1:2: error: no\n")
    known = {"status": "failed", "message": "x.c:1:2: error: no", "error_class": "compiler-error"}
    watched.run.add("step_finished", after=60, phase="p", step="s", **known)
    watched.monitor.poll()
    use((Rule("timeout", "you", Rank.OWN, (), "^licence server busy$", "", ()),))
    try:
        step = watched.poll()
    finally:
        use(())
    assert (step.error_class, step.message) == ("timeout", "licence server busy")


def test_a_log_of_another_user_is_not_read(watched: Watched) -> None:
    """Whoever writes events does not get a privileged exporter to read him files that are not his."""
    os.chown(watched.run.path, 65534, 65534)
    watched.write("[120/480] Building a.o\n")
    assert watched.poll().ratio is None
    os.chown(watched.log, 65534, 65534)
    assert watched.poll().ratio == 0.25


def test_a_log_that_is_a_link_or_no_file_is_left_alone(watched: Watched, tmp_path: Path) -> None:
    """Links and FIFOs in place of a log cost nothing and are not read."""
    other = tmp_path / "other.log"
    other.write_text("[120/480] Building a.o\n")
    watched.log.unlink()
    watched.log.symlink_to(other)
    assert watched.poll().ratio is None
    watched.log.unlink()
    os.mkfifo(watched.log)
    assert watched.poll().ratio is None


def test_it_works_in_a_running_exporter(
    serve: Callable[..., Any], run_file: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """`serve` shows progress and tests of steps that only the shell hook records."""
    log = tmp_path / "s.log"
    log.write_text("[120/480] Building a.o\n=== 1 failed, 12 passed in 1.23s ===\n")
    served = serve()
    run_file(clock=time.time()).add("step_started", phase="p", step="s", log=str(log))
    poll(lambda: served.value("build_step_progress_ratio", step="s") == 0.25, what="progress from the log")
    assert served.value("build_step_tests", step="s", outcome="failed") == 1


def test_a_flood_in_one_log_is_read_in_shares(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of gigabytes takes a bounded time a second and delays no other; it is read on when the step has ended."""
    monkeypatch.setattr("build_exporter.sources.step_logs.watcher.POLL_BYTES", 1 << 20)
    monkeypatch.setattr("build_exporter.sources.step_logs.watcher.OVERLAP_SECONDS", -1.0)
    watched.write("x" * 99 + "\n")
    watched.poll()
    watched.write(("x" * 99 + "\n") * 50_000 + "Testsuite summary for m4\n# PASS:  250\n# FAIL:  3\n")
    watched.poll()
    (logs,) = watched.inside._watched.values()
    assert logs.behind
    assert logs.read_bytes < 2 << 20
    watched.run.add("step_finished", after=1, phase="p", step="s", status="succeeded")
    watched.monitor.poll()
    for _ in range(6):
        step = watched.poll()
    assert step.tests["m4"].failed == 3
    assert not watched.inside._watched
