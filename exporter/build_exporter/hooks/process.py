"""One run of a hook: a program without a shell, the event on its standard input and in its environment."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final, Literal, NamedTuple

OUTPUT_BYTES: Final = 4096
"""Bytes kept of the end of a hook's output."""

Result = Literal["succeeded", "failed", "timeout"]


class Outcome(NamedTuple):
    """Result of a hook: how it ended, exit code (negative: a signal), seconds, and the end of its output."""

    result: Result
    code: int
    seconds: float
    output: str


def hooks_in(directory: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return the hooks of a directory by name, and the files passed over with the reason.

    A hook is a regular file that may be executed; one that others than its owner may write, or of a stranger, could be
    made to run anything and is passed over. Names that begin with a dot or end in `~` are not looked at.

    Raises:
        OSError: the directory can't be read.
    """
    found: list[Path] = []
    refused: list[tuple[Path, str]] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~") or not path.is_file() or not os.access(path, os.X_OK):
            continue
        known = path.stat()
        if known.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            refused.append((path, "group or others may write it"))
        elif known.st_uid not in (0, os.geteuid()):
            refused.append((path, "it belongs to another user"))
        else:
            found.append(path)
    return found, refused


def run_hook(path: Path, payload: bytes, environment: Mapping[str, str], timeout: float) -> Outcome:
    """Run a hook and return how it ended; after `timeout` seconds it and what it started are killed.

    Raises:
        OSError: it can't be started.
    """
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - a program of the user's directory, no shell, nothing of an event in it
        [str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        output, in_time = _talk(process.stdin, process.stdout, payload, began + timeout)
        if in_time:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.01, began + timeout - time.monotonic()))
    finally:
        # what it left in the background must not pile up either
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        late = process.poll() is None
        code = process.wait()
        process.stdout.close()
        process.stdin.close()
    result: Result = "timeout" if late or not in_time else "succeeded" if code == 0 else "failed"
    return Outcome(result, code, time.monotonic() - began, output.decode("utf-8", "replace"))


def _talk(into: IO[bytes], out: IO[bytes], payload: bytes, until: float) -> tuple[bytes, bool]:
    """Write the payload while reading; return the output's end, and whether it ended in time."""
    os.set_blocking(into.fileno(), False)
    output, left = b"", memoryview(payload)
    with selectors.DefaultSelector() as selector:
        selector.register(into, selectors.EVENT_WRITE)
        selector.register(out, selectors.EVENT_READ)
        while (wait := until - time.monotonic()) > 0:
            for key, _ in selector.select(wait):
                if key.fileobj is out:
                    piece = os.read(out.fileno(), 65536)
                    if not piece:
                        return output, True
                    output = (output + piece)[-OUTPUT_BYTES:]
                else:
                    left = left[_write(into.fileno(), left) :]
                    if not left:
                        selector.unregister(into)
                        into.close()
    return output, False


def _write(descriptor: int, data: memoryview) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        return 0
    except OSError:
        # it does not read its input, which is its own affair
        return len(data)
