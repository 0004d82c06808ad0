"""Events that could not be written to the journal, kept in memory-backed storage until there is room again.

A writer that ends while the journal's file system is full keeps its last events as `DIRECTORY/<time>-<pid>.jsonl`, the
shell hook each event: the first line is the path of the run file, the rest is what belongs at its end. The directory is
`$XDG_RUNTIME_DIR/build-exporter`, for root `/run/build-exporter`.

Kept to what `os` gives, because the step wrapper loads it.
"""

from __future__ import annotations

import os
import stat

from build_exporter.journal.append import Writer

MAX_BYTES = 4 * 1024 * 1024
"""A kept file larger than this is not one of ours."""

USER_DIRECTORIES = "/run/user"


def spool_directory() -> str:
    """Return the directory for events kept by this user, empty where there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return f"{runtime}/build-exporter"
    return "/run/build-exporter" if os.geteuid() == 0 else ""


def keep(run_path: str, lines: bytes, now: float) -> bool:
    """Keep lines that belong to a run's file; return whether that worked. `now` is in Unix seconds."""
    directory = spool_directory()
    if not directory or "\n" in run_path:
        return False
    make_spool()
    try:
        path = f"{directory}/{now:.6f}-{os.getpid()}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        whole = False
        try:
            data = os.fsencode(run_path) + b"\n" + lines
            whole = os.write(descriptor, data) == len(data)
        finally:
            os.close(descriptor)
            if not whole:
                os.unlink(path)
    except OSError:
        return False
    return whole


def make_spool() -> None:
    """Make the directory for events kept by this user: by it the shell hook sees that somebody will take them."""
    try:  # noqa: SIM105 - without contextlib
        # not its parent: a runtime directory goes with its user, and belongs to the system
        os.mkdir(spool_directory() or "/", 0o700)
    except OSError:
        pass


_foreign: set[tuple[str, str]] = set()
"""Journals, and kept files that were found to be of others: they are read once, and may stay for ever."""


def has_kept(journal: str) -> bool:
    """Return whether any events are kept that may be of a journal; asks memory-backed storage alone."""
    return any(_kept(os.path.realpath(journal)))


def recover(journal: str) -> int:
    """Append kept events of a journal to their runs and remove what was kept; return how many runs got some.

    What cannot be written yet stays. Root recovers what users kept as well, into run files of theirs alone.
    """
    root = os.path.realpath(journal)
    return sum(_recover(path, root) for path in _kept(root))


def _kept(root: str) -> list[str]:
    paths = [path for directory in _directories() for path in _files(directory)]
    # those taken away since need not be remembered
    _foreign.difference_update([each for each in _foreign if each[0] == root and each[1] not in paths])
    return [path for path in paths if (root, path) not in _foreign]


def _directories() -> list[str]:
    users = _names(USER_DIRECTORIES) if os.geteuid() == 0 else []
    own = spool_directory()
    return ([own] if own else []) + [f"{USER_DIRECTORIES}/{name}/build-exporter" for name in users]


def _files(directory: str) -> list[str]:
    return [f"{directory}/{name}" for name in _names(directory) if name.endswith(".jsonl")]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _recover(path: str, root: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
                return False
            data = os.read(descriptor, MAX_BYTES)
        finally:
            os.close(descriptor)
        name, _, lines = data.partition(b"\n")
        run_path = os.path.realpath(os.fsdecode(name))
        if not lines.endswith(b"\n"):
            # it is being written
            return False
        if os.path.dirname(os.path.dirname(run_path)) != root:
            _foreign.add((root, path))
            return False
        if not _may_write(run_path, found.st_uid):
            return False
        writer = Writer(run_path)
        try:
            writer.append_lines(lines)
        finally:
            writer.close()
        os.unlink(path)
    except OSError:
        return False
    return True


def _may_write(run_path: str, user: int) -> bool:
    """Return whether a user may write events to a file: it is theirs, or they could create it."""
    if user == os.geteuid():
        return True
    try:
        return os.stat(run_path).st_uid == user
    except OSError:
        return False
