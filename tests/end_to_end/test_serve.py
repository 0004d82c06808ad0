"""`serve` as a service: starting, ending, reading its configuration again, its log, and journals that come and go."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

Serve = Callable[..., Any]
RunFiles = Callable[..., Any]
Command = Callable[..., Any]
GOOD = "thresholds:\n  disk_free_bytes: 3 GiB\n"
BAD = "thresholds:\n  disk_free_byte: 3 GiB\n"


@contextmanager
def scraping(served: Any, threads: int = 4) -> Iterator[list[str]]:
    """Scrape without pause from several threads; the list fills with what went wrong before the end."""
    wrong: list[str] = []
    ended = threading.Event()

    def scrape() -> None:
        while not ended.is_set():
            try:
                with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:
                    body = answer.read()
            except OSError as error:
                if served.process.poll() is None and "reset" not in str(error) and "refused" not in str(error):
                    wrong.append(str(error))
                return
            if not body.endswith(b"\n") or b"build_exporter_series" not in body:
                wrong.append("half a scrape")

    running = [threading.Thread(target=scrape) for _ in range(threads)]
    for thread in running:
        thread.start()
    yield wrong
    ended.set()
    for thread in running:
        thread.join(20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_whatever_is_going_on(
    serve: Serve, run_file: RunFiles, poll: Callable[..., None], number: signal.Signals
) -> None:
    """With idle and half-open connections, scrapes and a build under way it ends with 0 within five seconds."""
    run = run_file("lfs")
    run.add("build_started")
    served = serve()
    idle = socket.create_connection(("127.0.0.1", served.port))
    idle.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(4096).startswith(b"HTTP/1.1 200")
    silent = socket.create_connection(("127.0.0.1", served.port))
    half = socket.create_connection(("127.0.0.1", served.port))
    half.sendall(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
    with scraping(served) as wrong:
        for number_of_event in range(200):
            run.step("p", f"s{number_of_event}")
        served.process.send_signal(number)
        began = time.monotonic()
        for number_of_event in range(200):
            run.step("q", f"s{number_of_event}")
        assert served.process.wait(10) == 0
        assert time.monotonic() - began < 5
    assert wrong == []
    log = served.log.read_text()
    assert 'msg="build-exporter ended"' in log
    assert "Traceback" not in log
    assert "level=error" not in log
    for connection in (idle, silent, half):
        connection.close()


def test_ending_and_starting_again_needs_no_wait(serve: Serve) -> None:
    """The next exporter listens on the same port at once, while connections of the last one are still dying."""
    first = serve()
    port = first.port
    with scraping(first):
        assert first.stop() == 0
    again = serve("--web.listen-address", f"127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=10) as answer:
        assert answer.status == 200
    assert again.stop() == 0


def test_several_addresses_and_ipv6(serve: Serve) -> None:
    """Each address named is listened on, IPv6 too, and reported in the log as it is written in a URL."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    served = serve("--web.listen-address", "[::1]:0", "--web.listen-address", "127.0.0.2:0")
    ports = re.search(r'listen="127\.0\.0\.1:\d+ (\[::1\]:\d+) (127\.0\.0\.2:\d+)"', served.log.read_text())
    assert ports is not None
    for address in ports.groups():
        with urllib.request.urlopen(f"http://{address}/-/healthy", timeout=10) as answer:
            assert answer.status == 200


def test_every_address_by_a_port_alone(serve: Serve) -> None:
    """`:PORT` is every address of the machine, of both families where there are both."""
    served = serve("--web.listen-address", ":0", "--web.allow-anonymous")
    reported = re.search(r"listen=.*?(?:0\.0\.0\.0|\[::\]):(\d+)", served.log.read_text())
    assert reported is not None
    for address in ("127.0.0.1", "127.0.0.3"):
        with urllib.request.urlopen(f"http://{address}:{reported[1]}/-/healthy", timeout=10) as answer:
            assert answer.status == 200


def test_loopback_is_the_default(command: Command) -> None:
    """No one else on the network can ask unless somebody said so."""
    assert re.search(
        r"--web\.listen-address HOST:PORT\s.*\[default:\s+127\.0\.0\.1:10110\]",
        command("serve", "--help").stdout,
        re.DOTALL,
    )


@pytest.mark.parametrize(
    "address",
    [
        "{taken}", "nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:-1", "::1:80",
        "192.0.2.1:0", "no.such.host.invalid:0", ":²", f"{'a' * 70}:1", "..:1", "[::1]",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_is_reported_in_one_line(command: Command, journal: Path, address: str) -> None:
    """An address taken, of another machine or no address ends the start with 2 and one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = address.format(taken=f"127.0.0.1:{other.getsockname()[1]}")
        done = command("serve", "--journal", str(journal), "--web.listen-address", address)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("build-exporter: ")
    assert address in line


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_every_line_of_the_log_can_be_parsed(serve: Serve, run_file: RunFiles, tmp_path: Path, form: str) -> None:
    """In both forms each message is one line with time, level and text, whatever a build's lines hold."""
    config = tmp_path / "config.yml"
    config.write_text(GOOD)
    run = run_file("lfs")
    served = serve("--log.format", form, "--log.level", "debug", "--config", str(config))
    # one write: the log shows the last of what was rejected at once
    run.raw(b'{"time":1,"event":"x\\n","build":"\xff"}\n' * 20 + b'\x1b[31mevil" level=error msg="forged\n')
    served.get("/metrics")
    config.write_text(BAD + '"\x1b[2J": 1\n')
    served.get("/-/reload", "POST")
    assert served.stop() == 0
    parse = json.loads if form == "json" else _logfmt
    lines = [parse(line) for line in served.log.read_text().splitlines()]
    messages = [line["msg"] for line in lines]
    assert "build-exporter started" in messages
    assert messages[-1] == "build-exporter ended"
    assert "journal lines rejected" in messages
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
        assert line["level"] in ("debug", "info", "warn", "error")
    (evil,) = [line["line"] for line in lines if "forged" in line.get("line", "")]
    assert evil == '\x1b[31mevil" level=error msg="forged'
    assert "\x1b" not in served.log.read_text()


def _logfmt(line: str) -> dict[str, str]:
    """Return the fields of a logfmt line; fail where it is none."""
    pair = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)')
    fields: dict[str, str] = {}
    position = 0
    while position < len(line):
        found = pair.match(line, position)
        assert found, line[position:]
        assert found[1] not in fields
        fields[found[1]] = json.loads(found[2]) if found[2].startswith('"') else found[2]
        position = found.end()
    return fields


def test_less_is_logged_when_less_is_asked_for(serve: Serve, journal: Path, tmp_path: Path) -> None:
    """At level error a start and an end say nothing."""
    log = tmp_path / "quiet.log"
    port = free_port()
    command = ["serve", "--journal", str(journal), "--log.level", "error", "--web.listen-address", f"127.0.0.1:{port}"]
    with log.open("wb") as stream:
        process = subprocess.Popen([*serve_command(), *command], stderr=stream)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
                break
            except OSError:
                time.sleep(0.02)
    finally:
        process.terminate()
    assert process.wait(10) == 0
    assert log.read_bytes() == b""


def serve_command() -> list[str]:
    """Return the command's beginning, as `command` runs it."""
    return [sys.executable, "-m", "build_exporter"]


def test_builds_side_by_side(serve: Serve, run_file: RunFiles) -> None:
    """Two builds on one machine are followed together, each with its own series, and a third that comes later."""
    lfs, blfs = run_file("lfs"), run_file("blfs")
    served = serve()
    for number in range(1, 4):
        for run in (lfs, blfs):
            run.step("p", f"s{number}", status="succeeded" if run is lfs else "failed")
        assert served.value("build_steps", build="lfs", state="succeeded") == number
        assert served.value("build_steps", build="blfs", state="failed") == number
    assert served.value("build_state", build="lfs", state="running") == 1
    assert served.value("build_state", build="blfs", state="failed") == 1
    run_file("gentoo").add("build_started")
    assert served.value("build_state", build="gentoo", state="running") == 1
    page = served.get("/")[2].decode()
    assert all(f'<a href="/builds/{build}">{build}</a>' in page for build in ("lfs", "blfs", "gentoo"))


def test_a_journal_deleted_and_made_anew(serve: Serve, run_file: RunFiles, journal: Path, poll: Any) -> None:
    """While the exporter runs the journal may go and come back: what is shown is what a start would show then."""
    run_file("lfs").step("p", "old")
    run_file("gone").step("p", "old")
    served = serve()
    assert served.value("build_step_status", step="old") == 4
    shutil.rmtree(journal)
    assert served.value("build_step_status") is None
    assert served.get("/-/ready")[0] == 200
    run = run_file("lfs")
    run.step("p", "new")
    assert served.value("build_step_status", step="new") == 2
    assert served.value("build_step_status", step="old") is None
    assert served.value("build_info", build="gone") is None
    assert served.value("build_exporter_source_up", source="journal") == 1
    run.step("p", "next")
    assert served.value("build_step_status", step="next") == 2


def test_a_journal_that_comes_later(serve: Serve, tmp_path: Path) -> None:
    """The exporter starts before there is any journal, without making one, and finds it when it comes."""
    root = tmp_path / "not" / "yet"
    served = serve(journal=root)
    assert not root.exists()
    assert served.value("build_exporter_source_up", source="journal") == 1
    (root / "lfs").mkdir(parents=True)
    (root / "lfs" / "20260101T000000Z.jsonl").write_text('{"time":1e9,"event":"build_started","build":"lfs"}\n')
    assert served.value("build_state", build="lfs", state="running") == 1


def test_what_cannot_be_read_shows(serve: Serve, run_file: RunFiles) -> None:
    """A run that is no file, and watched paths that the system refuses, are down and leave other builds alone."""
    run_file("good").step("p", "s")
    bad = run_file("bad")
    os.mkfifo(bad.path)
    refused = "r" * 300  # refused to root as well, as a directory of somebody else's is to others
    kinds = ("bitbake", "buildroot", "ninja", "portage", "jhalfs-report")
    served = serve(*(f"--watch={kind}=/tmp/{refused}" for kind in kinds))
    for kind in kinds:
        assert served.value("build_exporter_source_up", source=f"{kind}/{refused[:100]}") == 0
    assert served.value("build_exporter_source_up", source="journal") == 0
    assert served.value("build_step_status", build="good") == 2
    bad.path.unlink()
    assert served.value("build_exporter_source_up", source="journal") == 1


def test_old_runs_are_removed_at_the_start(serve: Serve, run_file: RunFiles, tmp_path: Path, poll: Any) -> None:
    """Retention keeps as many runs as configured, and the journal's size is shown."""
    files = [run_file("lfs", run=f"2026010{number}T000000Z") for number in range(1, 7)]
    for file in files:
        file.add("build_finished", status="succeeded")
    config = tmp_path / "config.yml"
    config.write_text("retention: {runs: 2}")
    served = serve("--config", str(config))
    poll(lambda: not files[3].path.exists(), what="old runs are removed")
    assert [file.path.exists() for file in files] == [False, False, False, False, True, True]
    assert served.value("build_exporter_journal_bytes") > 0


def test_nothing_leaks(serve: Serve, run_file: RunFiles) -> None:
    """Hundreds of scrapes, pages, errors and events leave no descriptor open and no memory behind."""
    run = run_file("lfs")
    run.step("p", "s")
    served = serve()

    def use() -> None:
        for _ in range(100):
            run.step("p", "s")
            for path in ("/metrics", "/", "/nothing"):
                served.get(path)

    use()
    before = {name: served.value(name) for name in ("process_open_fds", "process_resident_memory_bytes")}
    for _ in range(3):
        use()
    assert served.value("process_open_fds") <= before["process_open_fds"] + 2
    assert served.value("process_resident_memory_bytes") < before["process_resident_memory_bytes"] + 5_000_000


def test_more_builds_than_files_are_allowed_at_first(serve: Serve, run_file: RunFiles) -> None:
    """Hundreds of builds are followed though the usual limit of open files is lower, and clients still get in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the limit is this process' own too while the exporter starts
    low = len(list(Path("/proc/self/fd").iterdir())) + 30
    if hard < 2 * low + 200:
        pytest.skip("no more open files are allowed here")
    for number in range(low + 100):
        run_file(f"build-{number}").step("p", "s")
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        served = serve()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert served.value("build_exporter_source_up", source="journal") == 1
    assert served.value("build_exporter_events_total", event="step_finished") == low + 100
    assert sum(name == "build_info" for name, _ in served.samples()) == 100


def test_a_journal_made_by_the_exporter_itself_is_watched(
    serve: Serve, tmp_path: Path, poll: Callable[..., None]
) -> None:
    """What is written while the journal is being made is noticed all the same."""
    record = tmp_path / "record.log"
    record.write_text("2026-11-21 06:12:56 STARTED p/s\n")
    served = serve("--watch", f"log={record}", journal=tmp_path / "not" / "there" / "yet")
    with record.open("a") as file:
        file.write("2026-11-21 06:13:56 COMPLETED p/s\n")
    poll(lambda: served.value("build_step_duration_seconds", phase="p", step="s") == 60, what="the step has ended")
    assert "does not report changes" not in served.log.read_text()
