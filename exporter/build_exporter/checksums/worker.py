"""The worker process that reads files for a running exporter, at the lowest priority.

A thread would not do: one of low priority that holds the interpreter's lock while it waits for its turn at the
processor holds up every scrape.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import msgspec

from build_exporter.checksums.check import Finding, Signature, check_file
from build_exporter.checksums.verify import Stopped, lower_priority
from build_exporter.model.events import SourceFile

CHUNK_BYTES: Final = 256 * 1024
NICENESS: Final = 19


class Job(msgspec.Struct, frozen=True):
    """One file to read: where, what is known of it, whose it must be, and which one was meant."""

    directory: str
    planned: SourceFile
    owner: int | None
    signature: Signature

    @property
    def size(self) -> int:
        """Bytes to read."""
        return self.signature[2]


class Batch(msgspec.Struct, frozen=True):
    """Work of one process: files, most bytes a second, and the process it works for."""

    jobs: list[Job]
    bytes_per_second: float
    parent: int


class RateLimiter:
    """Limits the read rate, and ends the process when its parent is gone."""

    def __init__(self, bytes_per_second: float, parent: int) -> None:
        self._rate = bytes_per_second
        self._parent = parent
        self._next = time.monotonic()

    def take(self, count: int) -> None:
        """Wait as long as reading so many bytes may take.

        Raises:
            Stopped: no one waits for the result.
        """
        now = time.monotonic()
        # time in which nothing was read is not made up for
        self._next = max(self._next, now) + count / self._rate
        if os.getppid() != self._parent:
            raise Stopped
        time.sleep(max(0.0, self._next - now))


def main() -> None:
    """Read the files that a batch on standard input asks for; write a finding a line."""
    lower_priority(NICENESS)
    batch = msgspec.json.decode(sys.stdin.buffer.read(), type=Batch)
    limiter = RateLimiter(batch.bytes_per_second, batch.parent)
    for job in batch.jobs:
        finding: Finding = check_file(job.directory, job.planned, limiter.take, chunk=CHUNK_BYTES, owner=job.owner)
        sys.stdout.buffer.write(msgspec.json.encode(finding) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except Stopped:
        sys.exit(1)
