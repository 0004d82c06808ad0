"""Standard output of all commands: where it can't be written to, the command ends, with one line and its own code."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

OUTPUT_ERROR = 74
"""EX_IOERR of sysexits(3): 1 would be an answer, and 2 wrong use."""


class _Output(io.FileIO):
    """The descriptor; an error raises SystemExit, as handlers of OSError take those for the journal's."""

    has_failed = False

    def write(self, data: Buffer, /) -> int:
        """Write; silent where the reader has gone. What is still buffered after an error is dropped."""
        if self.has_failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self.has_failed = True
            raise SystemExit(1) from None
        except OSError as error:
            self.has_failed = True
            sys.stderr.write(f"build-exporter: standard output can't be written to: {error.strerror}\n")
            raise SystemExit(OUTPUT_ERROR) from None


def guard_standard_output() -> None:
    """Replace `sys.stdout` by one whose errors end the program; nothing where it is closed."""
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper):
        return
    raw = _Output(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        raw if before.write_through else io.BufferedWriter(raw),
        before.encoding, before.errors, line_buffering=before.line_buffering, write_through=before.write_through,
    )  # fmt: skip
