"""What stands beside emerge.log: resume list, `emerge -p`, status files, build directories, processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.portage.build_log import failure_message
from build_exporter.sources.portage.paths import find_paths
from build_exporter.sources.portage.pending import Pending, PendingFile, read_pretended
from build_exporter.sources.portage.plan import UNNAMED
from build_exporter.sources.registry import kinds, recognise
from build_exporter.tracker import Run, build_progress

pytestmark = pytest.mark.xdist_group("emerge")  # an emerge of one test is one that another could mean

Runs = dict[str, Run]


def write_mtimedb(path: Path, *packages: str, kind: str = "ebuild") -> None:
    """Write a resume list as Portage does: whole, over the old one."""
    merges = [[kind, "/", package, "merge"] for package in packages]
    path.write_text(json.dumps({"resume": {"favorites": [], "mergelist": merges, "myopts": {}}, "version": "3"}))


def states(run: Run) -> list[tuple[str, str]]:
    """Return step names and states in order."""
    return [(step, found.state.label) for (_, step), found in run.steps.items()]


@pytest.fixture
def emerge_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for an emerge."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait(10)


def test_resume_list_is_the_plan(log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]) -> None:
    """While emerge runs, what it has not begun is pending by its resume list, with the time it took before."""
    log.emerge()
    log.begin(1, 1, "app-misc/c-1")
    log.complete(1, 1, "app-misc/c-1", 40)
    log.end(0)
    log.emerge()
    log.begin(1, 3, "app-misc/a-1")
    mtimedb = log.path.with_name("mtimedb")
    write_mtimedb(mtimedb, "app-misc/a-1", "app-misc/b-1", "app-misc/c-2")
    follower = attached(log.path)
    follower.poll(time.time())
    run = list(runs_of().values())[-1]
    assert states(run) == [("app-misc/a-1", "running"), ("app-misc/b-1", "pending"), ("app-misc/c-2", "pending")]
    assert run.steps["merge", "app-misc/c-2"].expected_seconds == 40
    assert build_progress(run, log.clock) == 0
    follower.close()
    # restarted, nothing is reported again, and what comes is
    follower = attached(log.path)
    assert follower.poll(time.time()) == 0
    log.complete(1, 3, "app-misc/a-1")
    log.begin(2, 3, "app-misc/b-1")
    write_mtimedb(mtimedb, "app-misc/b-1", "app-misc/c-2")
    assert follower.poll(time.time()) == 2
    log.end(1)
    follower.poll(time.time())
    run = list(runs_of().values())[-1]
    assert states(run) == [("app-misc/a-1", "succeeded"), ("app-misc/b-1", "failed"), ("app-misc/c-2", "pending")]
    follower.close()
    assert attached(log.path).poll(time.time()) == 0, "what was known of the plan before stays"


def test_package_dropped_by_keep_going_is_not_waited_for(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """What can't be merged any more after a failure leaves the plan."""
    mtimedb = log.path.with_name("mtimedb")
    log.emerge("--keep-going @world")
    log.begin(1, 3, "app-misc/bad-1")
    write_mtimedb(mtimedb, "app-misc/bad-1", "app-misc/needs-bad-1", "app-misc/c-1")
    follower = attached(log.path)
    follower.poll(time.time())
    log.begin(1, 1, "app-misc/c-1")
    write_mtimedb(mtimedb, "app-misc/c-1")
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert states(run) == [("app-misc/bad-1", "failed"), ("app-misc/c-1", "running")]


def test_what_keep_going_leaves_is_counted_anew(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """After the third of five failed, two more than the first of three are left."""
    log.emerge("--keep-going @world")
    for number in (1, 2):
        log.begin(number, 5, f"app-misc/p{number}-1")
        log.complete(number, 5, f"app-misc/p{number}-1")
    log.begin(3, 5, "app-misc/bad-1")
    log.begin(1, 3, "app-misc/c-1")
    attached(log.path).poll(time.time())
    (run,) = runs_of().values()
    assert run.steps["merge", UNNAMED].expected_seconds == 20


def test_binary_known_beforehand_is_reported_at_once(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """A package whose kind no line has shown yet starts when the resume list shows it, and waits otherwise."""
    log.emerge()
    log.add(">>> emerge (1 of 1) app-misc/a-1 to /")
    follower = attached(log.path)
    follower.poll(time.time())
    assert not any(run.steps for run in runs_of().values())
    write_mtimedb(log.path.with_name("mtimedb"), "app-misc/a-1", kind="binary")
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert list(run.running) == [("binary", "app-misc/a-1")]


def test_count_stands_for_names_that_nothing_tells(
    log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """Without a resume list the log's own count keeps progress honest: what is left is one step, gone at the end."""
    log.emerge()
    follower = attached(log.path)
    shown = []
    for number in range(1, 5):
        log.begin(number, 4, f"app-misc/p{number}-1")
        follower.poll(time.time())
        (run,) = runs_of().values()
        shown.append(run.steps.get(("merge", UNNAMED)))
        log.complete(number, 4, f"app-misc/p{number}-1")
        follower.poll(time.time())
        (run,) = runs_of().values()
        progress = build_progress(run, log.clock)
        assert progress is not None
        assert abs(progress - number / 4) < 0.01
    assert [step.expected_seconds if step else None for step in shown] == [30, 20, 10, None]
    log.end(0)
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert states(run) == [(f"app-misc/p{number}-1", "succeeded") for number in range(1, 5)]


def test_pretended_merges_are_a_plan(
    log: Any, tmp_path: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """The output of `emerge -p` in a file serves as the list where there is no other."""
    wanted = tmp_path / "wanted"
    wanted.write_text("[ebuild   R    ] app-misc/a-1 \n[ebuild  N     ] app-misc/b-2:0::gentoo [1.9] USE=x\n")
    log.emerge()
    log.begin(1, 2, "app-misc/a-1")
    attached(log.path, pretend=str(wanted)).poll(time.time())
    (run,) = runs_of().values()
    assert states(run) == [("app-misc/a-1", "running"), ("app-misc/b-2", "pending")]


def test_real_lists(records: Path) -> None:
    """Real resume lists and outputs of `emerge -p` give the packages they name, broken ones none."""
    samples = records / "portage/emlop"

    def resumed(name: str) -> list[list[Pending]]:
        file = PendingFile(samples / f"mtimedb.{name}")
        file.poll()
        return file.lists

    good = [("merge", "dev-lang/rust-1.65.0", "/"), ("merge", "app-portage/emlop-0.5.0", "/")]
    assert resumed("ok")[0] == good
    assert [len(each) for each in resumed("mainempty")] == [2]
    assert [resumed(name) for name in ("badjson", "empty", "noresume", "updates")] == [[], [], [], []]
    assert {each.kind for each in resumed("binaries")[0]} == {"binary", "merge"}
    pretended = {path.name: read_pretended(path.read_bytes()) for path in samples.glob("emerge-p*.out")}
    assert [len(pretended[f"emerge-p{name}.out"]) for name in (".basic", "v.basic", ".bin", ".blocker")] == [5, 5, 2, 2]
    assert [each.kind for each in pretended["emerge-p.bin.out"]] == ["binary", "merge"]
    assert pretended["emerge-pv.basic.out"] == pretended["emerge-p.basic.out"]


@pytest.mark.parametrize("channel", ["json", "sock"])
def test_status_of_a_running_emerge(
    channel: str,
    log: Any,
    tmp_path: Path,
    emerge_process: subprocess.Popen[bytes],
    attached: Callable[..., Attachment],
    runs_of: Callable[[], Runs],
) -> None:
    """A running emerge's own status shows its process, and what each package used; a stale one shows nothing."""
    pid = emerge_process.pid
    used = {"cpu_usec": 12_500_000, "mem_peak": 2 << 30, "io_read_bytes": 5, "io_write_bytes": 7}
    task = {"cpv": "app-misc/a-1", "binary": False, "phase": "compile", "resources": used, "new": [1]}
    snapshot = {"type": "snapshot", "schema": 1, "emerge_pid": pid, "jobs": {"max": 4}, "tasks": [task]}
    status = tmp_path / "run"
    status.mkdir()
    (status / "emerge-1.json").write_text(json.dumps(snapshot))
    (status / f"emerge-{pid}.json").write_text("{" if channel == "sock" else json.dumps(snapshot))
    with socket.socket(socket.AF_UNIX) as server:
        if channel == "sock":
            (status / f"emerge-{pid}.json").unlink()
            server.bind(str(status / f"emerge-{pid}.sock"))
            server.listen(1)
        log.clock = time.time() - 30
        log.emerge()
        log.begin(1, 1, "app-misc/a-1")
        follower = attached(log.path, status=str(status))
        if channel == "sock":
            import threading  # noqa: PLC0415 - one of two cases

            def answer() -> None:
                with server.accept()[0] as connection:
                    connection.sendall(json.dumps(snapshot).encode() + b"\n{}\n")

            threading.Thread(target=answer, daemon=True).start()
        follower.poll(time.time())
    (run,) = runs_of().values()
    assert run.steps["merge", "app-misc/a-1"].pid == pid
    log.complete(1, 1, "app-misc/a-1")
    follower.poll(time.time())
    (run,) = runs_of().values()
    step = run.steps["merge", "app-misc/a-1"]
    assert (step.cpu_seconds, step.max_rss_bytes, step.read_bytes, step.written_bytes) == (12.5, 2 << 30, 5, 7)
    (status / f"emerge-{pid}.json").write_text(json.dumps(snapshot | {"tasks": []}))
    log.begin(1, 1, "app-misc/a-1")
    log.complete(1, 1, "app-misc/a-1")
    follower.poll(time.time())
    step = next(iter(runs_of().values())).steps["merge", "app-misc/a-1"]
    assert (step.attempts, step.cpu_seconds) == (2, None), "what the first attempt used is the first's"


def test_killed_emerge_is_noticed(
    log: Any,
    tmp_path: Path,
    emerge_process: subprocess.Popen[bytes],
    attached: Callable[..., Attachment],
    runs_of: Callable[[], Runs],
) -> None:
    """An emerge whose process was seen and is gone is interrupted as of its last line."""
    pid = emerge_process.pid
    task = {"cpv": "app-misc/a-1", "binary": False}
    (tmp_path / f"emerge-{pid}.json").write_text(json.dumps({"type": "snapshot", "emerge_pid": pid, "tasks": [task]}))
    log.clock = time.time() - 30
    log.emerge()
    last = log.begin(1, 1, "app-misc/a-1")
    follower = attached(log.path, status=str(tmp_path))
    now = time.time()
    follower.poll(now)
    emerge_process.kill()
    emerge_process.wait(10)
    follower.poll(now + 1)
    assert [str(run.state) for run in runs_of().values()] == ["running"]
    follower.poll(now + 10)
    (run,) = runs_of().values()
    assert (str(run.state), run.end) == ("interrupted", int(last))


def test_build_log_is_shown_and_its_error_reported(
    tmp_path: Path, log: Any, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """A running package leads to its build.log; a failed one says what its log says, and not an older build's."""
    root = tmp_path / "mnt"
    log = type(log)(root / "var/log/emerge.log")
    (root / "etc/portage").mkdir(parents=True)
    (root / "etc/portage/make.conf").write_text('# PORTAGE_TMPDIR="/no"\nPORTAGE_TMPDIR="/fast"\n')
    build_logs = {name: root / f"fast/portage/app-misc/{name}/temp/build.log" for name in ("a-1", "b-1")}
    for path in build_logs.values():
        path.parent.mkdir(parents=True)
        path.write_text(
            ">>> Compiling source ...\nmain.c:3:1: error: unknown type name 'x'\nmake: *** [main.o] Error 1\n"
            " * ERROR: app-misc/a-1::gentoo failed (compile phase):\n *   emake failed\n * \n"
        )
    os.utime(build_logs["b-1"], (1e9, 1e9))
    log.clock = time.time() - 60
    log.emerge("--keep-going a b")
    log.begin(1, 2, "app-misc/a-1")
    follower = attached(root)
    follower.poll(time.time())
    (run,) = runs_of().values()
    assert run.steps["merge", "app-misc/a-1"].log == str(build_logs["a-1"])
    log.begin(1, 1, "app-misc/b-1")
    log.end(1)
    follower.poll(time.time())
    (run,) = runs_of().values()
    message = run.steps["merge", "app-misc/a-1"].message or ""
    assert message.startswith("main.c:3:1: error: unknown type name 'x'")
    assert "failed (compile phase)" in message
    assert run.steps["merge", "app-misc/b-1"].message is None


def test_real_build_logs_have_no_error(records: Path) -> None:
    """Logs of builds that went well, with colours and progress, are not said to have failed."""
    for path in (records / "portage/emlop").glob("build.log.*"):
        assert failure_message(path.read_text(errors="replace")) == "", path.name


def test_where_things_are(tmp_path: Path) -> None:
    """The log, its directory or its system's root mean the same; everything else is searched under that root."""
    log = tmp_path / "var/log/emerge.log"
    log.parent.mkdir(parents=True)
    log.write_text("1700000000: Started emerge on: x\n")
    for path in (log, log.parent, tmp_path):
        places = find_paths(path, {})
        assert (places.log, places.mtimedb) == (log, tmp_path / "var/cache/edb/mtimedb")
        assert (places.temporary, places.status) == (tmp_path / "var/tmp", tmp_path / "run/portage")
        kind = recognise(path)
        assert kind is not None
        assert kind.name == "portage"
    other = tmp_path / "other.log"
    other.write_text("make: nothing to be done\n")
    assert not kinds()["portage"].recognises(other)
    assert not kinds()["portage"].recognises(tmp_path / "none")
