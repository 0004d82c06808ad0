"""What children did, whether their parent waits for them or ignores that they end: counted once, in real trees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.exposition import Family

MIB = 1024**2
WRITTEN = 8 * MIB
PARENT = f"""
import os, signal, sys, time
if sys.argv[1] == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = os.fork()
if not child:
    with open(sys.argv[2], "wb") as file:
        file.write(os.urandom({WRITTEN}))
        file.flush()
        os.fsync(file.fileno())
    print("written", flush=True)
    sys.stdin.readline()
    os._exit(0)
try:
    os.waitpid(child, 0)
except ChildProcessError:
    pass
print("ended", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture(params=["waits", "ignores"])
def parent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose child writes, says so, and ends on request; by parameter it waits for it or ignores SIGCHLD."""
    words = [sys.executable, "-c", PARENT, request.param, str(tmp_path / "data")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def test_what_a_child_wrote_is_counted_once_before_and_after_its_end(
    parent: subprocess.Popen[bytes],
    samples_of: Callable[[Iterable[Family]], dict[str, float]],
    process_trees: Callable[..., Any],
) -> None:
    """A parent's own counters grow by all that a reaped child did, or never: the step's figures show neither jump."""
    assert parent.stdin is not None
    assert parent.stdout is not None
    trees: ProcessTrees = process_trees(lambda: {"lfs": [parent.pid]})

    def written() -> float:
        found = samples_of(trees.collect())
        return next(value for key, value in found.items() if key.startswith("build_process_written_bytes_total"))

    assert parent.stdout.readline() == b"written\n"
    shown = [written(), written()]
    if not shown[-1]:
        pytest.skip("the kernel counts no writes of this file system")
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == b"ended\n"
    shown += [written(), written()]
    assert shown == sorted(shown), "a counter never goes back"
    assert shown[1] >= WRITTEN
    assert shown[-1] < 1.5 * WRITTEN, f"counted twice: {shown}"
