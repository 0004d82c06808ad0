"""Any log by patterns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_exporter.journal.follow import Follower
from build_exporter.model.states import BuildState, StepState
from build_exporter.sources.attach import Attachment
from build_exporter.sources.dates import leading_date
from build_exporter.sources.log import Log
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run, Tracker

DATED = """\
configuring nothing yet
2026-11-21 06:00:00Z STARTED chapter-5/binutils-pass1
gcc -c foo.c
2026-11-21 06:01:30Z COMPLETED chapter-5/binutils-pass1
2026-11-21 06:01:31Z STARTED chapter-5/gcc-pass1
foo.c:1:2: error: no such thing
make: *** [Makefile:3: all] Error 2
2026-11-21 06:02:31Z FAILED chapter-5/gcc-pass1
2026-11-21 06:10:00Z STARTED chapter-5/gcc-pass1
2026-11-21 06:15:00Z COMPLETED chapter-5/gcc-pass1
2026-11-21 06:15:01Z STARTED m4
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "build.log"


@pytest.fixture
def attach(journal: Path, log: Path) -> Iterator[Callable[..., Attachment]]:
    """Attach a new source, as after a start of the exporter."""
    with ExitStack() as attached:
        yield lambda **options: attached.enter_context(
            closing(Attachment(Log(Settings(log, "b", options)), str(journal)))
        )


def newest(journal: Path) -> Run:
    """Return the newest run as read from the journal."""
    tracker = Tracker()
    follower = Follower(str(journal))
    for batch in follower.poll():
        tracker.feed(batch.build, batch.run, batch.events, from_start=batch.from_start)
    follower.close()
    run = tracker.builds["b"].current
    assert run is not None
    return run


def facts(run: Run) -> dict[Any, Any]:
    """Return what must be the same however the log was followed."""
    return {key: (s.state, s.attempts, s.start, s.end, s.seconds, s.message) for key, s in run.steps.items()}


def test_started_completed_and_failed_are_known_without_configuration(
    log: Path, journal: Path, attach: Callable[..., Attachment]
) -> None:
    """Steps, their times, the reason of a failure and the second attempt come from the words alone."""
    log.write_text(DATED)
    attach().poll(0.0)
    run = newest(journal)
    binutils, gcc = run.steps["chapter-5", "binutils-pass1"], run.steps["chapter-5", "gcc-pass1"]
    assert (binutils.state, binutils.seconds) == (StepState.SUCCEEDED, 90.0)
    assert (gcc.state, gcc.attempts, gcc.seconds) == (StepState.SUCCEEDED, 2, 300.0)
    assert run.failures == {("chapter-5", "compiler-error"): 1}
    assert run.steps["build", "m4"].state is StepState.RUNNING
    failed = next(line for line in next((journal / "b").iterdir()).read_text().splitlines() if '"failed"' in line)
    assert "foo.c:1:2: error: no such thing" in failed


def test_a_finished_log_ends_its_run(log: Path, journal: Path, attach: Callable[..., Attachment]) -> None:
    """An imported log leaves nothing running."""
    log.write_text(DATED)
    attach().poll(0.0, over=True)
    run = newest(journal)
    assert run.state is BuildState.INTERRUPTED
    assert run.steps["build", "m4"].state is StepState.INTERRUPTED
    log.write_text(DATED.replace("2026-11-21 06:15:01Z STARTED m4\n", "").replace("FAILED", "COMPLETED"))


def test_a_copy_of_a_log_with_dates_ended_as_its_last_line_says(
    log: Path, journal: Path, attach: Callable[..., Attachment]
) -> None:
    """The time of the copying is not that of the build; where the last line has no date there is nothing better."""
    log.write_text("2026-11-21 06:00:00Z STARTED a\n2026-11-21 06:10:00Z COMPLETED a\n\n")
    attach().poll(0.0, over=True)
    run = newest(journal)
    assert run.start is not None
    assert run.end == run.start + 600


def test_a_log_without_dates_is_timed_as_it_is_watched(
    log: Path, journal: Path, attach: Callable[..., Attachment]
) -> None:
    """A step watched from start to end has its duration; one that was over before is done, its time not made up."""
    log.write_text("STARTED a\nCOMPLETED a\nSTARTED b\n")
    os.utime(log, (1e9, 1e9))
    attachment = attach()
    attachment.poll(0.0)
    with log.open("a") as file:
        file.write("COMPLETED b\n")
    os.utime(log, (1e9 + 60, 1e9 + 60))
    attachment.poll(0.0)
    run = newest(journal)
    assert (run.steps["build", "a"].state, run.steps["build", "a"].seconds) == (StepState.SUCCEEDED, None)
    assert (run.steps["build", "b"].state, run.steps["build", "b"].seconds) == (StepState.SUCCEEDED, 60.0)
    before = facts(run)
    assert attach().poll(0.0) == 0, "a new start of the exporter knows it all"
    assert facts(newest(journal)) == before


def test_a_log_begun_anew_is_another_run(log: Path, journal: Path, attach: Callable[..., Attachment]) -> None:
    """The run that the log held before is ended, and the new one starts with nothing."""
    log.write_text("2026-11-21 06:00:00Z STARTED a\n")
    attachment = attach()
    attachment.poll(0.0)
    log.unlink()
    log.write_text("2026-11-22 06:00:00Z STARTED b\n")
    attachment.poll(0.0)
    run = newest(journal)
    assert set(run.steps) == {("build", "b")}
    assert len(list((journal / "b").iterdir())) == 2


def test_own_patterns_name_phase_package_and_version(
    log: Path, journal: Path, attach: Callable[..., Attachment]
) -> None:
    """A tool's own words are read by three patterns; an end without a name is of the step begun last."""
    log.write_text("==> Making package: gcc 14.2.0 (core)\nok\n==> Finished making\n")
    patterns = {
        "started": r"^==> Making package: (?P<step>(?P<package>\S+)) (?P<version>\S+) \((?P<phase>\w+)\)",
        "completed": r"^==> Finished making",
    }
    attach(**patterns).poll(0.0, over=True)
    step = newest(journal).steps["core", "gcc"]
    assert step.state is StepState.SUCCEEDED
    log.write_text("==> Making package: zlib 1.3 (core)\n")
    attach(**patterns).poll(0.0)
    step = newest(journal).steps["core", "zlib"]
    assert (step.package, step.version, step.state) == ("zlib", "1.3", StepState.RUNNING)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("STARTED binutils", "binutils"),
        ("[12:00:01] STARTED: gcc pass 1", "gcc pass 1"),
        ("INFO build: STARTING step glibc", "glibc"),
        ("[ START ] m4", "m4"),
        ("1795241576.25: BEGIN sed", "sed"),
    ],
)
def test_the_words_are_found_where_loggers_put_them(
    log: Path, journal: Path, attach: Any, line: str, step: str
) -> None:
    """A level, a clock or brackets before the word change nothing."""
    log.write_text(f"{line}\n")
    attach().poll(0.0)
    assert [name for _, name in newest(journal).steps] == [step]


@pytest.mark.parametrize(
    "line", ["checking STARTED", "it was started gcc", "RESTARTED gcc", "x" * 5000 + " STARTED gcc"]
)
def test_other_lines_are_no_steps(log: Path, journal: Path, attach: Any, line: str) -> None:
    """Output that merely holds such a word starts nothing."""
    log.write_text(f"{line}\n")
    assert attach().poll(0.0) == 0


def test_it_is_recognised(log: Path, tmp_path: Path) -> None:
    """`--watch auto` knows such a log, and only such."""
    log.write_text(DATED)
    assert Log.recognises(log)
    log.write_text("gcc -c foo.c\n")
    assert not Log.recognises(log)
    assert not Log.recognises(tmp_path)


def test_a_log_that_is_not_there_is_reported(attach: Callable[..., Attachment]) -> None:
    """Its absence is one clear line, and it may appear later."""
    with pytest.raises(SourceError, match="No such file"):
        attach().poll(0.0)


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("2026-11-21 06:12:56Z x", 1795241576.0), ("[2026-11-21T06:12:56.250+00:00] x", 1795241576.25),
        ("2026-11-21 07:12:56,5 +01:00 x", 1795241576.5), ("1795241576.25 x", 1795241576.25),
        ("(1795241576) x", 1795241576.0), ("2026-13-21 06:12:56Z x", None), ("12:56 x", None), ("20261121 x", None),
    ],
)  # fmt: skip
def test_dates_are_read_in_their_forms(line: str, time: float | None) -> None:
    """A line's own date is preferred to the time it was seen at."""
    assert leading_date(line) == time


@settings(max_examples=50)
@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """A binary, truncated or hostile log raises nothing."""
    directory = tmp_path_factory.mktemp("hostile")
    log = directory / "x.log"
    log.write_bytes(data + b"\nSTARTED a\nCOMPLETED " + data)
    with closing(Attachment(Log(Settings(log, "b")), str(directory / "journal"))) as attachment:
        attachment.poll(0.0, over=True)
