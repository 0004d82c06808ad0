"""Compilations for other machines, from this machine's `distccd --stats`."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Final

from build_exporter.exposition import Family

PORT: Final = 3633
"""The default of distccd's `--stats-port`."""

_RESULTS: Final = {
    "compile_ok": "succeeded",
    "compile_error": "failed",
    "compile_timeout": "timeout",
    "cli_disconnect": "disconnected",
    "rej_bad_req": "refused",
    "rej_overload": "overloaded",
    "other": "other",
}
_LINE: Final = re.compile(rb"^dcc_([a-z_]{1,40}) (\d{1,15})\r?$", re.MULTILINE)
_TIMEOUT_SECONDS: Final = 2.0
_MAX_BYTES: Final = 64 * 1024


class Distccd:
    """Jobs that other machines sent here; a machine without such a server has none of the families."""

    name = "distccd"

    def __init__(self, port: int = PORT) -> None:
        self._port = port

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: the server does not answer in time.
            ValueError: what answers is no distccd.
        """
        try:
            text = self._ask()
        except ConnectionRefusedError:
            return
        if b"<distccstats>" not in text:
            raise ValueError(f"what answers at port {self._port} is no distccd")
        status = {name.decode(): int(number) for name, number in _LINE.findall(text)}
        jobs = Family("build_host_distccd_jobs_total")
        for name, result in _RESULTS.items():
            jobs.add(status.get(name, 0), result)
        yield jobs
        if "max_kids" in status:
            yield Family("build_host_distccd_slots").add(status["max_kids"])

    def _ask(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_SECONDS) as asked:
            # it answers whoever comes and reads nothing: a request it never took would break the connection
            asked.shutdown(socket.SHUT_WR)
            parts, size = [], 0
            while size < _MAX_BYTES and (part := asked.recv(8192)):
                parts.append(part)
                size += len(part)
        return b"".join(parts)
