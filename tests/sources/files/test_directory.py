"""Directories of others: what is new, and what looking costs while nothing is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from build_exporter.sources.files import GRAIN_NS, Directory, read_ends


def test_new_names_are_reported_once(tmp_path: Path) -> None:
    """Each name is reported at the first poll after it came; one that went and came back is reported again."""
    directory = Directory(tmp_path)
    (tmp_path / "a").touch()
    assert directory.poll() == {"a"}
    (tmp_path / "b").touch()
    assert directory.poll() == {"b"}
    assert directory.poll() == set()
    (tmp_path / "a").unlink()
    directory.poll()
    (tmp_path / "a").touch()
    assert directory.poll() == {"a"}
    assert directory.names == {"a", "b"}


def test_names_that_came_within_a_tick_are_not_missed(tmp_path: Path) -> None:
    """A name that came after a poll, within the same tick of the directory's time stamp, is found by the next."""
    directory = Directory(tmp_path)
    (tmp_path / "a").touch()
    stamp = tmp_path.stat().st_mtime_ns
    directory.poll()
    (tmp_path / "b").touch()
    os.utime(tmp_path, ns=(stamp, stamp))
    assert directory.poll() == {"b"}


def test_unchanged_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that has not changed for a while is not listed again, however often it is checked."""
    directory = Directory(tmp_path)
    past = time.time_ns() - 10 * GRAIN_NS
    os.utime(tmp_path, ns=(past, past))
    directory.poll()
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail(f"listed {path}"))
    for _ in range(10):
        assert directory.poll() == set()


def test_vanished_and_back(tmp_path: Path) -> None:
    """A directory that goes away is an error until it is back; then only what is new in it is reported."""
    path = tmp_path / "logs"
    path.mkdir()
    (path / "a").touch()
    directory = Directory(path)
    directory.poll()
    path.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        directory.poll()
    (tmp_path / "away").rename(path)
    (path / "b").touch()
    assert directory.poll() == {"b"}


def test_ends_of_a_long_file(tmp_path: Path) -> None:
    """Beginning and end of a huge file are had without what is between."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(b"first\n")
        file.truncate(2_000_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b"last\n")
    ends = read_ends(path, 6, 5)
    assert (ends.head, ends.tail, ends.size) == ("first\n", "last\n", 2_000_000_005)


def test_ends_of_a_short_file_overlap(tmp_path: Path) -> None:
    """A file shorter than what is asked for is its own beginning and end."""
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    ends = read_ends(path, 100, 4)
    assert (ends.head, ends.tail, ends.changed) == ("0123456789", "6789", 1_700_000_000.123)
