"""A step's name without number and version, which identifies it in another run.

502-gcc-pass1 -> gcc-pass1, Cus-025-cmake -> cmake, 875-01-libarchive -> libarchive, 601-m4-build_2 -> m4-build_2,
sys-devel/llvm-12.0.0 (version 12.0.0) -> sys-devel/llvm, acl-2.3.2-r0 (version 2.3.2) -> acl
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

Name = tuple[str, str]
"""Phase and bare name."""

_NUMBER: Final = re.compile(r"^(?:(?:\d{3,4}|Cus)-(?:\d{2,3}-)?(?=[A-Za-z]))")
_NUMBERED: Final = "0123456789C"
_PASS: Final = re.compile(r"-(?:pass|build_)\d$")


@lru_cache(maxsize=2048)
def name_of(phase: str, step: str, version: str | None) -> Name:
    """Return a step's phase and bare name."""
    bare = _NUMBER.sub("", step) if step[:1] in _NUMBERED else step
    if version:
        head, found, _ = bare.partition(f"-{version}")
        bare = head if found and head else bare
    return (phase, bare.lower())


def package_of(name: Name, package: str | None) -> str:
    """Return what a step builds: the package it names, else its name without the number of a pass."""
    bare = name[1]
    if package:
        return package.lower()
    return _PASS.sub("", bare) if "-pass" in bare or "-build_" in bare else bare
