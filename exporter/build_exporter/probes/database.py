"""Kind `database`: a server accepts a connection and a session, and answers a statement."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.credentials import password
from build_exporter.probes.network import connected
from build_exporter.probes.state import Reason

PING: Final = "SELECT 1"
_ACCESS_DENIED: Final = frozenset({1044, 1045, 1698})


def probe(settings: Probe, attempt: Attempt) -> None:
    """Connect, log in and have a statement answered.

    Raises:
        OSError: nothing accepts a connection.
        ProbeError: it accepts no session, or does not answer.
        ImportError: the client library is not installed.
    """
    parts = urlsplit(settings.target)
    {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}[parts.scheme](settings, parts, attempt)


def _postgresql(settings: Probe, parts: SplitResult, attempt: Attempt) -> None:
    import psycopg  # noqa: PLC0415 - an extra, loaded where it is used

    host, port = parts.hostname or "", parts.port or 5432
    # a connection of its own: the library distinguishes a closed port from a wrong password by localized text alone
    with connected(host, port, attempt) as link:
        address = link.getpeername()[0]
    try:
        with attempt.timed("login"):
            session = psycopg.connect(
                host=host, hostaddr=address, port=port, user=_user(parts), password=password(settings) or None,
                dbname=_name(parts) or None, connect_timeout=max(1, round(attempt.left())), autocommit=True,
                application_name="build-exporter", passfile=os.devnull,
                sslmode="verify-full" if settings.ca_file else "prefer", sslrootcert=settings.ca_file,
            )  # fmt: skip
        with closing(session):
            # a descriptor of its own, which outlives the session's
            wire = socket.socket(fileno=os.dup(session.fileno()))
            with wire, attempt.timed("query"):
                attempt.on_stop(lambda: wire.shutdown(socket.SHUT_RDWR))
                session.execute(PING).fetchone()
    except psycopg.errors.ConnectionTimeout:
        raise TimeoutError from None
    except psycopg.Error as error:
        text = str(error)
        is_denied = "password authentication failed" in text or "no password supplied" in text
        raise ProbeError(Reason.DENIED if is_denied else Reason.ERROR, error.sqlstate or "no session") from None


def _mysql(settings: Probe, parts: SplitResult, attempt: Attempt) -> None:
    import pymysql  # noqa: PLC0415 - an extra, loaded where it is used

    host, port = parts.hostname or "", parts.port or 3306
    with connected(host, port, attempt) as link:
        session = pymysql.connect(
            host=host, port=port, user=_user(parts), password=password(settings), database=_name(parts) or None,
            read_timeout=attempt.left(), write_timeout=attempt.left(), defer_connect=True,
            ssl_ca=settings.ca_file, ssl_verify_cert=settings.ca_file is not None or None,
            ssl_verify_identity=settings.ca_file is not None or None,
        )  # fmt: skip
        try:
            with attempt.timed("login"):
                session.connect(link)
            with closing(session), attempt.timed("query"), session.cursor() as cursor:
                cursor.execute(PING)
                cursor.fetchone()
        except pymysql.MySQLError as error:
            attempt.left()
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            reason = Reason.DENIED if code in _ACCESS_DENIED else Reason.ERROR
            raise ProbeError(reason, f"error {code}") from None


def _sqlite(settings: Probe, parts: SplitResult, attempt: Attempt) -> None:
    import sqlite3  # noqa: PLC0415 - not everywhere in the standard library, and loaded where it is used

    path = unquote(parts.path)
    if not Path(path).is_file():
        raise ProbeError(Reason.MISSING, "no such file")
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=attempt.left())) as session,
            attempt.timed("query"),
        ):
            attempt.on_stop(session.interrupt)
            # unlike SELECT 1 this reads the file, and waits for whoever has locked it
            session.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise TimeoutError from None
        raise ProbeError(Reason.ERROR, error.sqlite_errorname) from None


def _user(parts: SplitResult) -> str | None:
    return unquote(parts.username) if parts.username else None


def _name(parts: SplitResult) -> str:
    return unquote(parts.path.strip("/"))
