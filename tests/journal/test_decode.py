"""Lines to events: each way a line can be wrong, and what is forgiven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from build_exporter.journal.decode import MOST_EXPECTED_BYTES, Decoder, Reason
from build_exporter.model import events as e
from build_exporter.model.names import FUTURE_TOLERANCE_SECONDS, MAX_NAME_LENGTH

NOW = 1.8e9
GOOD = b'{"time":1000,"event":"note","build":"lfs","message":"m"}'
STEP = b'{"time":1000,"event":"step_finished","build":"lfs","phase":"p","step":"s","status":"failed"'


def changed(old: bytes, new: bytes) -> bytes:
    """Return the good line with a part of it changed."""
    assert old in GOOD
    return GOOD.replace(old, new)


BAD: dict[str, tuple[Reason, bytes]] = {
    "text": (Reason.NOT_JSON, b"make: *** [Makefile:12: all] Error 2"),
    "torn": (Reason.NOT_JSON, GOOD[:-9]),
    "NUL bytes of a crashed file system": (Reason.NOT_JSON, b"\0" * 512),
    "NaN": (Reason.NOT_JSON, changed(b"1000", b"NaN")),
    "Infinity": (Reason.NOT_JSON, changed(b"1000", b"Infinity")),
    "lone high surrogate": (Reason.NOT_JSON, changed(b'"m"', b'"\\ud800"')),
    "lone low surrogate": (Reason.NOT_JSON, changed(b'"m"', b'"x\\udc00x"')),
    "raw control character": (Reason.NOT_JSON, changed(b'"m"', b'"a\x01b"')),
    "nested too deep": (Reason.NOT_JSON, changed(b'"m"', b'"m","x":' + b"[" * 20_000 + b"]" * 20_000)),
    "not UTF-8": (Reason.NOT_UTF8, changed(b'"m"', b'"\xff"')),
    "a surrogate as bytes": (Reason.NOT_UTF8, changed(b'"m"', b'"\xed\xa0\x80"')),
    "not UTF-8 where nobody looks": (Reason.NOT_UTF8, changed(b'"m"', b'"m","x":"\xff"')),
    "not UTF-8 in a key": (Reason.NOT_UTF8, changed(b'"m"', b'"m","\xff":1')),
    "array": (Reason.NOT_AN_OBJECT, b"[1,2]"),
    "number": (Reason.NOT_AN_OBJECT, b"5"),
    "null": (Reason.NOT_AN_OBJECT, b"null"),
    "string": (Reason.NOT_AN_OBJECT, b'"a"'),
    "empty object": (Reason.WRONG_FIELD, b"{}"),
    "no event": (Reason.WRONG_FIELD, b'{"time":1,"build":"lfs"}'),
    "event is a number": (Reason.WRONG_FIELD, b'{"time":1,"event":5,"build":"lfs"}'),
    "event is null": (Reason.WRONG_FIELD, b'{"time":1,"event":null,"build":"lfs"}'),
    "unknown event without a build": (Reason.WRONG_FIELD, b'{"time":1,"event":"coffee_made"}'),
    "no time": (Reason.WRONG_FIELD, changed(b'"time":1000,', b"")),
    "time is a string": (Reason.WRONG_FIELD, changed(b"1000", b'"1000"')),
    "time is true": (Reason.WRONG_FIELD, changed(b"1000", b"true")),
    "time before 1970": (Reason.WRONG_FIELD, changed(b"1000", b"-1")),
    "time beyond any float": (Reason.WRONG_FIELD, changed(b"1000", b"1e400")),
    "time beyond any date": (Reason.WRONG_FIELD, changed(b"1000", b"1e15")),
    "no build": (Reason.WRONG_FIELD, changed(b'"build":"lfs",', b"")),
    "build with a slash": (Reason.WRONG_FIELD, changed(b'"lfs"', b'"../lfs"')),
    "build with a newline": (Reason.WRONG_FIELD, changed(b'"lfs"', b'"lfs\\n"')),
    "build too long": (Reason.WRONG_FIELD, changed(b'"lfs"', b'"' + b"x" * 101 + b'"')),
    "message is a number": (Reason.WRONG_FIELD, changed(b'"m"', b"5")),
    "step without a name": (Reason.WRONG_FIELD, STEP.replace(b'"s"', b'""') + b"}"),
    "step name too long": (Reason.WRONG_FIELD, STEP.replace(b'"s"', b'"%s"' % (b"x" * (MAX_NAME_LENGTH + 1))) + b"}"),
    "status of none": (Reason.WRONG_FIELD, STEP.replace(b"failed", b"broken") + b"}"),
    "exit code beyond any": (Reason.WRONG_FIELD, STEP + b',"exit_code":123456789012345678901234567890}'),
    "negative size": (Reason.WRONG_FIELD, STEP + b',"max_rss_bytes":-1}'),
    "duration beyond any": (Reason.WRONG_FIELD, STEP + b',"seconds":1e19}'),
    "ratio above one": (
        Reason.WRONG_FIELD,
        b'{"time":1,"event":"step_progress","build":"lfs","phase":"p","step":"s","ratio":1.01}',
    ),
    "future": (Reason.FUTURE, changed(b"1000", b"%d" % (NOW + FUTURE_TOLERANCE_SECONDS + 1))),
    "another build": (Reason.WRONG_BUILD, changed(b'"lfs"', b'"blfs"')),
}
"""The fault of a line, the reason reported for it, and the line."""


@pytest.fixture
def decoder() -> Decoder:
    """A decoder whose clock stands still."""
    return Decoder(lambda: NOW)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_counted_by_its_reason_and_costs_only_itself(decoder: Decoder, kind: str) -> None:
    """Whatever is wrong with a line, those around it are taken, and the count says why it was not."""
    reason, line = BAD[kind]
    events = decoder.decode(GOOD + b"\n" + line + b"\n" + GOOD + b"\n", "lfs")
    assert [event.time for event in events] == [1000.0, 1000.0]
    assert dict(decoder.rejected) == {reason: 1}
    assert decoder.unknown_events == 0
    assert decoder.last_reject is not None
    assert decoder.last_reject[0] is reason
    assert len(decoder.last_reject[1]) <= 200


def test_an_event_glued_to_a_torn_line_is_taken(decoder: Decoder) -> None:
    """Wherever a writer was killed in its line, the next writer's line behind it is an event, and the rest counts."""
    for cut in range(1, len(GOOD)):
        lines = GOOD + b"\n" + GOOD[:cut] + STEP + b"}\n" + GOOD + b"\n"
        assert [type(event) for event in decoder.decode(lines, "lfs")] == [e.Note, e.StepFinished, e.Note]
        assert decoder.rejected.total() == cut
    before = decoder.rejected.total()
    assert len(decoder.decode(GOOD[:9] + GOOD[:30] + STEP + b"}\n", "lfs")) == 1, "two were killed"
    assert decoder.rejected.total() == before + 1
    assert len(decoder.decode(GOOD + STEP + b"}\n", "lfs")) == 2, "killed before the line's end"
    assert decoder.rejected.total() == before + 1
    assert len(decoder.decode(b"\0" * 7 + GOOD + b"\n", "lfs")) == 1, "bytes of a crashed file system"
    assert 60 < len(decoder.decode(GOOD * 80 + b"\n", "lfs")) <= 64, "no line takes long"
    assert decoder.rejected.total() == before + 3
    written = e.encode_line(e.Note(time=5.0, build="lfs", message='{"time":1,"event":"note","build":"lfs"}'))
    assert len(decoder.decode(written[:-3] + written, "lfs")) == 1, "text of a message begins no line"


def test_every_reason_but_length_has_a_line_here() -> None:
    """No reason is reported that no line can have."""
    assert {reason for reason, _ in BAD.values()} | {Reason.TOO_LONG} == set(Reason)


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        GOOD + b"\r",
        b"  \t" + GOOD + b"  ",
        changed(b'"m"', b'"m","colour":"blue","nested":{"a":[1,{"b":null}]}'),
        changed(b'"m"', b'"m","x":1e999,"y":' + b"9" * 5000),
        changed(b'"m"', b'"x","message":"m"'),
        changed(b'"m"', b'"m","level":null'),
        changed(b"1000", b"%d" % (NOW + FUTURE_TOLERANCE_SECONDS)),
        changed(b"1000", b"0"),
        changed(b"1000", b"1.7e3"),
    ],
    ids=["plain", "CRLF", "blanks", "unknown", "huge", "twice", "null", "time zone", "epoch", "exponent"],
)
def test_what_is_forgiven(decoder: Decoder, line: bytes) -> None:
    """Unknown fields with anything in them, other line ends, keys given twice: the event is taken."""
    events = decoder.decode(line + b"\n", "lfs")
    assert [type(event) for event in events] == [e.Note]
    assert not decoder.rejected
    assert getattr(events[0], "message") == "m"  # noqa: B009


def test_empty_lines_are_nothing(decoder: Decoder) -> None:
    """Empty lines, as a writer leaves after a torn line, are neither events nor errors."""
    assert len(decoder.decode(b"\n\n" + GOOD + b"\n  \n\r\n" + GOOD + b"\n", "lfs")) == 2
    assert not decoder.rejected


@pytest.mark.parametrize("text", ["é", "日本語", "😀", "\u2028", "\u0000", "\u001b[31m", "\uffff"])
def test_text_is_kept_as_reported(decoder: Decoder, note: Callable[..., bytes], text: str) -> None:
    """Any character there is comes through, raw or as an escape."""
    escaped = changed(b'"m"', b'"' + "".join(f"\\u{unit:04x}" for unit in _units(text)).encode() + b'"') + b"\n"
    raw = note(text) if text not in "\0\x1b[31m" else escaped
    for line in (escaped, raw):
        (event,) = decoder.decode(line, "lfs")
        assert getattr(event, "message") == text  # noqa: B009


def _units(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[place : place + 2]) for place in range(0, len(data), 2)]


def test_a_line_of_the_last_moment_is_taken_beside_one_after_it(decoder: Decoder) -> None:
    """The limit of what is ahead of the clock belongs to it."""
    data = b"".join(changed(b"1000", b"%d" % (NOW + FUTURE_TOLERANCE_SECONDS + ahead)) + b"\n" for ahead in (0, 1))
    assert [event.time for event in decoder.decode(data, "lfs")] == [NOW + FUTURE_TOLERANCE_SECONDS]
    assert decoder.earliest_future == NOW + FUTURE_TOLERANCE_SECONDS + 1


@pytest.mark.parametrize("raw", ["s\\u0007x", "s\\u001b[1mx", "s\x7fx"])
def test_names_have_no_control_characters(decoder: Decoder, raw: str) -> None:
    """Escaped or raw, what would steer a terminal is taken out of a step's name."""
    (event,) = decoder.decode(STEP.replace(b'"s"', f'"{raw}"'.encode()) + b"}\n", "lfs")
    assert getattr(event, "step") == "sx"  # noqa: B009


def test_an_unknown_event_is_counted_and_ignored(decoder: Decoder) -> None:
    """An event of a newer version is no error, so that old exporters read new journals."""
    data = b'{"time":1,"event":"coffee_made","build":"lfs","cups":2}\n' + GOOD + b"\n"
    assert len(decoder.decode(data, "lfs")) == 1
    assert decoder.unknown_events == 1
    assert not decoder.rejected


def test_lines_do_not_depend_on_their_neighbours(decoder: Decoder) -> None:
    """An object over several lines is bad, and two on one are taken, whether or not the lines beside them are good."""
    spread = GOOD.replace(b",", b",\n", 1)
    alone = Decoder(lambda: NOW)
    assert [len(alone.decode(data, "lfs")) for data in (GOOD + GOOD + b"\n", spread + b"\n")] == [2, 0]
    beside = decoder.decode(GOOD + GOOD + b"\n" + spread + b"\n" + GOOD + b"\n", "lfs")
    assert len(beside) == 3
    assert decoder.rejected == alone.rejected


def _examples() -> list[e.Event]:
    base: dict[str, Any] = {"time": 1000.5, "build": "lfs"}
    step: dict[str, Any] = {**base, "phase": "p", "step": "s"}
    planned = e.PlannedStep(phase="p", step="s", sbu=1.5, after=["q/r"])
    return [
        e.BuildStarted(**base, run="20260101T000000Z", jobs=4, deadline=2000.0),
        e.Plan(**base, steps=[planned], milestones=[e.PlannedMilestone(name="m", progress=0.5)]),
        e.StepStarted(**step, attempt=2, log="/l", pid=7),
        e.StepProgress(**step, ratio=0.5, message="half"),
        e.StepFinished(**step, status="failed", exit_code=-9, signal=9, error_class="out-of-memory", message="m"),
        e.TestsReported(**step, suite="check", passed=1, failed=0, expected_failed=2),
        e.MilestoneReached(**base, milestone="m"),
        e.BuildFinished(**base, status="interrupted"),
        e.Note(**base, message="m", level="info"),
        e.Feedback(**base, rating=5),
        e.EventsLost(**base, count=3),
        e.Alert(**base, name="BuildFailed", status="firing"),
        e.Acknowledged(**base, name="BuildFailed"),
        e.Escalated(**base, name="BuildFailed"),
        e.Toolchain(**base, target="x86_64-lfs", tools=[e.ToolVersion(tool="gcc", version="15", role="cross")]),
        e.SourcesVerified(**base, verified=3, missing=1, bad=[e.BadSource(file="gcc.tar.xz", state="missing")]),
    ]


def test_every_event_survives_its_line(decoder: Decoder) -> None:
    """Each type of event, written and read again, is the same."""
    examples = _examples()
    assert {type(event) for event in examples} == set(e.EVENT_TYPES)
    assert decoder.decode(b"".join(map(e.encode_line, examples)), "lfs") == examples


def _expected(decoder: Decoder, *messages: str) -> tuple[bytes, list[e.Event]]:
    """Return lines of notes and their events, which the decoder expects."""
    data = b"".join(GOOD.replace(b'"m"', msgspec.json.encode(message)) + b"\n" for message in messages)
    events = Decoder(lambda: NOW).decode(data, "lfs")
    decoder.expect(data, "lfs", events)
    return data, events


def test_what_was_decoded_before_it_was_written_is_not_decoded_again() -> None:
    """Two posted blocks, another writer's line after them: the events are the objects that were posted."""
    decoder = Decoder(lambda: NOW)
    (first, one), (second, two) = _expected(decoder, "a", "b"), _expected(decoder, "c")
    found = decoder.decode(first, "lfs")
    found += decoder.decode(second + changed(b'"m"', b'"d"') + b"\n", "lfs")
    assert [getattr(event, "message", "") for event in found] == ["a", "b", "c", "d"]
    assert all(event is before for event, before in zip(found, one + two, strict=False))
    # only what is read next is expected
    assert decoder.decode(first, "lfs")[0] is not one[0]


def test_what_is_never_read_is_not_kept() -> None:
    """Events posted to builds whose journal can't be written take a bounded memory; later ones are expected again."""
    decoder, kept = Decoder(lambda: NOW), 0
    blocks: dict[str, tuple[bytes, list[e.Event]]] = {}
    while sum(len(data) for data, _ in blocks.values()) < 2 * MOST_EXPECTED_BYTES:
        build = f"b{len(blocks)}"
        data = GOOD.replace(b'"lfs"', f'"{build}"'.encode()).replace(b'"m"', b'"' + b"m" * 10_000 + b'"') + b"\n"
        blocks[build] = (data, Decoder(lambda: NOW).decode(data, build))
        decoder.expect(data, build, blocks[build][1])
    for build, (data, events) in blocks.items():
        kept += len(data) if decoder.decode(data, build)[0] is events[0] else 0
    assert 0 < kept <= MOST_EXPECTED_BYTES
    first, before = _expected(decoder, "a")
    assert decoder.decode(first, "lfs")[0] is before[0]
