"""What a source shows reaches the journal, also when that can't be written for a while."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from build_exporter.journal.layout import runs
from build_exporter.sources.attach import Attachment
from build_exporter.sources.log import Log
from build_exporter.sources.protocol import Settings


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a file system does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_a_full_disk_kept_out_is_reported_when_there_is_room(tmp_path: Path) -> None:
    """A night with a full disk costs no step: what happened meanwhile is in the journal once there is room again."""
    record = tmp_path / "some.log"
    attachment = Attachment(Log(Settings(record, "mine")), str(tmp_path / "journal"))

    minutes = count()

    def say(*words: str) -> None:
        with record.open("a") as file:
            file.writelines(f"2026-11-21 06:{next(minutes):02}:00Z {word}\n" for word in words)

    say("STARTED a", "COMPLETED a", "STARTED b")
    attachment.poll(time.time())
    (name,) = runs(str(tmp_path / "journal"), "mine")
    journal = tmp_path / "journal" / "mine" / f"{name}.jsonl"
    before = journal.read_text()
    say("COMPLETED b", "STARTED c", "COMPLETED c")
    with full_disk(len(before) + 20):
        for _ in range(3):
            with pytest.raises(OSError, match=r"File too large|only part"):
                attachment.poll(time.time())
    say("STARTED d")
    attachment.poll(time.time())
    attachment.close()
    late = Attachment(Log(Settings(record, "mine")), str(tmp_path / "other"))
    late.poll(time.time())
    late.close()
    wanted = (tmp_path / "other" / "mine" / journal.name).read_text().splitlines()
    assert [line for line in journal.read_text().splitlines() if line in wanted] == wanted
