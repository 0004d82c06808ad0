"""Secrets of every usual form are masked before text is shown; what tools ordinarily print is not changed."""

from __future__ import annotations

import time
from unicodedata import normalize

import pytest
from secret_forms import KNOWN_TOKENS, ORDINARY, SECRET_FORMS, VALUE

from build_exporter.model.redaction import redact


@pytest.mark.parametrize("form", SECRET_FORMS)
def test_a_secret_is_masked(form: str) -> None:
    """A password, token or key does not leave the exporter, however a command or a configuration writes it."""
    shown = redact(form.replace("VALUE", VALUE))
    assert VALUE not in shown
    assert "***" in shown


@pytest.mark.parametrize("token", KNOWN_TOKENS)
def test_a_token_is_known_by_its_form(token: str) -> None:
    """A token of a well-known service is masked wherever it stands, without a name beside it."""
    assert redact(f"error: {token} was refused") == "error: *** was refused" or "***" in redact(token)
    assert token not in redact(f"error: {token} was refused")


def test_a_private_key_is_masked_whole() -> None:
    """All lines of a private key go, those of a public one stay, and so does the text around."""
    block = "before\n-----BEGIN {} KEY-----\nMIIB\nabcd\n-----END {} KEY-----\nafter"
    shown = redact(block.format("RSA PRIVATE", "RSA PRIVATE"))
    assert shown == "before\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nafter"
    public = block.format("PUBLIC", "PUBLIC")
    assert redact(public) == public


HIDDEN = ("\u200b", "\u00ad", "\u2060", "\ufeff", "\u200d", "\ufe0f", "\U000e0061")
"""What a terminal or a page draws nothing for."""


@pytest.mark.parametrize("form", [form for form in SECRET_FORMS if "\n" not in form])
def test_a_disguised_secret_is_masked(form: str) -> None:
    """Characters without width, or full-width letters, in a secret or its name hide it from no rule."""
    plain = form.replace("VALUE", VALUE)
    if redact(plain) == plain:
        return
    for unseen in HIDDEN:
        for place in range(1, len(plain)):
            shown = redact(plain[:place] + unseen + plain[place:])
            assert VALUE not in shown.replace(unseen, ""), (unseen, place)
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in plain)
    assert VALUE not in normalize("NFKC", redact(wide))


def test_a_token_cut_by_an_unseen_character_is_masked_whole() -> None:
    """No part of a token is left that a rule would take for the text after it."""
    for token in KNOWN_TOKENS:
        half = len(token) * 2 // 3
        assert redact(f"use {token[:half]}\u200b{token[half:]} now") == redact(f"use {token} now")


@pytest.mark.parametrize(
    "text", ["soft\u00adhyphens, \u2018quotes\u2019 \u2014 and \uff21\uff22\uff23", "\u00b5s \u2126 \u2460"]
)
def test_text_in_other_scripts_stays(text: str) -> None:
    """Without a secret nothing is taken out of a text, whatever it is written with."""
    assert redact(text) == text


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_text_stays(line: str) -> None:
    """What compilers, tests and shells print about tokens, keys and passwords is shown as it is."""
    assert redact(line) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("git clone https://me:hunter2@host/x", "git clone https://***@host/x"),
        ("...ftp://u:p@h, git+ssh://u:p@h", "...ftp://***@h, git+ssh://***@h"),
        ("PASSWORD=hunter2 make", "PASSWORD=*** make"),
        ("my_secret_access_key: 'two words' rest", "my_secret_access_key: *** rest"),
        ('api-key = "a long one" rest', "api-key = *** rest"),
        ("authorization: basic dXNlcg==", "authorization: basic ***"),
        ("https://user:p@ss/w@host/path", "https://***@host/path"),
        ("login=me password=hunter2 host=h", "login=me password=*** host=h"),
        ("test_login[password=hunter2] FAILED", "test_login[password=***] FAILED"),
        ("a[password=x[1]]", "a[password=***]"),
        ("openssl rsa -passin 'pass:1234' -passout pass:12", "openssl rsa -passin 'pass:***' -passout pass:***"),
        ("unlocked by pass:12ab", "unlocked by pass:***"),
    ],
)
def test_only_the_secret_is_masked(text: str, shown: str) -> None:
    """Host, name and the rest of the line stay readable beside a masked secret."""
    assert redact(text) == shown


HOSTILE = (
    "a-",
    "a.",
    "password-",
    "token='",
    "password=",
    "authorization",
    "://",
    "https://a:",
    "://a:@",
    "Bearer",
    "mysql",
)
MORE_HOSTILE = ("eyJ", "machine", "--a-token", "'password'", "cookie:a=", "-----BEGIN PRIVATE KEY-----", "x-token:")


@pytest.mark.parametrize("piece", [piece + end for piece in HOSTILE + MORE_HOSTILE for end in ("", " ")])
def test_cost_grows_with_the_length_only(piece: str) -> None:
    """Four times as much hostile text takes at most about four times as long to clean."""
    short = piece * (8192 // len(piece))
    taken = [min(_seconds(text) for _ in range(3)) for text in (short, short * 4)]
    assert taken[1] < 8 * taken[0] + 0.01


def _seconds(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began
