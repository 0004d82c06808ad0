"""Progress that newer progress replaces may be left out before it is decoded, and nothing else ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from build_exporter.journal.coalesce import LEAST_BYTES, coalesce
from build_exporter.model.events import Event
from build_exporter.model.states import StepState
from build_exporter.monitor import Monitor

LINES = 3000


def progress(number: int, step: str = "gcc", **fields: object) -> bytes:
    """Return a line of progress as the shell hook writes it, the `number`th of `LINES`."""
    event = {"time": 1000.0 + number / 8, "event": "step_progress", "build": "b", "phase": "p", "step": step}
    more = {"ratio": number / LINES, "message": f"CC lib/{number:04}.o"}
    return msgspec.json.encode(event | more | fields) + b"\n"


def finished(time: float, status: str = "failed") -> bytes:
    """Return the line of the step's end."""
    event = {"time": time, "event": "step_finished", "build": "b", "phase": "p", "step": "gcc", "status": status}
    return msgspec.json.encode(event) + b"\n"


BLOCK = b"".join(map(progress, range(1, LINES + 1)))


def test_of_one_steps_progress_the_newest_is_left() -> None:
    """A block of 3,000 lines of one step is its last line."""
    assert len(BLOCK) > LEAST_BYTES
    assert coalesce(BLOCK) == (progress(LINES), LINES - 1)


@pytest.mark.parametrize("before", [1, 16, 40, 400, LINES])
def test_a_line_longer_than_all_before_it_is_kept(before: int) -> None:
    """A plan of 60 kB behind progress, however little or much of that, is there, and so is the newest progress."""
    lines = [progress(number) for number in range(1, before + 1)]
    plan = b'{"time":1500,"event":"note","build":"b","message":"' + b"x" * 65_000 + b'"}\n'
    left, out = coalesce(b"".join(lines) + plan)
    assert left.endswith(lines[-1] + plan)
    assert left.count(b"\n") + out == before + 1


def test_of_steps_side_by_side_the_newest_of_each_is_left() -> None:
    """Four steps' lines mixed are four lines in their order; of five, nothing is left out."""
    for steps in (4, 5):
        lines = [progress(number, f"step-{number % steps}") for number in range(1, LINES + 1)]
        left, out = coalesce(b"".join(lines))
        assert (left, out) == ((b"".join(lines[-4:]), LINES - 4) if steps == 4 else (b"".join(lines), 0))


@pytest.mark.parametrize("first", [200, 1500, 2800])
def test_of_steps_one_after_the_other_the_newest_of_each_is_left(first: int) -> None:
    """A step's progress, its end, the next one's start and progress, read at once, are four lines, or five."""
    turn = finished(1100.0, "succeeded") + progress(0, "glibc", event="step_started")
    before = [progress(number) for number in range(1, first + 1)]
    after = [progress(number, "glibc") for number in range(first + 1, LINES + 1)]
    left, out = coalesce(b"".join([*before, turn, *after]))
    assert left.startswith(before[-1] + turn)
    assert left.endswith(after[-1])
    assert (left.count(b"\n") + out, out >= LINES - 3) == (LINES + 2, True)


def test_braces_in_what_a_step_prints_are_only_words() -> None:
    """A step whose messages hold braces, each another number of them, is cut down to its newest line too."""
    lines = [progress(number, message="f() {" + "{}" * (number % 3)) for number in range(1, LINES + 1)]
    assert coalesce(b"".join(lines)) == (lines[-1], LINES - 1)


@pytest.mark.parametrize("begin", [b'{"time":', b'{"event":"step_finished","time":'])
def test_a_torn_line_does_not_hide_another_kind_of_line(begin: bytes) -> None:
    """A line that holds two pieces of progress does not make up for an end elsewhere in the block: that stays."""
    lines = [progress(number) for number in range(1, LINES + 1)]
    end = finished(1100.0)
    if not end.startswith(begin):
        end = begin + end[8:].replace(b',"event":"step_finished"', b"")
    lines[1000] = end
    cut = lines[1500].index(b',"message"')
    # twice the marker; where the end begins as no progress does, the torn line begins twice as well
    lines[1500] = lines[1500][:cut] + (lines[1501] if begin != b'{"time":' else lines[1501][lines[1501].index(b",") :])
    del lines[1501]
    left, out = coalesce(b"".join(lines))
    assert end in left
    assert left.count(b"\n") + out == LINES - 1


def test_a_block_of_many_steps_stays_as_it_is() -> None:
    """1,500 steps with two lines each, one after the other: all of them are left."""
    data = b"".join(progress(number, f"step-{number // 2}") for number in range(LINES))
    assert coalesce(data) == (data, 0)


def test_the_newest_words_and_warnings_are_kept_where_later_lines_have_none() -> None:
    """Words in line 300 and warnings in line 600 alone: these two lines stay beside the last one."""
    plain = [progress(number, message=None).replace(b',"message":null', b"") for number in range(1, LINES + 1)]
    plain[299] = progress(300)
    plain[599] = progress(600, warnings=3).replace(b'"message"', b'"words"')
    assert coalesce(b"".join(plain)) == (plain[299] + plain[599] + plain[-1], LINES - 3)


@pytest.mark.parametrize(
    "line",
    [
        finished(1100.0),
        progress(2, "other", estimated=True),
        b'{"time":1000,"event":"note","build":"b","message":"x"}\n',
        b"{}\n",
        progress(3)[:-1] + progress(4),
        progress(3, message="\xff").replace("\xff".encode(), b"\xff"),
        progress(3, event="step_started"),
    ],
)
@pytest.mark.parametrize("place", [0, 5, LINES // 2, LINES - 5, LINES])
def test_no_other_line_is_ever_left_out(line: bytes, place: int) -> None:
    """Whatever stands among the progress, wherever, is there afterwards, between the lines it stood between."""
    lines = [progress(number) for number in range(1, LINES + 1)]
    before, after = b"".join(lines[:place]), b"".join(lines[place:])
    left, _ = coalesce(before + line + after)
    first, found, second = left.partition(line)
    assert found
    for part, whole in ((first, before), (second, after)):
        assert set(part.splitlines()) <= set(whole.splitlines())
        assert part.splitlines()[-1:] == whole.splitlines()[-1:]


@pytest.mark.parametrize("place", [0, 5, LINES // 2, LINES])
def test_progress_of_another_build_is_left_to_be_refused(place: int) -> None:
    """A line that names another build than its file is decoded, so that it is counted as rejected."""
    lines = [progress(number) for number in range(1, LINES + 1)]
    lines.insert(place, progress(3, build="other"))
    assert progress(3, build="other") in coalesce(b"".join(lines))[0]


def test_small_blocks_and_torn_ones_stay_as_they_are() -> None:
    """Below the bound, and without its last newline, a block is decoded line by line."""
    few = BLOCK[: BLOCK.index(b"\n", LEAST_BYTES - 400) + 1]
    for data in (b"", few[: few.rindex(b"\n", 0, LEAST_BYTES - 1) + 1], BLOCK[:-1]):
        assert coalesce(data) == (data, 0)


def test_a_burst_ends_in_the_same_state_and_counts_every_line(tmp_path: Path) -> None:
    """3,000 lines of progress and a failure, read at once: state and counts are those of reading line by line."""
    path = tmp_path / "b" / "20260101T000000Z.jsonl"
    path.parent.mkdir()
    start = {"time": 999.0, "event": "step_started", "build": "b", "phase": "p", "step": "gcc"}
    path.write_bytes(msgspec.json.encode(start) + b"\n" + BLOCK + finished(2000.0))
    seen = []
    for coalescing in (False, True):
        monitor = Monitor(str(tmp_path), clock=lambda: 2000.0)
        monitor.decoder.coalescing = coalescing
        applied: list[Event] = []
        monitor.listeners.append(lambda _build, _run, events, _live: applied.extend(events))  # noqa: B023 - used at once
        assert monitor.poll() == LINES + 2
        step = monitor.newest_runs()[0].steps["p", "gcc"]
        assert (step.state, step.ratio, step.seconds) == (StepState.FAILED, 0.999, 1001.0)
        seen.append((monitor.events_by_name(), len(applied) < LINES))
        monitor.follower.close()
    counts = {"step_started": 1, "step_progress": LINES, "step_finished": 1}
    assert seen == [(counts, False), (counts, True)]
