"""Find versions in files: by the text a program would print, or by its directories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from build_exporter.toolchain.files import Files

VERSION: Final = re.compile(r"\d{1,4}(?:\.\d{1,6}){0,4}\Z")
"""A version that names a directory."""

TRIPLET: Final = re.compile(r"[a-z0-9_]{2,20}(?:-[A-Za-z0-9_.]{1,30}){1,3}\Z")
"""A machine, a vendor that may be missing, a kernel and what programs are linked with."""

_TRIPLET_TEXT: Final = rb"[a-z0-9_]{2,20}(?:-[a-z0-9_]{1,20}){1,3}"
_MAKE_VERSION: Final = rb"(\d\.\d{1,2}(?:\.\d{1,3}){0,2})"

_TEXTS: Final[dict[str, re.Pattern[bytes]]] = {
    "gcc": re.compile(rb"GCC: \([^()\0]{0,100}\) (\d{1,3}\.\d{1,3}\.\d{1,3})[ \0]"),
    # distributions put their own name, or the word version, in place of "(GNU Binutils)"
    "binutils": re.compile(
        rb"\0(?:\([^()\0]{1,100}\)|version) (\d{1,3}\.\d{1,3}(?:\.\d{1,8}){0,2})[-+A-Za-z0-9._]{0,40}\0"
    ),
    "glibc": re.compile(
        rb"GNU C Library \([^()\0\n]{0,100}\) (?:stable|development) release version "
        rb"(\d{1,3}\.\d{1,3}(?:\.\d{1,6}){0,2})"
    ),
    # its version stands beside the triplet it was made for
    "make": re.compile(
        _TRIPLET_TEXT + rb"\0{1,8}" + _MAKE_VERSION + rb"\0|\0" + _MAKE_VERSION + rb"\0{1,8}" + _TRIPLET_TEXT + rb"\0"
    ),
    "musl": re.compile(rb"\0(\d\.\d{1,2}\.\d{1,3})\0"),
    "rust": re.compile(rb"rustc version (\d{1,3}\.\d{1,4}\.\d{1,3}(?:-[a-z]{1,10}(?:\.\d{1,3})?)?) \("),
    "linux-headers": re.compile(rb"#define[ \t]{1,9}LINUX_VERSION_CODE[ \t]{1,9}(\d{1,10})\b"),
}

_SIGNS: Final[dict[str, re.Pattern[bytes]]] = {
    "binutils": re.compile(rb"GNU (?:ld|assembler) (?:version )?%s"),
    "make": re.compile(rb"GNU Make %s"),
    "musl": re.compile(rb"musl libc \("),
}
"""Further text required in a file whose version text is ambiguous."""


def version_in(files: Files, tool: str, path: Path) -> str | None:
    """Return the version found in a tool's file, None if there is none."""
    sign = _SIGNS.get(tool)
    if sign is not None and files.find(path, sign) is None:
        return None
    found = files.find(path, _TEXTS[tool])
    if found is None:
        return None
    text = found.decode("ascii")
    return _kernel_version(int(text)) if tool == "linux-headers" else text


def _kernel_version(code: int) -> str:
    """Return the version in `LINUX_VERSION_CODE`; its last part stops at 255."""
    return f"{code >> 16}.{code >> 8 & 0xFF}.{code & 0xFF}"


def by_age(version: str) -> tuple[int, ...]:
    """Return what versions are sorted by, the newest last."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version))
