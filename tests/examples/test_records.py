"""The recorded builds: real journals, whole, and free of the machine that they were made on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from build_exporter.model.events import BuildFinished, Event, Plan, StepFinished, StepStarted

EventsOf = Callable[[Path], list[Event]]

ABSOLUTE_PATH = re.compile(r"(?<![\w.+/$)}*~-])/(work|tmp|home|root|var|opt|Users)(?=/)")
MAX_RECORD_BYTES = 400_000


def log_of(record: Path, started: StepStarted) -> Path:
    """Return where the record keeps the log that the journal names."""
    assert started.log is not None
    return record / "logs" / started.log.partition("/logs/")[2]


def attempts(events: list[Event]) -> list[tuple[StepStarted, StepFinished]]:
    """Return each attempt's start and end; raises where one has only one of them."""
    started = [event for event in events if isinstance(event, StepStarted)]
    finished = [event for event in events if isinstance(event, StepFinished)]
    return list(zip(started, finished, strict=True))


def test_record_is_a_whole_build_in_order(record: Path, events_of: EventsOf) -> None:
    """Every line is an event of this build, times never go back, and the last event is the success."""
    events = events_of(record)
    assert {event.build for event in events} == {record.name}
    times = [event.time for event in events]
    assert times == sorted(times)
    last = events[-1]
    assert isinstance(last, BuildFinished)
    assert last.status == "succeeded"


def test_every_planned_step_succeeded_in_the_order_planned(record: Path, events_of: EventsOf) -> None:
    """Cross binutils and at least twelve temporary tools are there, each with package, version, weight and an end."""
    events = events_of(record)
    plan = next(event for event in events if isinstance(event, Plan))
    planned = [step.step for step in plan.steps]
    assert planned[0] == "501-binutils-pass1"
    assert sum(step.phase == "chapter-6" for step in plan.steps) >= 12
    assert all(step.sbu and step.package and step.version for step in plan.steps)
    succeeded = [end.step for start, end in attempts(events) if end.status == "succeeded"]
    assert succeeded == planned


def test_attempts_follow_each_other(record: Path, events_of: EventsOf) -> None:
    """A step ends before the next begins, and took longer than nothing: real work lies between."""
    previous_end = 0.0
    for start, end in attempts(events_of(record)):
        assert (start.phase, start.step) == (end.phase, end.step)
        assert previous_end <= start.time
        assert end.time - start.time > 1
        previous_end = end.time


def test_every_attempts_log_is_kept_and_trimmed(record: Path, events_of: EventsOf) -> None:
    """The journal's log paths lead into the record: an attempt's own file, first 15 and last 25 lines."""
    logs = [log_of(record, start) for start, _ in attempts(events_of(record))]
    assert len(set(logs)) == len(logs)
    for log in logs:
        lines = log.read_text().splitlines()
        assert 2 <= len(lines) <= 41, log
        assert len(lines) < 41 or re.fullmatch(r"\[… \d+ lines left out …\]", lines[15])
    assert {path for path in (record / "logs").rglob("*") if path.is_file()} == set(logs)


def test_undisturbed_record_has_one_attempt_a_step(repository: Path, events_of: EventsOf) -> None:
    """The plain record is what an estimate may be measured on: nothing failed, nothing was repeated."""
    events = events_of(repository / "examples/recorded/mini-lfs")
    assert {end.status for _, end in attempts(events)} == {"succeeded"}
    assert Counter(type(event) for event in events)[BuildFinished] == 1


def test_resumed_record_holds_two_real_failures_and_their_second_attempts(resumed: Path, events_of: EventsOf) -> None:
    """Configure refused root, then the disk was full; each log says so, and the same step later succeeded."""
    reasons = {}
    statuses: dict[str, list[str]] = {}
    for start, end in attempts(events_of(resumed)):
        statuses.setdefault(end.step, []).append(end.status)
        if end.status == "failed":
            reasons[end.step] = log_of(resumed, start).read_text()
            assert end.exit_code
    assert all(statuses[step] == ["failed", "succeeded"] for step in reasons)
    root, disk = reasons.values()
    assert "you should not run configure as root" in root
    assert "No space left on device" in disk
    ends = [event.status for event in events_of(resumed) if isinstance(event, BuildFinished)]
    assert ends == ["failed", "failed", "succeeded"]


def test_record_names_no_path_of_the_recording_machine(record: Path) -> None:
    """What is published says /mnt/lfs for the build and nothing about where it really ran."""
    for path in record.rglob("*"):
        if path.is_file():
            found = ABSOLUTE_PATH.search(path.read_text())
            assert found is None, f"{path}: {found}"


def test_record_stays_small(record: Path) -> None:
    """A record is to be read and cloned by everyone: below 400 kB."""
    assert sum(path.stat().st_size for path in record.rglob("*") if path.is_file()) < MAX_RECORD_BYTES


def test_record_shows_how_it_was_made(record: Path) -> None:
    """Machine and commands are beside the numbers, without which the numbers mean nothing."""
    machine = (record / "machine.txt").read_text()
    assert all(f"{fact}: " in machine for fact in ("cpu", "cores", "memory", "system", "gcc", "ld", "make"))
    assert "examples/mini-lfs/build" in (record / "README.md").read_text()
