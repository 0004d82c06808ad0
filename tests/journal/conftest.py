"""Lines for the journal's tests, and a folder that a follower reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build_exporter.journal.decode import Decoder
from build_exporter.journal.follow import Batch, Follower
from build_exporter.model.events import Event

NOW = 1.8e9


def note_line(message: str = "m", *, time: float = 1000.0, build: str = "lfs", **fields: object) -> bytes:
    """Return one note as a journal line, newline included; text as UTF-8, not as escapes."""
    reported = {"time": time, "event": "note", "build": build, "message": message, **fields}
    return json.dumps(reported, ensure_ascii=False).encode() + b"\n"


class Followed:
    """A follower and everything it has emitted."""

    def __init__(self, root: Path) -> None:
        self.follower = Follower(str(root), Decoder(lambda: NOW))

    def poll(self) -> list[Batch]:
        """Return what is new, without the looks that found nothing."""
        return [batch for batch in self.follower.poll() if batch.events or batch.from_start]

    def messages(self) -> list[str]:
        """Return the messages of the new notes."""
        return [message(event) for batch in self.poll() for event in batch.events]


def message(event: Event) -> str:
    """Return a note's message."""
    return str(getattr(event, "message"))  # noqa: B009 - only notes have one


@pytest.fixture
def note() -> Callable[..., bytes]:
    """Make a journal line."""
    return note_line


@pytest.fixture
def follow(journal: Path) -> Iterator[Callable[..., Followed]]:
    """Start followers of the journal; they are closed with the test."""
    started: list[Followed] = []

    def start(root: Path = journal) -> Followed:
        started.append(Followed(root))
        return started[-1]

    yield start
    for followed in started:
        followed.follower.close()
