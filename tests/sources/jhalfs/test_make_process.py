"""Whether somebody still builds: concluded only from what a process table really shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.sources.make_process import Closed, MakeWatch, Presence, boot_time, last_activity

HOST = "pid:[4026531836]"
NOW = 2e9


class Table:
    """A process table in the form of /proc, with a directory to build in."""

    def __init__(self, place: Path, namespace: str = HOST, kind: str = "ext4") -> None:
        self.proc, self.tree = place / "proc", place / "jhalfs"
        self.tree.mkdir()
        (self.proc / "self/ns").mkdir(parents=True)
        (self.proc / "self/ns/pid").symlink_to(namespace)
        device = self.tree.stat().st_dev
        mount = f"27 1 {os.major(device)}:{os.minor(device)} / / rw,relatime - {kind} /dev/x rw\n"
        (self.proc / "self/mountinfo").write_text(mount)
        (self.proc / "stat").write_text(f"cpu 1 2 3\nbtime {int(NOW) - 86400}\nprocesses 4\n")
        self.add(1, "init", cwd=Path("/"))

    def add(
        self,
        pid: int,
        name: str,
        *,
        cwd: Path | None = None,
        parent: int = 1,
        state: str = "S",
        started: int = 5,
        words: tuple[str, ...] = (),
    ) -> None:
        """Plant a process; without `cwd` the kernel does not let it be seen."""
        place = self.proc / str(pid)
        place.mkdir(exist_ok=True)
        rest = " ".join(["0"] * 17)
        (place / "stat").write_text(f"{pid} ({name}) {state} {parent} {rest} {started} 0\n")
        (place / "cmdline").write_bytes(b"\0".join(word.encode() for word in (name, *words)) + b"\0")
        (place / "cwd").unlink(missing_ok=True)
        # following a link that leads to itself fails as one that may not be followed does
        (place / "cwd").symlink_to(cwd if cwd is not None else place / "cwd")

    def end(self, pid: int) -> None:
        """Take a process away."""
        for path in (self.proc / str(pid)).iterdir():
            path.unlink()
        (self.proc / str(pid)).rmdir()

    def watch(self) -> MakeWatch:
        """Watch the directory."""
        return MakeWatch(self.tree, self.proc)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Table]:
    """Plant process tables."""
    return lambda **options: Table(tmp_path, **options)


def test_make_in_the_directory_is_alive(table: Callable[..., Table], tmp_path: Path) -> None:
    """The make that works in this very directory counts, by whatever path, and none that works elsewhere."""
    planted = table()
    (tmp_path / "bound").symlink_to(planted.tree)
    planted.add(100, "make", cwd=tmp_path)
    watch = planted.watch()
    assert watch.poll(NOW) is Presence.ABSENT
    planted.add(200, "make", cwd=tmp_path / "bound", words=("CHROOT",))
    assert watch.poll(NOW + 5) is Presence.ALIVE
    assert watch.closed(NOW + 9999, NOW) is None


def test_make_that_was_seen_and_is_gone(table: Callable[..., Table]) -> None:
    """Once seen, its end is reported with the next poll: ended, another process of its number, or a zombie."""
    planted = table(namespace="pid:[4026532299]")
    planted.add(200, "make", cwd=planted.tree)
    watch = planted.watch()
    assert watch.poll(NOW) is Presence.ALIVE
    planted.add(200, "make", cwd=Path("/"), started=99)
    assert watch.poll(NOW + 1) is Presence.GONE
    assert watch.closed(NOW + 1, NOW) is Closed.GONE
    planted.add(201, "make", cwd=planted.tree)
    watch.forget()
    assert watch.poll(NOW + 2) is Presence.ALIVE
    planted.add(201, "make", cwd=planted.tree, state="Z")
    planted.add(202, "gmake", cwd=planted.tree)
    assert watch.poll(NOW + 3) is Presence.ALIVE
    planted.end(202)
    planted.end(201)
    assert watch.poll(NOW + 4) is Presence.GONE


@pytest.mark.parametrize(
    "options",
    [{"namespace": "pid:[4026532299]"}, {"kind": "nfs4"}],
    ids=["in a container", "on another machine's disk"],
)
def test_absence_where_not_everything_is_seen(table: Callable[..., Table], options: dict[str, str]) -> None:
    """From a container, or of a directory others may build in, no make seen means nothing; hours of silence do."""
    watch = table(**options).watch()
    assert watch.poll(NOW) is Presence.UNKNOWN
    assert watch.closed(NOW + 3 * 3600, NOW) is None
    assert watch.closed(NOW + 4 * 3600, NOW) is Closed.SILENT


def test_absence_where_a_make_can_not_be_seen_into(table: Callable[..., Table]) -> None:
    """A make of somebody else, whose directory may not be read, may be the one."""
    planted = table()
    planted.add(300, "make")
    watch = planted.watch()
    assert watch.poll(NOW) is Presence.UNKNOWN
    planted.end(300)
    assert watch.poll(NOW + 10) is Presence.ABSENT


def test_absence_needs_some_silence(table: Callable[..., Table]) -> None:
    """Where no make was ever seen, two minutes of silence end a build, not less."""
    watch = table().watch()
    watch.poll(NOW)
    assert watch.closed(NOW + 119, NOW) is None
    assert watch.closed(NOW + 121, NOW) is Closed.GONE


@pytest.mark.parametrize(("kind", "closed"), [("ext4", Closed.REBOOTED), ("nfs4", Closed.SILENT)])
def test_machine_started_anew_since(table: Callable[..., Table], kind: str, closed: Closed) -> None:
    """What was written last before the machine was started is over, unless others build on that disk as well."""
    assert table(namespace="pid:[1]", kind=kind).watch().closed(NOW, NOW - 2 * 86400) is closed


def test_a_look_into_the_new_system_is_no_build(table: Callable[..., Table]) -> None:
    """`make chroot` opens a shell in the new system; it builds nothing."""
    planted = table()
    planted.add(400, "make", cwd=planted.tree, words=("chroot",))
    assert planted.watch().poll(NOW) is Presence.ABSENT


def test_who_asks_for_a_password(table: Callable[..., Table]) -> None:
    """A sudo below the make that sleeps and has started nothing asks; one that works, or of somebody else, does not."""
    planted = table()
    planted.add(500, "make", cwd=planted.tree)
    planted.add(501, "bash", parent=500)
    planted.add(502, "sudo", parent=501)
    planted.add(600, "sudo", parent=1)
    watch = planted.watch()
    watch.poll(NOW)
    assert watch.asking() == "sudo"
    planted.add(503, "make", parent=502)
    assert watch.asking() is None
    planted.end(503)
    planted.add(502, "sudo", parent=501, state="R")
    assert watch.asking() is None


def test_names_with_parentheses_and_spaces(table: Callable[..., Table]) -> None:
    """A process may call itself anything; its row is still read right."""
    planted = table()
    planted.add(700, ") R 1 (make", cwd=planted.tree)
    assert planted.watch().poll(NOW) is Presence.ABSENT
    planted.add(701, "make", cwd=planted.tree)
    assert planted.watch().poll(NOW) is Presence.ALIVE


def test_own_process_table() -> None:
    """This machine's own table can be read, and it was started before now."""
    assert MakeWatch(Path("/")).poll(time.time()) in set(Presence)
    booted = boot_time()
    assert booted is not None
    assert 0 < booted < time.time()


def test_last_activity_is_not_fooled_by_times_set_back(tmp_path: Path) -> None:
    """A file written now whose time was set to long ago is still a sign of life; without a file there is none."""
    path = tmp_path / "log"
    path.touch()
    os.utime(path, (1e9, 1e9))
    assert last_activity([path, tmp_path / "none"]) == pytest.approx(time.time(), abs=60)
    assert last_activity([tmp_path / "none"]) is None
