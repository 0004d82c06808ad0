"""Kind database against the distribution's PostgreSQL and MariaDB: up, slow, hanging, refused, down and back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from behaving import Listen, Once
from ports import free_port

SECRET = "geheim"
TABLES = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
SMALL = ("--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--innodb-use-native-aio=0")


class Database:
    """A server that is started, paused and ended at will; its files belong to a user who is not root."""

    def __init__(self, scheme: str, command: list[str], port: int, log: Path) -> None:
        self.target = f"{scheme}://builder@localhost:{port}"
        self.scheme, self.port, self.log = scheme, port, log
        self._command = command

    def start(self) -> None:
        """Start it; whoever asks waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, **unprivileged())

    def pause(self, seconds: float) -> None:
        """Let it do nothing for a time."""
        self.send(signal.SIGSTOP)
        threading.Timer(seconds, self.send, (signal.SIGCONT,)).start()

    def send(self, number: signal.Signals) -> None:
        """Signal the server, which then starts no session."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it at once."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGINT if self.scheme == "postgresql" else signal.SIGTERM)
        self.process.wait(60)


def unprivileged() -> dict[str, Any]:
    """Return the options of a process that is not root's."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.geteuid() == 0 else {}


def _run(command: list[str], **options: Any) -> None:
    subprocess.run(command, check=True, capture_output=True, **unprivileged(), **options)


def _postgresql(directory: Path) -> Database:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    password = directory / "password"
    password.write_text(SECRET)
    password.chmod(0o444)
    data, port = str(directory / "data"), free_port()
    make = ("-U", "builder", "-A", "scram-sha-256", f"--pwfile={password}", "-N", "--no-locale")
    _run([str(found[-1].with_name("initdb")), "-D", data, *make])
    few = ("fsync=off", "shared_buffers=1MB", "listen_addresses=127.0.0.1", "max_connections=10")
    flags = [word for setting in few for word in ("-c", setting)]
    command = [str(found[-1]), "-D", data, "-p", str(port), "-k", str(directory), *flags]
    return Database("postgresql", command, port, directory / "log")


def _mysql(directory: Path) -> Database:
    server, tables = shutil.which("mariadbd"), Path("/usr/share/mysql")
    if server is None or not (tables / TABLES[0]).exists():
        pytest.skip("MariaDB is not installed")
    (directory / "data" / "mysql").mkdir(parents=True)
    for each in (directory / "data", directory / "data" / "mysql"):
        each.chmod(0o777)
    command = [server, "--no-defaults", f"--datadir={directory}/data", f"--tmpdir={directory}", *SMALL]
    script = "USE mysql;\nSET @auth_root_socket=NULL;\n" + "".join((tables / name).read_text() for name in TABLES)
    script += f"FLUSH PRIVILEGES;\nCREATE USER builder@'%' IDENTIFIED BY '{SECRET}';\n"
    _run([*command, "--bootstrap"], input=script.encode())
    port = free_port()
    own = [f"--socket={directory}/s", f"--pid-file={directory}/pid", "--bind-address=127.0.0.1", f"--port={port}"]
    return Database("mysql", [*command, *own], port, directory / "log")


@pytest.fixture(scope="module", params=[_postgresql, _mysql])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Each kind of server, running; not below pytest's own directory, which is for its user alone."""
    pytest.importorskip("psycopg" if request.param is _postgresql else "pymysql")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        made: Database = request.param(directory)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def ask(database: Database, once: Once, tmp_path: Path) -> Callable[..., Any]:
    """Try a probe of the database with the right password in a file."""
    (tmp_path / "password").write_text(f"{SECRET}\n")
    target = f"{database.target}/{'postgres' if database.scheme == 'postgresql' else ''}"
    return lambda to=target, **more: once("database", to, **{"password_file": str(tmp_path / "password"), **more})


def test_database_up_slow_hanging_down_and_back(
    database: Database, ask: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """A probe of a real server says at each moment what a build would find, and how long it would wait."""
    poll(lambda: ask().reason is None, 60, "it answers")
    up = ask()
    assert {"resolve", "connect", "login", "query"} <= up.phases.keys()
    database.pause(0.4)
    slow = ask()
    assert (slow.reason, slow.seconds > 0.3) == (None, True)
    database.send(signal.SIGSTOP)
    assert ask(timeout=0.5).reason == "timeout"
    database.send(signal.SIGCONT)
    poll(lambda: ask().reason is None, 60, "it answers again")
    database.stop()
    assert ask().reason == "refused"
    database.start()
    poll(lambda: ask().reason is None, 60, "it answers again")


def test_database_that_does_not_want_us(database: Database, ask: Callable[..., Any], monkeypatch: Any) -> None:
    """A wrong password is denied, a database that is not there an error, and the password is in no result."""
    monkeypatch.setenv("WRONG_PASSWORD", "falsch")
    denied = ask(password_file=None, password_env="WRONG_PASSWORD")
    assert denied.reason == "denied"
    assert (
        ask(password_file=None, password_env="NOT_SET").detail == "the environment variable of the password is not set"
    )
    absent = ask(f"{database.target}/nowhere")
    assert absent.reason in ("error", "denied")
    assert not any(word in repr((denied, absent)) for word in (SECRET, "falsch", "builder"))


def test_tries_are_no_connection_errors_of_the_server(database: Database, ask: Callable[..., Any]) -> None:
    """MariaDB blocks a machine after 100 connections without a session: probes are none of these."""
    if database.scheme != "mysql":
        pytest.skip("only MySQL and MariaDB block")
    pymysql = pytest.importorskip("pymysql")
    with pymysql.connect(host="127.0.0.1", port=database.port, user="builder", password=SECRET) as session:

        def aborted() -> int:
            with session.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Aborted_%'")
                return sum(int(value) for _, value in cursor.fetchall())

        before = aborted()
        assert ask().reason is None
        assert aborted() == before


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_server_that_only_greets_or_hangs_up(once: Once, listen: Listen, scheme: str) -> None:
    """What is no database is down: one that hangs up, one that talks nonsense, one that never says a word."""
    pytest.importorskip("psycopg" if scheme == "postgresql" else "pymysql")

    def hang_up(link: socket.socket) -> None:
        link.settimeout(0.2)

    def nonsense(link: socket.socket) -> None:
        link.sendall(b"\x00" * 4096)
        link.recv(1)

    def silence(link: socket.socket) -> None:
        link.recv(1 << 20)
        link.recv(1 << 20)

    for behave, reasons in (
        (hang_up, {"error", "protocol"}),
        (nonsense, {"error", "protocol"}),
        (silence, {"timeout"}),
    ):
        port = listen(behave)
        result = once("database", f"{scheme}://me@localhost:{port}/x", timeout=1.0 if behave is silence else 10.0)
        assert (result.reason in reasons, result.seconds < 5) == (True, True), (behave, result)
