"""Digests of files: the algorithms of checksum files; one read computes all of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

LENGTHS: Final[Mapping[str, int]] = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "blake2b": 128,
}
"""The algorithms, and how many hexadecimal digits a digest of each has."""

CHUNK_BYTES: Final = 1024 * 1024
"""Read at a time: from here on the time between two reads is lost in the time of hashing."""

_HEXADECIMAL: Final = re.compile(r"[0-9a-f]+\Z")


def digest_text(algorithm: str, hexadecimal: str) -> str | None:
    """Return a digest as plans write it, `ALGORITHM:HEXADECIMAL` in lower case; None where it is none."""
    algorithm, hexadecimal = algorithm.lower(), hexadecimal.lower()
    if len(hexadecimal) != LENGTHS.get(algorithm) or not _HEXADECIMAL.match(hexadecimal):
        return None
    return f"{algorithm}:{hexadecimal}"


def parse_digests(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return algorithm and hexadecimal of the digests that can be compared; others are left out."""
    found = (digest_text(*text.partition(":")[::2]) for text in texts)
    return [(text.partition(":")[0], text.partition(":")[2]) for text in found if text is not None]


def by_length(hexadecimal: str) -> str | None:
    """Return the algorithm whose digests are so long, None for none; of the two with 128 digits sha512."""
    return next((name for name, length in LENGTHS.items() if length == len(hexadecimal)), None)


def digest_bytes(algorithm: str, data: bytes) -> str:
    """Return the digest of some bytes in hexadecimal."""
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def read_digests(
    descriptor: int, size: int, algorithms: Iterable[str], on_read: Callable[[int], None], chunk: int = CHUNK_BYTES
) -> dict[str, str]:
    """Return the digests of a file's beginning by algorithm, in hexadecimal.

    Args:
        descriptor: of the file, open for reading.
        size: bytes to read; no more is, as a file may grow as fast as it is read.
        algorithms: each is computed in the same reading.
        on_read: called with the number of bytes after each piece; what it raises ends the reading.
        chunk: bytes read at a time.

    Raises:
        OSError: it can't be read.
    """
    # not used for security: FIPS mode refuses MD5 otherwise, and the LFS book has nothing else
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    buffer = bytearray(chunk)
    view = memoryview(buffer)
    while count := os.readv(descriptor, [view[: min(size, chunk)]]):
        size -= count
        for each in hashes.values():
            each.update(view[:count])
        on_read(count)
    return {name: each.hexdigest() for name, each in hashes.items()}
