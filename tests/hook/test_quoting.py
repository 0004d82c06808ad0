"""Whatever bytes a build puts into names and messages, a line of the journal stays valid and says the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build_exporter.model.names import build_name_from, run_name

SPECIAL = [
    '"',
    "\\",
    "\n",
    "\t",
    "\x7f",
    "\x1b[31m",
    "é",
    "😀",
    "$(reboot)",
    "`id`",
    "%s",
    "'",
    "x" * 90,
    "]",
    "-",
    "!",
    "(",
    "=",
    "-n",
]
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60).map(str.encode),
    st.lists(st.sampled_from(SPECIAL), max_size=14).map(lambda pieces: "".join(pieces).encode()),
    st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"\1")),
    st.integers(190, 210).map(lambda length: b"n" * length),
    st.integers(490, 510).map(lambda length: b"m" * length + b"\\n" * 5 + b"m" * length),
)
BATCHES = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)
RELAXED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def recorded(data: bytes, characters: int, width: int) -> str:
    """Return what the hook promises to record of a text: a byte that is no UTF-8 as U+FFFD, cut at the limits."""
    text = ""
    while data and characters > 0:
        character, data = _first(data)
        width -= _width(character)
        if width < 0:
            break
        text, characters = text + character, characters - 1
    return text


def _first(data: bytes) -> tuple[str, bytes]:
    for size in (1, 2, 3, 4):
        try:
            return data[:size].decode(), data[size:]
        except UnicodeDecodeError:
            continue
    return "\ufffd", data[1:]


def _width(character: str) -> int:
    if character in '"\\\n':
        return 2
    return 6 if character < " " else len(character.encode())


def without_replacements(text: str) -> str:
    """Return a text without the characters that stand for what is no UTF-8: they are six bytes wide when written."""
    return text.replace("\ufffd", "")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_any_bytes_make_valid_lines_that_say_the_same(hook: Any, locale: str) -> None:
    """Names and messages of any bytes come back as they were, invalid UTF-8 replaced, in lines that all decode."""
    script = """. "$HOOK"; while [ $# -gt 0 ]; do
        be_step "$1" "$2" :; be_step_start "$1" "$2" --package "$3"; be_step_progress "$1" "$2" 1 "$3"; shift 3; done"""
    run = hook.journal / "b" / "20260101T000000Z.jsonl"
    run.parent.mkdir()

    @RELAXED
    @given(BATCHES)
    def check(batch: list[tuple[bytes, bytes, bytes]]) -> None:
        run.unlink(missing_ok=True)
        arguments = [argument for texts in batch for argument in texts]
        done = hook.run(script, *arguments, LC_ALL=locale, BUILD_EXPORTER_RUN_FILE=str(run))
        assert (done.stdout, done.stderr) == ("", "")
        events = hook.events()
        assert len(events) == 4 * len(batch)
        assert max(len(line) for line in run.read_bytes().splitlines()) < 4095
        for (phase, step, message), four in zip(batch, zip(*[iter(events)] * 4, strict=True), strict=True):
            for event in four:
                assert without_replacements(event["phase"]) == without_replacements(recorded(phase or b"-", 200, 1200))
                assert without_replacements(event["step"]) == without_replacements(recorded(step or b"-", 200, 1200))
            assert four[3]["message"].replace("\ufffd", "") == recorded(message, 1000, 1000).replace("\ufffd", "")
            assert four[2].get("package", "").replace("\ufffd", "") == recorded(message, 200, 200).replace("\ufffd", "")

    check()


def test_valid_text_is_kept_to_the_byte(hook: Any) -> None:
    """Two hundred characters of any script stand in the journal as they were typed."""
    name = "ünïcødé → 漢字 😀 \u2028 \x7f \ufffd " * 10
    hook.run('. "$HOOK"; be_start b; be_step p "$1" true', name)
    assert [e["step"] for e in hook.events() if "step" in e] == [name[:200]] * 2


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xc0\xaf", "\ufffd\ufffd"),  # overlong
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # a surrogate
        (b"\xf4\x90\x80\x80", "\ufffd" * 4),  # beyond U+10FFFF
        (b"\xf0\x8f\xbf\xbf", "\ufffd" * 4),  # overlong
        (b"\xe0\x9f\xbf\xe0\xa0\x80", "\ufffd\ufffd\ufffd\u0800"),  # overlong, and the first that is not
        (b"\xe2\x82", "\ufffd\ufffd"),  # cut off
        (b"\xe2\x82\xac\xe2A", "€\ufffdA"),
        (b"caf\xe9", "caf\ufffd"),  # Latin-1
        (b"\xee\x80\x80\xf4\x8f\xbf\xbf", "\ue000\U0010ffff"),
    ],
)
def test_what_is_not_utf8_is_replaced(hook: Any, data: bytes, text: str) -> None:
    """Bytes that strict decoders refuse do not get into the journal."""
    hook.run('. "$HOOK"; be_start b; be_note "$1"', data)
    assert hook.events()[-1]["message"] == text


def test_long_texts_are_cut(hook: Any) -> None:
    """A megabyte of compiler output as a message is cut and costs no noticeable time."""
    hook.run(
        '. "$HOOK"; be_start b; m=$(cat); be_note "$m"; be_note "\\"$m"'.replace(
            "$(cat)", "$(head -c 1000000 /dev/zero | tr '\\0' m)"
        )
    )
    assert [e["message"] for e in hook.events()[1:]] == ["m" * 1000, '"' + "m" * 998]


def test_build_names_are_those_the_exporter_makes(hook: Any) -> None:
    """Any text given as a build's name becomes the same directory that the exporter's other writers choose."""
    script = '. "$HOOK"; for t; do _be_file_name "$t" build; printf "%s\\n" "$_be_named"; done'

    @RELAXED
    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=130), min_size=1))
    def check(texts: list[str]) -> None:
        done = hook.run(script, *[text.encode() for text in texts])
        assert done.stdout.splitlines() == [build_name_from(text) for text in texts]

    check()


def test_run_names_are_utc_dates(hook: Any) -> None:
    """The name of a run shows its start in UTC for every day the clock may show."""

    @RELAXED
    @given(st.lists(st.integers(0, 4_102_444_800), min_size=20))
    def check(times: list[int]) -> None:
        script = '. "$HOOK"; for t; do _be_run_name "$t"; printf "%s\\n" "$_be_run"; done'
        done = hook.run(script, *map(str, times))
        assert done.stdout.splitlines() == [run_name(time) for time in times]

    check()


@pytest.mark.parametrize(
    ("ratio", "number"),
    [
        (".33333333333333333333", 0.333333333), ("0", 0.0), ("1", 1.0),
        ("0.5", 0.5), (".25", 0.25), ("0,5", 0.5), ("1.0", 1.0), ("00.5", 0.5), ("7", 1.0),
        ("", None), ("half", None), ("-1", None), ("0.5.5", None), ("1e3", None), (".", None), ("0.", None),
    ],
)  # fmt: skip
def test_ratio(hook: Any, ratio: str, number: float | None) -> None:
    """A ratio that is a number in any usual spelling is recorded; anything else is left out and breaks nothing."""
    hook.run('. "$HOOK"; be_start b; be_step_progress p s "$1" message', ratio)
    assert hook.events()[-1].get("ratio") == number
