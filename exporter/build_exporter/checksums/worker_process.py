"""Read files in a child process, one batch at a time, without blocking the exporter."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, Final

import msgspec

from build_exporter.checksums.check import Finding
from build_exporter.checksums.worker import Batch, Job

log = logging.getLogger(__name__)

BYTES_PER_SECOND: Final = 16 * 1024 * 1024
"""Most that is read: the 500 MB of an LFS build take half a minute, and any disk has much more to give a build."""

BATCH_SECONDS: Final = 20.0
"""About how long a child reads; one large file may take longer."""

REST_SECONDS: Final = 60.0
"""Between a child that failed and the next."""

_MAX_RESULTS: Final = 64 * 1024 * 1024
_COMMAND: Final = (sys.executable, "-m", "build_exporter.checksums.worker")


class WorkerProcess:
    """One child at work on a batch, or none."""

    def __init__(self, bytes_per_second: float = BYTES_PER_SECOND) -> None:
        self._rate = bytes_per_second
        self._child: subprocess.Popen[bytes] | None = None
        self._results: IO[bytes] | None = None
        self._jobs: list[Job] = []
        self._failed: set[Job] = set()
        self._rest_until = 0.0
        self._position = 0

    @property
    def is_busy(self) -> bool:
        """Whether a child is at work, or its results have not been collected."""
        return self._child is not None

    def begin(self, jobs: Sequence[Job]) -> None:
        """Have the first of the jobs done, as many as one batch takes; nothing happens while another is.

        Raises:
            OSError: no process can be started.
        """
        if self.is_busy or not jobs or time.monotonic() < self._rest_until:
            return
        self._failed.intersection_update(jobs)
        jobs = sorted(jobs, key=self._failed.__contains__)
        batch, room = [jobs[0]], self._rate * BATCH_SECONDS - jobs[0].size
        for job in jobs[1:]:
            room -= job.size
            if room < 0:
                break
            batch.append(job)
        from tempfile import TemporaryFile  # noqa: PLC0415 - with the first check

        results = TemporaryFile()  # noqa: SIM115 - read until the child has ended
        try:
            with TemporaryFile() as asked:
                asked.write(msgspec.json.encode(Batch(batch, self._rate, os.getpid())))
                asked.seek(0)
                self._child = subprocess.Popen(_COMMAND, stdin=asked, stdout=results)  # noqa: S603 - our own module
        except OSError:
            results.close()
            raise
        self._jobs, self._results, self._position = batch, results, 0

    def collect(self) -> Iterator[tuple[Job, Finding]]:
        """Yield what the child has found out since the last call; once it has ended it may begin again."""
        if self._child is None or self._results is None:
            return
        ended = self._child.poll() is not None
        # not `read`: the child writes by the same open file, at the position that they share
        data = os.pread(self._results.fileno(), _MAX_RESULTS, self._position)
        lines = data.split(b"\n")[:-1]
        self._position += sum(len(line) + 1 for line in lines)
        for line in lines:
            yield self._jobs.pop(0), msgspec.json.decode(line, type=Finding)
        if ended:
            code = self._child.returncode
            if code and self._jobs:
                # whoever ended it, or a fault of ours, says nothing of the file: it is tried again, after the others
                log.warning("a file could not be verified", extra={"file": self._jobs[0].planned.file, "code": code})
                self._failed.add(self._jobs[0])
                self._rest_until = time.monotonic() + REST_SECONDS
            self._forget()

    def stop(self) -> None:
        """End the child, whose results are lost."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._forget()

    def _forget(self) -> None:
        if self._results is not None:
            self._results.close()
        self._child, self._results, self._jobs, self._position = None, None, [], 0
