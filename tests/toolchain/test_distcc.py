"""What distcc's jobs are doing, as a real distcc and its server have it."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from build_exporter.collectors.host.distccd import Distccd
from build_exporter.collectors.toolchain import DistccCollector
from build_exporter.toolchain.ccache import state_directory
from build_exporter.toolchain.distcc import MAX_HOSTS, jobs_in, read_state
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.processes import ProcessFacts
from build_exporter.toolchain.surveyor import Helpers


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """A distccd on loopback whose compiler waits for a file before it begins: its address, and that file."""
    if shutil.which("distccd") is None or shutil.which("distcc") is None:
        pytest.skip("distcc is not installed")
    gate = tmp_path / "go-on"
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin/slow-gcc"
    preprocesses = 'case " $* " in *" -E "*) exec gcc "$@" ;; esac'
    slow.write_text(f'#!/bin/sh\n{preprocesses}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\nexec gcc "$@"\n')
    slow.chmod(0o755)
    port = free_port(2)
    (tmp_path / "server").mkdir(mode=0o777)
    (tmp_path / "server").chmod(0o777)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == os.geteuid() and directory != Path("/"):
            # the server gives up root's rights and must still reach its compiler
            directory.chmod(directory.stat().st_mode | 0o011)
    command = [
        "distccd", "--daemon", "--no-detach", "--listen", "127.0.0.1", "--allow", "127.0.0.1", "--port", str(port),
        "--jobs", "4", "--log-stderr", "--enable-tcp-insecure",
        *getattr(request, "param", ()), "--stats-port", str(port + 1),
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "server")}
    with (tmp_path / "distccd.log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, stderr=log, start_new_session=True)
    yield f"127.0.0.1:{port}/4", gate
    gate.touch()
    os.killpg(running.pid, 15)
    running.wait(20)


def stats_port(address: str) -> int:
    """Return where the server at an address shows its statistics."""
    return int(address.partition("/")[0].partition(":")[2]) + 1


def listens(address: str) -> bool:
    """Return whether somebody listens there."""
    host, port = address.partition("/")[0].split(":")
    with socket.socket() as tried:
        return tried.connect_ex((host, int(port))) == 0


def test_a_real_job_is_seen_where_it_is(
    files: Files, server: tuple[str, Path], tmp_path: Path, poll: Callable[..., None], values: Any
) -> None:
    """While the server compiles, one job is reported for its host in that phase, and none once it is done."""
    address, gate = server
    poll(lambda: listens(address), what="distccd listens")
    directory = tmp_path / "client"
    directory.mkdir()
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }\n")
    environment = {**os.environ, "DISTCC_DIR": str(directory), "DISTCC_HOSTS": address, "DISTCC_FALLBACK": "0"}
    environment |= {"PATH": f"{tmp_path / 'bin'}:{environment['PATH']}", "TMPDIR": str(tmp_path)}
    command = ["distcc", "slow-gcc", "-c", str(source), "-o", str(tmp_path / "a.o")]
    state = directory / "state"
    client = subprocess.Popen(command, env=environment)
    try:
        poll(lambda: jobs_in(files, state) == Counter({("127.0.0.1", "compile"): 1}), what="the job is with the server")
        shown = values(DistccCollector(lambda: {"lfs": Helpers(None, None, state), "other": Helpers(None, None, None)}))
        assert shown == {("build_distcc_jobs", ("lfs", "127.0.0.1", "compile")): 1}
    finally:
        gate.touch()
        ended = client.wait(30)
    assert ended == 0, (tmp_path / "distccd.log").read_text()
    assert jobs_in(files, state) == Counter()


def job(host: bytes, phase: int, magic: int = 0x44494800, *, short: bool = False) -> bytes:
    """Return a job's file as distcc on a machine with long integers of 64 or 32 bits has it."""
    if short:
        return struct.pack("=III128s128siII", 280, magic, 1, b"a.c", host, 0, phase, 0)
    return struct.pack("=QQQ128s128siIQ", 296, magic, 1, b"a.c", host, 0, phase, 0)


def test_jobs_are_counted_by_host_and_phase(files: Files, tmp_path: Path) -> None:
    """Jobs of living processes count, whatever else is in the directory."""
    proc = tmp_path / "proc"
    state = tmp_path / "state"
    state.mkdir()
    for pid, data in enumerate((job(b"one", 5), job(b"one", 5), job(b"two", 3), job(b"two", 5, short=True)), start=10):
        (proc / str(pid)).mkdir(parents=True)
        (state / f"binstate_{pid}").write_bytes(data)
    (state / "binstate_99").write_bytes(job(b"one", 5))
    (state / "binstate_x").write_bytes(job(b"one", 5))
    (proc / "20").mkdir()
    os.mkfifo(state / "binstate_20")
    assert jobs_in(files, state, proc) == Counter(
        {("one", "compile"): 2, ("two", "preprocess"): 1, ("two", "compile"): 1}
    )


def test_what_is_no_job_is_passed_over() -> None:
    """Torn files, other magic numbers and unknown phases show nothing; odd names of hosts are not shown."""
    assert read_state(job(b"one", 5)[:100]) is None
    assert read_state(b"") is None
    assert read_state(job(b"one", 5, magic=1)) is None
    assert read_state(job(b"one", 8)) is None
    assert read_state(job(b'a"} 1\nbuild_up{x="', 0)) == ("other", "startup")
    assert read_state(job(b"10.0.0.7", 6)) == ("10.0.0.7", "receive")


def test_the_number_of_hosts_is_bounded(files: Files, tmp_path: Path) -> None:
    """However many hosts the files name, so many have series."""
    proc = tmp_path / "proc"
    state = tmp_path / "state"
    state.mkdir()
    for pid in range(1, 201):
        (proc / str(pid)).mkdir(parents=True)
        (state / f"binstate_{pid}").write_bytes(job(f"host-{pid}".encode(), 5))
    found = jobs_in(files, state, proc)
    assert len({host for host, _ in found}) == MAX_HOSTS + 1
    assert sum(found.values()) == 200


def test_the_directory_is_where_distcc_keeps_it() -> None:
    """By its variable or in the user's home, for builds that use distcc."""
    assert state_directory(ProcessFacts(variables={"DISTCC_DIR": "/d"}, helpers={"distcc"})) == Path("/d/state")
    assert state_directory(ProcessFacts(variables={"HOME": "/home/lfs"}, helpers={"distcc"})) == Path(
        "/home/lfs/.distcc/state"
    )
    assert state_directory(ProcessFacts(variables={"HOME": "/home/lfs"})) is None
    assert state_directory(ProcessFacts(helpers={"distcc"})) is None


@pytest.mark.parametrize("server", [("--stats",)], indirect=True)
def test_the_jobs_that_a_machine_does_for_others_are_counted(
    server: tuple[str, Path], tmp_path: Path, poll: Callable[..., None], values: Any
) -> None:
    """The statistics of a real distccd are reported, and a machine without one shows nothing."""
    address, gate = server
    gate.touch()
    port = stats_port(address)
    poll(lambda: listens(address) and listens(f"127.0.0.1:{port}"), what="distccd listens")
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }\n")
    (tmp_path / "client").mkdir()
    environment = {
        **os.environ,
        "DISTCC_DIR": str(tmp_path / "client"),
        "DISTCC_HOSTS": address,
        "TMPDIR": str(tmp_path),
    }
    command = ["distcc", "gcc", "-c", str(source), "-o", str(tmp_path / "a.o")]
    subprocess.run(command, env={**environment, "DISTCC_FALLBACK": "0"}, check=True, timeout=60)
    collector = Distccd(port)
    poll(lambda: values(collector)["build_host_distccd_jobs_total", ("succeeded",)] == 1, what="the job is counted")
    shown = values(collector)
    assert shown["build_host_distccd_jobs_total", ("failed",)] == 0
    assert shown["build_host_distccd_slots", ()] == 4
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert values(Distccd(closed.getsockname()[1])) == {}


def test_what_answers_in_place_of_distccd_is_an_error(values: Any) -> None:
    """Another server at that port is a failing collector, not a machine without jobs."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            made, _ = other.accept()
            with made:
                made.sendall(b"HTTP/1.0 200 OK\r\n\r\ndcc_compile_ok 5\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match="no distccd"):
            values(Distccd(other.getsockname()[1]))
        thread.join(10)
