"""The Python client: what a program shows is what the tracker sees."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from build_exporter.client import Milestone, Operation, Workflow
from build_exporter.client.events import EventLog, progress_fields
from build_exporter.journal.follow import Follower
from build_exporter.journal.layout import pid_namespace
from build_exporter.journal.spool import recover
from build_exporter.model.events import Note
from build_exporter.model.names import MAX_TEXT_LENGTH
from build_exporter.model.states import BuildState, StepState
from build_exporter.tracker import Run, Tracker


def newest(journal: Path, build: str) -> Run:
    """Return the state of a build's newest run as read from the journal."""
    tracker = Tracker()
    follower = Follower(str(journal))
    for batch in follower.poll():
        tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)
    follower.close()
    assert not follower.decoder.rejected
    run = tracker.builds[build].current
    assert run is not None
    return run


def test_an_operation_goes_through_its_steps(journal: Path) -> None:
    """Each update ends the step before it, and completing ends the last: nobody has to report both."""
    operation = Operation("import", journal=str(journal))
    operation.start(["download", "unpack", "load"])
    operation.update("download", "12 of 40 files", done=12, total=40)
    run = newest(journal, "import")
    step = run.steps["operation", "download"]
    assert (step.state, step.ratio, step.message) == (StepState.RUNNING, 0.3, "12 of 40 files")
    assert [name for _, name in run.steps] == ["download", "unpack", "load"], "as given to start"
    assert (run.pid, run.pid_namespace) == (os.getpid(), pid_namespace())
    operation.update("unpack")
    operation.update("load")
    operation.complete("40 files")
    run = newest(journal, "import")
    assert [step.state for step in run.steps.values()] == [StepState.SUCCEEDED] * 3
    assert run.state is BuildState.SUCCEEDED
    assert run.notes[0][1] == "40 files"


def test_a_failed_operation_says_why(journal: Path) -> None:
    """The exception's words and class are on the step that was being done."""
    operation = Operation("import", ["download", "load"], journal=str(journal))
    operation.start()
    operation.update("download")
    operation.fail(OSError("No space left on device"), error_class="disk-full")
    run = newest(journal, "import")
    step = run.steps["operation", "download"]
    assert (step.state, step.error_class) == (StepState.FAILED, "disk-full")
    assert step.message == "OSError: No space left on device"
    assert run.state is BuildState.FAILED
    assert run.count(StepState.PENDING) == 1


def test_an_operation_as_a_block_fails_by_its_exception(journal: Path) -> None:
    """The exception is reported and passes on."""
    with pytest.raises(ZeroDivisionError), Operation("import", ["load"], journal=str(journal)) as operation:
        operation.update("load")
        raise ZeroDivisionError("by zero")
    assert newest(journal, "import").failure_counts() == {("operation", "other"): 1}


@pytest.mark.parametrize(
    ("error", "state", "step"),
    [
        (KeyboardInterrupt(), BuildState.INTERRUPTED, StepState.INTERRUPTED),
        (SystemExit(0), BuildState.INTERRUPTED, StepState.INTERRUPTED),
        (SystemExit("bad option"), BuildState.INTERRUPTED, StepState.INTERRUPTED),
        (RuntimeError("boom"), BuildState.FAILED, StepState.FAILED),
    ],
)
def test_an_end_by_the_user_is_an_interruption(
    journal: Path, error: BaseException, state: BuildState, step: StepState
) -> None:
    """Ctrl-C and `sys.exit()` are no failure, anything else is; either passes on."""
    with pytest.raises(type(error)), Operation("import", ["load"], journal=str(journal)) as operation:
        operation.update("load")
        raise error
    run = newest(journal, "import")
    assert (run.state, run.steps["operation", "load"].state) == (state, step)


def test_steps_take_the_time_they_took(journal: Path) -> None:
    """A step's seconds are those between its first update and the next step's, by a clock that nobody sets."""
    operation = Operation("import", ["a", "b"], phase="", journal=str(journal))
    operation.start()
    began = time.monotonic()
    operation.update("a")
    time.sleep(0.05)  # what is measured is time that passes
    operation.update("a", "still")
    assert newest(journal, "import").steps["unnamed", "a"].pid == os.getpid()
    operation.update("b")
    took = time.monotonic() - began
    operation.complete()
    steps = newest(journal, "import").steps
    seconds = [steps["unnamed", name].seconds or 0.0 for name in "ab"]
    assert 0.05 <= seconds[0] <= took


def test_each_operation_is_a_run_of_its_own(journal: Path) -> None:
    """Whatever became of the one before, an operation begins a new run; it says what it runs from and what failed."""
    for number in range(2):
        operation = Operation("import", ["a"], journal=str(journal))
        operation.start()
        operation.fail("no network")
        run = newest(journal, "import")
        assert (run.source, run.results, len(list((journal / "import").glob("*.jsonl")))) == (
            "python", {"failed": 1}, number + 1,
        )  # fmt: skip
        assert {step.step: step.state.label for step in run.steps.values()} == {"a": "pending", "start": "failed"}
        assert run.steps["operation", "start"].message == "no network"


@pytest.mark.parametrize(
    ("reported", "ratio"),
    [({"ratio": -1.0}, 0.0), ({"ratio": 7.0}, 0.999), ({"done": -3, "total": 4}, 0.0), ({}, None)],
)
def test_figures_out_of_range_are_brought_into_it(journal: Path, reported: dict[str, Any], ratio: float | None) -> None:
    """A ratio below nothing or above all loses no event."""
    operation = Operation("import", journal=str(journal))
    operation.start(["a"])
    operation.update("a", **reported)
    assert newest(journal, "import").steps["operation", "a"].ratio == ratio


def test_a_workflow_has_phases_and_milestones(journal: Path) -> None:
    """Milestones come by themselves with what they wait for, and by name."""
    plan = {"chapter-5": {"binutils": 60.0, "gcc": 600.0}, "chapter-6": ["m4"]}
    milestones = [Milestone("cross toolchain", phase="chapter-5")]
    workflow = Workflow("lfs", plan, milestones=milestones, journal=str(journal), target="x86_64-lfs-linux-gnu", jobs=4)
    with workflow:
        with workflow.step("chapter-5", "binutils") as progress:
            progress(0.5, message="half way")
            assert newest(journal, "lfs").steps["chapter-5", "binutils"].ratio == 0.5
        assert not newest(journal, "lfs").milestones
        workflow.skip("chapter-5", "gcc")
        workflow.milestone("coffee")
        with workflow.step("chapter-6", "m4", log="/logs/m4.log"):
            assert newest(journal, "lfs").steps["chapter-6", "m4"].pid == os.getpid()
    run = newest(journal, "lfs")
    assert set(run.milestones) == {"cross toolchain", "coffee"}
    assert (run.state, run.target, run.jobs) == (BuildState.SUCCEEDED, "x86_64-lfs-linux-gnu", 4)
    assert run.steps["chapter-5", "gcc"].state is StepState.SKIPPED
    assert [step.expected_seconds for step in run.steps.values()] == [60.0, 600.0, None]
    m4 = run.steps["chapter-6", "m4"]
    assert (m4.log, 0 <= (m4.seconds or -1.0) < 60) == ("/logs/m4.log", True)


def test_a_workflow_that_caught_a_failure_still_failed(journal: Path) -> None:
    """A step's failure that the program continues after is the run's failure, unless the step is done again."""
    with Workflow("lfs", journal=str(journal)) as workflow, pytest.raises(RuntimeError), workflow.step("p", "s"):
        raise RuntimeError("boom")
    assert newest(journal, "lfs").state is BuildState.FAILED
    with Workflow("lfs", journal=str(journal), resume=True) as workflow, workflow.step("p", "s"):
        pass
    run = newest(journal, "lfs")
    assert run.state is BuildState.SUCCEEDED
    assert run.steps["p", "s"].attempts == 2
    with Workflow("lfs", journal=str(journal)) as workflow:
        for error in (RuntimeError("boom"), None):
            with suppress(RuntimeError), workflow.step("p", "s"):
                if error is not None:
                    raise error
    run = newest(journal, "lfs")
    assert (run.state, run.steps["p", "s"].attempts) == (BuildState.SUCCEEDED, 2), "done again within the same block"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_a_workflow_that_is_stopped_is_interrupted(journal: Path, error: BaseException) -> None:
    """Ctrl-C in a step interrupts step and run; neither has failed."""
    with pytest.raises(type(error)), Workflow("lfs", journal=str(journal)) as workflow, workflow.step("p", "s"):
        raise error
    run = newest(journal, "lfs")
    assert (run.state, run.steps["p", "s"].state) == (BuildState.INTERRUPTED, StepState.INTERRUPTED)
    with Workflow("caught", journal=str(journal)) as workflow:
        with suppress(type(error)), workflow.step("p", "s"):
            raise error
        assert newest(journal, "caught").steps["p", "s"].state is StepState.INTERRUPTED, "before the run ends"


def test_an_operation_is_started_with_no_steps_at_all(journal: Path) -> None:
    """Steps given at the start stand instead of those before, also where there are none of them."""
    operation = Operation("b", ["x"], journal=str(journal))
    planned = []
    for steps in (None, ["y"], []):
        operation.start(steps)
        planned.append(newest(journal, "b").plans)
        operation.complete()
    assert planned == [1, 2, 2], "the third has no plan"


def test_a_milestone_alone_joins_a_run_that_succeeded_and_work_after_it_begins_another(journal: Path) -> None:
    """What is reported after the end belongs to the run that ended; a step begins a run of its own."""
    with Workflow("lfs", journal=str(journal)) as workflow, workflow.step("p", "s"):
        pass
    (first,) = (journal / "lfs").iterdir()
    later = Workflow("lfs", journal=str(journal), resume=True)
    later.milestone("published")
    assert list((journal / "lfs").iterdir()) == [first]
    assert newest(journal, "lfs").state is BuildState.SUCCEEDED
    with later.step("p", "t"):
        pass
    later.milestone("again")
    first_lines, second_lines = (path.read_text() for path in sorted((journal / "lfs").iterdir()))
    assert ("published" in first_lines, '"t"' in first_lines, "again" in second_lines) == (True, False, True)


def test_many_threads_tell_at_once(journal: Path) -> None:
    """Steps that run side by side in threads lose nothing and tear no line."""
    with Workflow("threads", journal=str(journal)) as workflow:

        def work(number: int) -> None:
            for part in range(25):
                with workflow.step("p", f"{number}-{part}") as progress:
                    progress(0.5)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert newest(journal, "threads").count(StepState.SUCCEEDED) == 200


def test_a_program_continues_without_a_journal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A journal that can't be written is logged once and changes nothing else."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with caplog.at_level(logging.WARNING), Operation("import", ["a", "b"], journal=str(blocked)) as operation:
        operation.update("a")
        operation.update("b")
    assert len(caplog.records) == 1


def test_events_that_could_not_be_written_come_later_and_the_lost_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five events before there is a journal the last three are kept, in order; further ones report nothing again."""
    monkeypatch.setattr("build_exporter.client.events.MAX_PENDING", 3)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    blocked = tmp_path / "journal"
    blocked.write_text("")
    log = EventLog("import", str(blocked))
    times = [log.now() for _ in range(7)]
    notes = [Note(time=time, build="import", message=f"{n}") for n, time in enumerate(times)]
    assert [log.append(note) for note in notes[:5]] == [False] * 5
    blocked.unlink()
    assert [log.append(note) for note in notes[5:]] == [True] * 2
    written = [json.loads(line) for line in Path(log.path or "").read_text().splitlines()]
    assert [each.get("count", each.get("message")) for each in written] == [2, "2", "3", "4", "5", "6"]
    assert [each["time"] for each in written[1:]] == sorted(set(times))[2:]
    assert times[-1] - times[0] < 1
    with monkeypatch.context() as full:
        full.setattr("build_exporter.journal.append.Writer.append_lines", lambda *_: Path("/nothing").stat())
        assert not log.append(Note(time=log.now(), build="import", message="7"))
        log.close()
    assert recover(str(blocked)) == 1
    assert json.loads(Path(log.path or "").read_text().splitlines()[-1])["message"] == "7", "kept until there is room"


def test_times_of_events_go_on_when_the_clock_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events of one time would be one: each is a microsecond later at least, also when the clock is set back."""
    log, clock = EventLog("b", str(tmp_path)), iter((5.0, 5.0, 3.0, 6.0))
    monkeypatch.setattr("build_exporter.client.events.time.time", lambda: next(clock))
    assert [log.now() for _ in range(4)] == pytest.approx([5.0, 5.000001, 5.000002, 6.0], abs=1e-7, rel=0)


@pytest.mark.parametrize("text", ["\ud800 lone surrogate", "\x00\x1b[31m", "x" * 100_000, ""])
def test_any_text_can_be_reported(journal: Path, text: str) -> None:
    """Names and messages that no event may hold are made to fit instead of being lost."""
    operation = Operation("odd", journal=str(journal))
    operation.start([text])
    operation.update(text, text)
    operation.complete(text)
    run = newest(journal, "odd")
    assert run.count(StepState.SUCCEEDED) == 1
    kept = text[: MAX_TEXT_LENGTH // 4].replace("\ud800", "?")
    assert run.notes[0][1] == kept
    operation.complete("again")
    failing = Operation("odd", journal=str(journal))
    failing.start([text])
    failing.update(text, text, done=1, total=-5)
    failing.fail(text, error_class=text)
    run = newest(journal, "odd")
    assert (run.count(StepState.FAILED), run.finished) == (1, {"failed": 1}), "an end by `complete` ended its run"
    (step,) = run.failed.values()
    assert (step.message, step.ratio) == (kept, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None, None), (None, None, None, None)), ((0.5, 1.0, 4.0, "x"), (0.5, 1.0, 4.0, "x")),
        ((-0.1, -1.0, -4.0, ""), (0.0, 0.0, 0.0, "")), ((1.1, 9.0, 4.0, "y" * 9999), (1.0, 9.0, 4.0, "y" * 4096)),
    ],
)  # fmt: skip
def test_figures_are_kept_within_bounds(given: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    """A ratio is within 0 and 1, counts are not negative, and a message is cut at 4096 characters."""
    assert tuple(progress_fields(*given).values()) == expected


def test_an_event_too_long_for_a_line_is_left_out_alone(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A plan that no line holds is reported once; the steps themselves are recorded, before it and after it."""
    with caplog.at_level(logging.WARNING), Operation("large", ["a" * 200 + str(n) for n in range(999)],
                                                     journal=str(journal)) as operation:  # fmt: skip
        operation.update("a")
        operation.update("b")
    assert [step.state for step in newest(journal, "large").steps.values()] == [StepState.SUCCEEDED] * 2
    assert ["a line holds" in record.getMessage() for record in caplog.records] == [True]


def test_a_name_no_build_can_have_is_refused() -> None:
    """A wrong build name is the programmer's mistake and reported at once."""
    with pytest.raises(ValueError, match="can't name a build"):
        Operation("../etc")


def test_the_example_program_runs(journal: Path, repository: Path) -> None:
    """The example that ships is one that works."""
    example = repository / "examples" / "workflow.py"
    done = subprocess.run(
        [sys.executable, str(example), "--journal", str(journal)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    run = newest(journal, "photo-index")
    assert run.state is BuildState.SUCCEEDED
    assert "indexed" in run.milestones
