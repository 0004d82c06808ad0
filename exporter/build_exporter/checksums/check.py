"""Check one file against the plan: by its metadata, or by reading it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from build_exporter.checksums.digests import CHUNK_BYTES, digest_bytes, parse_digests, read_digests
from build_exporter.model.events import SourceFile
from build_exporter.model.states import SourceState

ABOUT_RATIO: Final = 0.97
"""A file below this share of a rounded size is truncated: the LFS book rounds by up to 2 %."""

_HEAD_BYTES: Final = 512
_PAGES: Final = (b"<!doctype html", b"<html", b"<?xml")
_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_FOREIGN: Final = "belongs to another user than the build"

Signature = tuple[int, int, int, int, int]
"""Identity and state of a file: device, inode, size, mtime and ctime in nanoseconds."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of checking a file.

    Attributes:
        state: against the plan.
        detail: in a few words what it is instead, empty where it is as planned.
        size: its bytes, None where there is no file.
        digests: found by algorithm, in hexadecimal; only of a file that was read.
        signature: of the checked file.
    """

    state: SourceState
    detail: str = ""
    size: int | None = None
    digests: dict[str, str] = {}
    signature: Signature | None = None


def is_plain(name: str) -> bool:
    """Return whether a name stays within its directory."""
    return bool(name) and "\0" not in name and not name.startswith("/") and ".." not in PurePosixPath(name).parts


def check_metadata(directory: str, planned: SourceFile, *, owner: int | None = None) -> Finding:
    """Return the result of checking metadata alone; the state is pending if the file must be read.

    Args:
        directory: the directory that holds it.
        planned: the file as the plan describes it.
        owner: a user; only that user's files are checked, and links are not followed.
    """
    if not is_plain(planned.file):
        return Finding(SourceState.UNREADABLE, "its name leads out of the directory")
    path = f"{directory}/{planned.file}"
    try:
        found = os.stat(path, follow_symlinks=owner is None)  # noqa: PTH116 - for each file every few seconds
    except OSError as error:
        return _absent(path, error)
    except ValueError:
        return Finding(SourceState.MISSING, "its name can't be one of this file system")
    if not stat.S_ISREG(found.st_mode):
        return Finding(SourceState.UNREADABLE, next((text for is_kind, text in _KINDS if is_kind(found.st_mode)), ""))
    if owner not in (None, found.st_uid):
        return Finding(SourceState.UNREADABLE, _FOREIGN)
    return _by_size(planned, found.st_size, _signature(found))


def check_file(
    directory: str,
    planned: SourceFile,
    on_read: Callable[[int], None] = lambda _: None,
    *,
    chunk: int = CHUNK_BYTES,
    owner: int | None = None,
) -> Finding:
    """Return how a file stands, reading it where it must be; pending where it changed while it was read.

    Args:
        directory: the directory that holds it.
        planned: the file as the plan describes it.
        on_read: called with the bytes of each piece read; what it raises ends the reading.
        chunk: bytes read at a time.
        owner: as in `poll`.
    """
    seen = check_metadata(directory, planned, owner=owner)
    if seen.state is not SourceState.PENDING:
        return seen
    try:
        # O_NONBLOCK: where a FIFO has taken the file's place since, opening it must not wait for a writer
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (os.O_NOFOLLOW if owner is not None else 0)
        descriptor = os.open(f"{directory}/{planned.file}", flags)
        try:
            if owner not in (None, os.fstat(descriptor).st_uid):
                return Finding(SourceState.UNREADABLE, _FOREIGN)
            return _read(descriptor, planned, on_read, chunk)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _absent(f"{directory}/{planned.file}", error)


def _read(descriptor: int, planned: SourceFile, on_read: Callable[[int], None], chunk: int) -> Finding:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        return Finding(SourceState.PENDING, "is being replaced")
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    tail = os.pread(descriptor, 2, max(0, before.st_size - 2))
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    expected = parse_digests(planned.digests)
    found = read_digests(descriptor, before.st_size, dict(expected), on_read, chunk)
    signature = _signature(before)
    if _signature(os.fstat(descriptor)) != signature:
        return Finding(SourceState.PENDING, "is being written")
    state, detail = SourceState.VERIFIED, ""
    if wrong := [(name, digest) for name, digest in expected if found[name] != digest]:
        state, detail = _explain(planned, before.st_size, head, tail)
        name, digest = wrong[0]
        detail = detail or f"{name} {found[name][:12]}… instead of {digest[:12]}…"
    return Finding(state, detail, before.st_size, found, signature)


def shrunk(finding: Finding, before: int) -> Finding:
    """Return the finding of a file known to have been right with `before` bytes: one with less ends too early."""
    if finding.state is not SourceState.MISMATCH or finding.size is None or finding.size >= before:
        return finding
    detail = f"{finding.size:,} bytes of {before:,} that it had when it was verified"
    return msgspec.structs.replace(finding, state=SourceState.TRUNCATED, detail=detail)


def _absent(path: str, error: OSError) -> Finding:
    """Return the finding for a file that can't be examined."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        is_link = os.path.islink(path)  # noqa: PTH114 - as above
        return Finding(SourceState.MISSING, "a link to a file that isn't there" if is_link else "no such file")
    if error.errno == errno.ELOOP:
        return Finding(SourceState.UNREADABLE, "a link that leads back to itself")
    return Finding(SourceState.UNREADABLE, (error.strerror or "can't be read").lower())


def _by_size(planned: SourceFile, size: int, signature: Signature) -> Finding:
    expected = parse_digests(planned.digests)
    if planned.size_bytes is not None and size != planned.size_bytes:
        detail = f"{size:,} bytes instead of {planned.size_bytes:,}"
        state = SourceState.TRUNCATED if size < planned.size_bytes else SourceState.MISMATCH
        return Finding(state, detail, size, signature=signature)
    if size == 0:
        is_meant = all(digest_bytes(name, b"") == digest for name, digest in expected)
        if not is_meant or (not expected and planned.size_bytes is None):
            return Finding(SourceState.TRUNCATED, "empty", 0, signature=signature)
    if not expected:
        return Finding(SourceState.UNCHECKED, "", size, signature=signature)
    return Finding(SourceState.PENDING, "", size, signature=signature)


def _explain(planned: SourceFile, size: int, head: bytes, tail: bytes) -> tuple[SourceState, str]:
    """Return the state of a file with different content, and an explanation, which may be empty."""
    if not planned.file.endswith((".html", ".xml")) and head.lstrip().lower().startswith(_PAGES):
        return SourceState.MISMATCH, "a web page, not the file: what a server answered instead"
    about = planned.about_bytes
    if about is not None and size < about * ABOUT_RATIO - 1024:
        return SourceState.TRUNCATED, f"{size:,} bytes of about {about:,}"
    # the last bytes of an xz stream are always these (The .xz File Format, 2.1.2.4)
    if planned.file.endswith((".xz", ".txz")) and head.startswith(b"\xfd7zXZ\0") and tail != b"YZ":
        return SourceState.TRUNCATED, f"ends in the middle after {size:,} bytes"
    return SourceState.MISMATCH, ""


def _signature(found: os.stat_result) -> Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def merged(files: Mapping[str, SourceFile], added: SourceFile) -> SourceFile:
    """Return what is known of a file by the plan's steps, or lists, so far and by one more."""
    known = files.get(added.file)
    if known is None:
        return added
    return SourceFile(
        file=added.file,
        digests=tuple(dict.fromkeys((*known.digests, *added.digests))),
        size_bytes=known.size_bytes if known.size_bytes is not None else added.size_bytes,
        about_bytes=known.about_bytes if known.about_bytes is not None else added.about_bytes,
        url=known.url or added.url,
    )
