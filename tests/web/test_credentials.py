"""Who may do what, how guesses are put off, and what a token is: both sides of each limit, with a clock set by hand."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bcrypt
import pytest

from build_exporter.collectors.exporter import WebCounts
from build_exporter.web import passwords as module
from build_exporter.web.auth import Guard, roles_for
from build_exporter.web.messages import Request, Response
from build_exporter.web.origin import host_of
from build_exporter.web.passwords import REMEMBERED, BusyError, Passwords
from build_exporter.web.webconfig import TokenError, WebConfigFile, token_digest

HASH, OTHER = (bcrypt.hashpw(word, bcrypt.gensalt(4)).decode() for word in (b"right", b"other"))


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "/metrics", "operate read"), ("HEAD", "/", "operate read"), ("OPTIONS", "/-/reload", "operate read"),
        ("POST", "/mcp", "operate read"), ("POST", "/api/v1/events", "ingest"), ("PUT", "/api/v1/events", "ingest"),
        ("POST", "/api/v1/alerts", "ingest operate"),
        ("POST", "/-/reload", "operate"), ("DELETE", "/metrics", "operate"), ("POST", "/api/v1/events/", "operate"),
    ],
)  # fmt: skip
def test_each_request_has_its_roles(method: str, path: str, roles: str) -> None:
    """Reading and posting queries for readers, events for who brings them, all that changes something for operators."""
    assert sorted(roles_for(Request(method, path.encode()), reads_by_post="/mcp")) == roles.split()


@pytest.mark.parametrize(
    ("header", "host"),
    [
        (b"[::1]", "::1"), (b"[FE80::1]:10110", "fe80::1"), (b"[::1", "::1"), (b"A.example.:443", "a.example"),
        (b" localhost ", "localhost"), (b"a.:", "a"), (b"", ""), (b"[]:1", ""), (b"\xc4:1", "\xe4"),
    ],
)  # fmt: skip
def test_the_host_that_is_asked_for(header: bytes, host: str) -> None:
    """Without port, brackets of an address or a last dot, in small letters, whatever bytes there are."""
    assert host_of(header) == host


class Door:
    """Passwords behind a clock that stands where it is put; `checks` counts the hashes computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.checks = 1000.0, 0
        monkeypatch.setattr(module, "LEAST_ANSWER_SECONDS", 0.0)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.passwords = Passwords()
        check = self.passwords._check

        def counted(*words: bytes) -> bool:
            self.checks += 1
            return check(*words)

        self.passwords._check = counted

    def ask(self, word: str, user: str = "alice", peer: str = "p", **users: str) -> bool | float:
        """Return whether a password is right, or after how many seconds to come again."""
        known = {"alice": HASH, **users}
        try:
            return asyncio.run(self.passwords.is_right(known, user, word.encode(), peer))
        except BusyError as busy:
            return busy.seconds


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """Passwords of nobody so far."""
    return Door(monkeypatch)


def test_guesses_are_put_off_longer_and_longer(door: Door) -> None:
    """Four tries are free; then one second, two, four, thirty at most; a right one begins it anew."""
    assert [door.ask(f"guess {number}") for number in range(5)] == [False] * 5
    for number, wait in enumerate((1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)):
        door.now += wait - 0.25
        assert door.ask("right") == 0.25, "not even the right one"
        door.now += 0.25
        if number < 6:
            assert door.ask(f"more {number}") is False
    assert door.ask("guess", peer="elsewhere") is False
    assert door.ask("right") is True
    assert [door.ask(f"again {number}") for number in range(5)] == [False] * 5, "begun anew"


def test_a_login_is_checked_once(door: Door) -> None:
    """Right and wrong ones are remembered, by name, password and hash; of wrong ones the newest 64."""
    assert [door.ask("right") for _ in range(3)] == [True] * 3
    assert [door.ask("wrong", peer=f"{number}") for number in range(3)] == [False] * 3
    assert door.checks == 2
    assert door.ask("right", alice=OTHER) is False, "the password was changed"
    assert door.ask("other", alice=OTHER) is True
    assert [door.ask("right", "nobody"), door.ask("right", "bob", bob=OTHER), door.ask("other")] == [False] * 3
    for number in range(REMEMBERED):
        door.ask(f"wrong {number}", peer=f"w{number}")
    door.checks = 0
    assert [door.ask("wrong", peer="new"), door.ask(f"wrong {REMEMBERED - 1}", peer="new")] == [False] * 2
    assert door.checks == 1
    assert door.ask("right") is True, "guesses drive out no good login"
    assert door.checks == 1
    door.passwords._make, door.passwords._nobody = lambda _: HASH.encode(), {}
    assert door.ask("right", "unknown") is False, "even were it that of the hash that takes an unknown user's time"


@pytest.mark.parametrize(
    ("token", "is_one"),
    [("a" * 16, True), ("  " + "a" * 16 + "\n", True), ("a" * 15, False), ("a" * 15 + " b", False), ("ä" * 16, False)],
)
def test_what_is_a_token(tmp_path: Path, token: str, is_one: bool) -> None:
    """One word of sixteen ASCII characters at least, whatever is around it."""
    (tmp_path / "token").write_text(token)
    (tmp_path / "web.yml").write_text("bearer_tokens:\n  - role: read\n    file: token\n")
    if not is_one:
        with pytest.raises(TokenError, match="one word of at least 16"):
            WebConfigFile(str(tmp_path / "web.yml"), WebCounts())
        return
    access: Any = WebConfigFile(str(tmp_path / "web.yml"), WebCounts()).current()
    assert (access.asks, dict(access.roles)) == (True, {token_digest(b"a" * 16): "read"})


def test_retry_after_is_rounded_up(door: Door, tmp_path: Path) -> None:
    """Retry-After is in whole seconds, and a quarter of one left is one: with 0 the next try would be refused again."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    guard = Guard(lambda request: Response(), WebConfigFile(str(file), WebCounts()), WebCounts())
    guard._passwords = door.passwords

    async def ask(word: str) -> Response:
        given = b"Basic " + b64encode(f"alice:{word}".encode())
        answer = guard(Request("GET", b"/metrics", headers=[(b"authorization", given)], peer="p"))
        return answer if isinstance(answer, Response) else await answer

    statuses = [asyncio.run(ask(f"guess {number}")).status for number in range(5)]
    door.now += 0.75
    refused = asyncio.run(ask("right"))
    assert (statuses, refused.status, refused.headers["retry-after"]) == ([401] * 5, 429, "1")
