"""Durations, resume lists, status files and build logs beside emerge.log: rows worked out by hand."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from build_exporter.sources.portage.build_log import find_build_log, read_failure
from build_exporter.sources.portage.history import History
from build_exporter.sources.portage.host_state import HostState
from build_exporter.sources.portage.lines import Entry, LineType
from build_exporter.sources.portage.paths import PortagePaths
from build_exporter.sources.portage.pending import MAX_BYTES, Pending, PendingFile, read_mtimedb, read_pretended
from build_exporter.sources.portage.plan import _is_of
from build_exporter.sources.portage.session import Merge, Session, is_renumbered
from build_exporter.sources.portage.status import StatusDirectory, figures, read_snapshot


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((), None), ((7,), 7), ((10, 20), 15), ((10, 20, 60), 30), ((900, 10, 20, 60), 30), ((10, -5, 20), 15)],
)
def test_a_merge_is_expected_to_take_what_the_newest_took(seconds: tuple[float, ...], expected: float | None) -> None:
    """Halfway between the mean of two and the median of three; by those before the emerge, of its kind alone."""
    history = History()
    for each in seconds:
        history.add("merge", "a/b", each)
    mark = history.mark
    history.add("merge", "a/b", 1e6)
    history.add("binary", "a/b", 2.0)
    assert history.expected("merge", "a/b", mark) == expected
    assert history.expected("binary", "a/b", mark + 2) == 2
    assert history.expected("merge", "a/c", mark) is None


@pytest.mark.parametrize(
    ("began", "number", "total", "anew"),
    [(0.0, 1, 4, True), (0.0, 1, 5, False), (0.0, 2, 4, False), (None, 1, 4, False)],
)
def test_a_count_begins_anew_with_fewer(began: float | None, number: int, total: int, anew: bool) -> None:
    """At one, of less than five: after a failure; an emerge that has merged nothing begins its first."""
    session = Session(0.0, 0.0, start=began, total=5)
    assert is_renumbered(session, Entry(9.0, LineType.MERGE, number, total, "a/b-1", "/")) is anew


def test_lists_of_packages(tmp_path: Path) -> None:
    """The newest emerge's before the backup; what is malformed is left out; a file that is gone lists nothing."""

    def section(*merges: Any) -> dict[str, Any]:
        return {"mergelist": list(merges)}

    bad = (["ebuild", "/", "a/d-1", "nomerge"], ["blocks", "/", "a/d-1", "merge"], ["ebuild", "/", "d", "merge"])
    more = (*bad, ["ebuild", "/", "a/d-1"], ["ebuild", "/", f"a/{'d' * 199}", "merge"], 7)
    newest = section(["ebuild", "/", "a/b-1", "merge"], ["binary", "/x", "a/c-2", "merge", 1], *more)
    backup = section(["ebuild", "/", "a/e-1", "merge"])
    rows = [("merge", "a/b-1", "/"), ("binary", "a/c-2", "/x")]
    text = json.dumps({"resume": newest, "resume_backup": backup}).encode()
    assert read_mtimedb(text) == [rows, [("merge", "a/e-1", "/")]]
    assert [read_mtimedb(each) for each in (b"", b"[]", b'{"resume":{"mergelist":{}}}', b'{"resume":[]}')] == [[]] * 4
    file = PendingFile(tmp_path / "mtimedb")
    (tmp_path / "mtimedb").write_bytes(text)
    file.poll()
    assert (file.exists, file.kind_of("a/c-2"), file.kind_of("a/e-1"), file.kind_of("a/d-1")) == (
        True, "binary", "merge", "",
    )  # fmt: skip
    (tmp_path / "mtimedb").unlink()
    file.poll()
    assert (file.exists, file.lists) == (False, [])
    (tmp_path / "mtimedb").write_bytes(text + b" " * (MAX_BYTES + 1 - len(text)))
    file.poll()
    assert (file.exists, file.lists) == (True, []), "too large"
    said = b"\x1b[32m[ebuild  N ]\x1b[0m a/b-2:0/1::gentoo [1.9] USE=x to /mnt/\n[blocks B] a/x-1\n"
    assert read_pretended(said + b"[binary] a/c-1\n[ebuild] a\n") == [
        ("merge", "a/b-2", "/mnt/"),
        ("binary", "a/c-1", "/"),
    ]


def test_a_snapshot_is_of_a_running_emerge(tmp_path: Path) -> None:
    """Of its own process and type, and not older than that process; figures out of range are left out."""
    pid = os.getpid()
    used = {"cpu_usec": 1500, "mem_peak": -1, "io_read_bytes": 1e18, "io_write_bytes": 7.9}
    data = {"type": "snapshot", "emerge_pid": pid, "tasks": [{"cpv": "a/b-1", "resources": used}, {"cpv": "a/c-1"}]}
    found = read_snapshot(json.dumps(data).encode(), pid)
    assert found is not None
    assert [figures(task) for task in found.tasks] == [{"cpu_seconds": 0.0015, "written_bytes": 7}, {}]
    for wrong in ({"type": "event"}, {"emerge_pid": pid + 1}, {"tasks": 1}):
        assert read_snapshot(json.dumps({**data, **wrong}).encode(), pid) is None
    status = StatusDirectory(tmp_path)
    for stamp, count in ((None, 1), (1.0, 0), (9e9, 1)):
        (tmp_path / f"emerge-{pid}.json").write_text(json.dumps({**data, "timestamp": stamp}))
        status.poll()
        assert len(status.snapshots) == count, stamp
    assert status.task("a/c-1") is not None
    assert status.task("a/d-1") is None


def test_a_link_leads_to_the_directory_of_logs_alone(tmp_path: Path) -> None:
    """A build log may be a link into PORTAGE_LOGDIR, seen from inside the system or outside; to no other place."""
    logs, temp = tmp_path / "logs", tmp_path / "temp"
    logs.mkdir()
    temp.mkdir()
    link = temp / "build.log"
    for target, found in (
        (str(logs / "a.log"), logs / "a.log"),
        ("/var/log/portage/a.log", logs / "a.log"),
        (f"{logs}/../a.log", link),
        ("../logs/a.log", link),
    ):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert find_build_log(temp, logs) == found, target
    assert find_build_log(temp, None) == link


@pytest.mark.parametrize(
    ("changed", "time"), [(98.9, None), (99.0, 100.0), (130.7, 130.0), (200.0, 200.0), (202.0, 200.0), (202.1, None)]
)
def test_a_failure_is_of_the_attempt_that_wrote_it(tmp_path: Path, changed: float, time: float | None) -> None:
    """A second before its start to two after its end, as whole seconds within the two; else it is another's."""
    log = tmp_path / "build.log"
    log.write_text("a.c:1: error: bad\n * ERROR: a/b-1::gentoo failed (compile phase):\n *   emake failed\n")
    os.utime(log, (changed, changed))
    found = read_failure(log, 100.0, 200.0)
    assert (None if found is None else found.time) == time
    assert found is None or found.message == "a.c:1: error: bad — a/b-1::gentoo failed (compile phase): emake failed"
    log.write_text("a.c:1: error: bad\n")
    os.utime(log, (150.0, 150.0))
    assert read_failure(log, 100.0, 200.0) == ("a.c:1: error: bad", None), "it may continue"


@pytest.mark.parametrize(
    ("wanted", "open_", "is_of"),
    [("ab", "", False), ("bc", "", True), ("abc", "", True), ("b", "", False), ("bcd", "", False), ("xb", "b", True)],
)
def test_a_list_is_of_the_emerge_that_has_so_much_left(wanted: str, open_: str, is_of: bool) -> None:
    """Of three `a` was merged: two are left, or the one at work is in it."""
    session = Session(0.0, 0.0, start=0.0, number=1, total=3)
    for package in open_:
        session.merges[package] = Merge(package, package, "/", 0.0, 0.0)
    assert _is_of(session, [Pending("merge", package, "/") for package in wanted], {"a"}) is is_of


@pytest.fixture
def host(tmp_path: Path) -> HostState:
    """The host beside a log, with everything below the test's directory."""
    return HostState(PortagePaths(tmp_path / "emerge.log", None, None, tmp_path, None, tmp_path))


@pytest.mark.parametrize(
    ("most", "jobs"), [(4, 4), (9999, 9999), (10_000, None), (0, None), (True, None), (2.5, None), (None, None)]
)
def test_the_status_says_how_many_are_built_at_once(
    host: HostState, tmp_path: Path, most: Any, jobs: int | None
) -> None:
    """Where it is a number that a machine may have; and where the log of a package is that is compiled."""
    data = {"type": "snapshot", "emerge_pid": os.getpid(), "jobs": {"max": most}, "tasks": [{"cpv": "a/b-1"}]}
    (tmp_path / f"emerge-{os.getpid()}.json").write_text(json.dumps(data))
    session, now = Session(0.0, 0.0), time.time()
    merge = session.merges["a/b-1"] = Merge("a/b-1", "a/b-1", "/", now - 60, now - 60)
    (tmp_path / "portage/a/b-1/temp").mkdir(parents=True)
    log = tmp_path / "portage/a/b-1/temp/build.log"
    log.touch()
    host.poll(now, over=False)
    assert host.jobs(session) == jobs
    assert host.start_fields(session, merge) == {"log": str(log), "pid": os.getpid()}
    assert host.start_fields(session, replace(merge, kind="binary")) == {"pid": os.getpid()}
    os.utime(log, (now - 62, now - 62))
    assert "log" not in host.start_fields(session, merge), "it is of an attempt before"


def test_an_emerge_is_dead_once_it_was_gone_for_five_seconds(host: HostState) -> None:
    """Without a break: what was seen again in between was not gone."""
    session = Session(0.0, 0.0, pid=os.getpid())
    began = psutil.Process().create_time()
    for now, seen, dead in ((0, 0.0, False), (4.9, 0.0, False), (5, began, False), (6, 0.0, False), (11, 0.0, True)):
        session.process_began = seen
        assert host.is_dead(session, now) is dead, now
