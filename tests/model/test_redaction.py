"""Secrets of every usual form are masked before text is shown; what tools ordinarily print is not changed."""

from __future__ import annotations

import time

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
