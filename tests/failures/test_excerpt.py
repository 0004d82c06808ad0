"""What is shown of a failure's message: short, plain, without secrets, and quickly made."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_exporter.failures import EXCERPT_LENGTH, excerpt
from build_exporter.model.text import plain, plain_line

TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(), st.text(alphabet="\x1b[]0;m\x07\\ABJ \x9b\x90"))
def test_no_control_character_gets_through(text: str, escapes: str) -> None:
    """Whatever a log holds, what is shown can neither steer a terminal nor turn the text after it round."""
    for mixed in (text, escapes, escapes + text + escapes, escapes.join(text[:20])):
        for shown in (excerpt(mixed), plain(mixed), plain_line(mixed)):
            assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\t\n"]
            assert not set(shown) & set(TURNING)
        assert len(excerpt(mixed)) <= EXCERPT_LENGTH
        assert "\n" not in plain_line(mixed)


@pytest.mark.parametrize(
    ("reported", "shown"),
    [
        ("\x1b[1;31merror:\x1b[0m boom", "error: boom"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("progress 1%\rprogress 2%", "progress 1%progress 2%"),
        ("\x1b[", "["),
        ("naïve 日本語 😀", "naïve 日本語 😀"),
        ("", ""),
    ],
)
def test_text_is_left_and_colours_are_not(reported: str, shown: str) -> None:
    """Colours, titles and links of a terminal go, words of any script stay."""
    assert plain(reported) == shown


def test_a_secret_is_masked_before_the_cut() -> None:
    """A password at the very edge of what is shown is not half shown."""
    for length in range(EXCERPT_LENGTH - 30, EXCERPT_LENGTH):
        assert "hunter" not in excerpt("x" * length + " password=hunter2hunter2")


def test_a_long_message_ends_with_an_ellipsis() -> None:
    """What was cut says so."""
    assert excerpt("x" * 301) == "x" * 299 + "…"
    assert excerpt("x" * 300) == "x" * 300
    assert excerpt(None) == excerpt("  \n ") == ""


@pytest.mark.parametrize(
    "piece", ["a-", "a.", "a+b.", "a_", "password-", "token='", "\x1b]x", "\x1b[", "authorization ", "://", "u:"]
)
def test_no_log_takes_long(piece: str) -> None:
    """A message made to be slow to clean takes a few milliseconds: a page shows many."""
    reported = piece * (16384 // len(piece))
    began = time.process_time()
    for _ in range(10):
        excerpt(reported)
    assert time.process_time() - began < 1
