"""Lists of checksums as they come with sources, and as build tools keep them; a line each of the forms that are read:

0123456789abcdef0123456789abcdef  foo-1.0.tar.xz               md5sum, sha1sum … sha512sum, b2sum
SHA256 (foo-1.0.tar.xz) = 01234567…                            the same with --tag, BSD
sha256  01234567…  foo-1.0.tar.xz                              Buildroot, package/*/*.hash
DIST foo-1.0.tar.xz 371680 BLAKE2B 0123… SHA512 0123…          Portage, Manifest
https://a.example/foo-1.0.tar.xz https://b.example/… 0123…     jhalfs, urls.lst; the LFS book's wget-list
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from build_exporter.checksums.check import merged
from build_exporter.checksums.digests import by_length, digest_text
from build_exporter.model.events import SourceFile
from build_exporter.model.names import MAX_NAME_LENGTH

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_FILES: Final = 100_000
MAX_PROBLEMS: Final = 20

FOUND_BESIDE: Final = ("urls.lst", "md5sums", "MD5SUMS", "SHA256SUMS", "sha256sums", "SHA512SUMS", "B2SUMS", "Manifest")
"""Checksum files searched for in a directory of sources when none is named."""

_TAGGED: Final = re.compile(r"(\\?)([A-Za-z0-9]+) \((.+)\) = ([0-9A-Fa-f]+)\Z", re.DOTALL)
_PLAIN: Final = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})[ \t][ \t*]?(.+)\Z", re.DOTALL)
_BUILDROOT: Final = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512)[ \t]+([0-9A-Fa-f]+)[ \t]+(\S.*)\Z")
_UNCHECKED: Final = re.compile(r"none[ \t]+\S+[ \t]+(\S.*)\Z")
_DISTFILE: Final = re.compile(r"DIST (\S+) (\d{1,18})((?: [A-Z0-9_]+ [0-9A-Fa-f]+)+)\Z")
_OTHER_ENTRY: Final = re.compile(r"(?:AUX|EBUILD|MISC|DATA|MANIFEST|IGNORE|TIMESTAMP) |-----|Hash: |Comment: ")
_ESCAPED: Final = re.compile(r"\\([\\nr])")
_UNESCAPED: Final = {"\\": "\\", "n": "\n", "r": "\r"}


@dataclass(slots=True)
class ChecksumFile:
    """The content of a checksum file.

    Attributes:
        files: by name, in the order in which they are named; a file named again has the digests of both.
        problems: lines that could not be read, each with its file and number; the first 20.
    """

    files: dict[str, SourceFile] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_checksum_file(path: Path, algorithm: str | None = None) -> ChecksumFile:
    """Read a checksum file.

    Args:
        path: the list.
        algorithm: of digests that don't name theirs; by default `blake2b` instead of `sha512` where the
            list's name says so (`b2sums`, `BLAKE2SUMS`).

    Raises:
        OSError: it can't be read, or is no file.
        ValueError: it is larger than a list may be.
    """
    data = read_regular(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path}: is larger than {MAX_BYTES // 1024**2} MiB")
    if algorithm is None and re.search(r"b2|blake", path.name, re.IGNORECASE):
        algorithm = "blake2b"
    return parse_checksum_file(data, str(path), algorithm)


def parse_checksum_file(data: bytes, name: str, algorithm: str | None = None) -> ChecksumFile:
    """Parse a checksum file; `name` is used in problems.

    Raises:
        ValueError: it names more files than a list may.
    """
    listing = ChecksumFile()
    text = os.fsdecode(data)
    # md5sum -z ends each line by NUL, and escapes nothing
    lines = text.split("\0") if "\0" in text else [line.removesuffix("\r") for line in text.split("\n")]
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")) or _OTHER_ENTRY.match(line):
            continue
        files = list(_files(line, algorithm))
        for each in files:
            listing.files[each.file] = merged(listing.files, each)
        if not files and len(listing.problems) < MAX_PROBLEMS:
            listing.problems.append(f"{name}:{number}: is no line of a list of checksums: {line[:80]!r}")
        if len(listing.files) > MAX_FILES:
            raise ValueError(f"{name}: names more than {MAX_FILES} files")
    return listing


def file_of_url(url: str) -> str | None:
    """Return the name that a download from an address gets; None where the address names no file."""
    name = unquote(urlsplit(url).path.rpartition("/")[2]) if "://" in url else ""
    return name if 0 < len(name) <= MAX_NAME_LENGTH and name not in (".", "..") and "/" not in name else None


def read_regular(path: Path, limit: int) -> bytes:
    """Return the beginning of a file, at most `limit` bytes; never waits, as for who may write into a FIFO.

    Raises:
        OSError: it can't be read, or is no file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        return file.read(limit)


def _files(line: str, algorithm: str | None) -> Iterator[SourceFile]:
    """Yield the file of a line; none where it is of no form known."""
    for form in _FORMS:
        found = form(line, algorithm)
        if found is not None and 0 < len(found.file) <= MAX_NAME_LENGTH:
            yield found
            return


def _plain(line: str, algorithm: str | None) -> SourceFile | None:
    found = _PLAIN.match(line)
    if found is None:
        return None
    guessed = by_length(found[2])
    # a program's digest of 128 digits is sha512 or blake2b, and only the list's author knows
    named = algorithm if algorithm is not None and digest_text(algorithm, found[2]) else guessed
    return _file(named, found[2], _name(found[3], found[1]))


def _tagged(line: str, _: str | None) -> SourceFile | None:
    found = _TAGGED.match(line)
    return None if found is None else _file(found[2], found[4], _name(found[3], found[1]))


def _buildroot(line: str, _: str | None) -> SourceFile | None:
    if found := _BUILDROOT.match(line):
        return _file(found[1], found[2], found[3].rstrip())
    unchecked = _UNCHECKED.match(line)
    return SourceFile(file=unchecked[1].rstrip()) if unchecked else None


def _distfile(line: str, _: str | None) -> SourceFile | None:
    found = _DISTFILE.match(line)
    if found is None:
        return None
    words = found[3].split()
    digests = [digest_text(*pair) for pair in zip(words[::2], words[1::2], strict=True)]
    return SourceFile(file=found[1], digests=tuple(filter(None, digests)), size_bytes=int(found[2]))


def _address(line: str, _: str | None) -> SourceFile | None:
    words = line.split()
    addresses = [word for word in words if "://" in word]
    rest = words[len(addresses) :]
    if not addresses or words[: len(addresses)] != addresses or len(rest) > 1:
        return None
    # jhalfs lists the origin, then the preferred mirror; the file has the name of the download
    name = file_of_url(addresses[-1])
    algorithm = by_length(rest[0]) if rest else None
    digest = digest_text(algorithm, rest[0]) if algorithm else None
    # for a few files the book's text is a placeholder (BOOTSCRIPTS-MD5SUM) that is no digest
    return SourceFile(file=name, digests=(digest,) if digest else (), url=addresses[0][:2000]) if name else None


def _file(algorithm: str | None, hexadecimal: str, name: str) -> SourceFile | None:
    digest = digest_text(algorithm, hexadecimal) if algorithm else None
    return SourceFile(file=name.removeprefix("./"), digests=(digest,)) if digest else None


def _name(text: str, backslash: str) -> str:
    """Return a file's name as its list means it: after a backslash at the line's beginning, those in it are escapes."""
    return _ESCAPED.sub(lambda found: _UNESCAPED[found[1]], text) if backslash else text


_FORMS: Final[tuple[Callable[[str, str | None], SourceFile | None], ...]] = (
    _distfile,
    _buildroot,
    _tagged,
    _plain,
    _address,
)
