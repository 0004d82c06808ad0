"""Kind `disk`: how long a small write to a file system takes until it is on the disk."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import Final

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.state import Reason

BLOCK: Final = bytes(4096)
_REASONS: Final = dict.fromkeys((errno.ENOENT, errno.ENOTDIR), Reason.MISSING) | dict.fromkeys(
    (errno.EACCES, errno.EPERM, errno.EROFS), Reason.DENIED
)
_NAMELESS_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


def probe(settings: Probe, attempt: Attempt) -> None:
    """Write a block to a file without a name in the directory and wait for the disk; nothing is left behind.

    Raises:
        ProbeError: the directory is not there or can't be written to.
    """
    try:
        file = _open(settings.target)
        try:
            with attempt.timed("write"):
                os.write(file, BLOCK)
            with attempt.timed("sync"):
                os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise ProbeError(_REASONS.get(error.errno or 0, Reason.ERROR), error.strerror or "") from None


def _open(directory: str) -> int:
    try:
        return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _NAMELESS_UNSUPPORTED:
            raise
    file, path = tempfile.mkstemp(prefix=".build-exporter-", dir=directory)
    os.unlink(path)  # noqa: PTH108
    return file
