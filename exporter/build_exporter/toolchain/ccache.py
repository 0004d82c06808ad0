"""Statistics of ccache, read from its files without starting it.

Each of a cache's directories `0` to `f`, and since ccache 4 each of theirs, may have a file `stats`: a number a line,
whose meaning is its place. The places have kept their meaning since ccache 3; newer versions add some at the end. A
cache's counters are the sums over its files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.toolchain.files import Files
from build_exporter.toolchain.processes import ProcessFacts

_DIGITS: Final = "0123456789abcdef"
_PLACES: Final = ("", *(f"/{each}" for each in _DIGITS))
_MISSES, _PREPROCESSED, _FILES, _KIBIBYTES, _DIRECT, _CLEANUPS = 4, 8, 11, 12, 22, 29
_ERRORS: Final = (3, 6, 7, 16, 25, 26)
_UNCACHEABLE: Final = (1, 2, 5, 9, 10, 15, 17, 18, 19, 20, 21, 23, 24, 27, 28, 30, 32, 41, 42)
_MAX_COUNTERS: Final = 256
_MAX_COUNT: Final = 1 << 53

_MAX_SIZE: Final = re.compile(
    r"^[ \t]*max_size[ \t]*=[ \t]*([0-9]{1,9}(?:\.[0-9]{1,6})?)[ \t]*([kKMGT]?)(i?)B?[ \t]*$", re.MULTILINE
)
_POWERS: Final = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "": 3}


@dataclass(frozen=True, slots=True)
class Statistics:
    """A cache's counters since they were last set to zero, and its size.

    Attributes:
        direct_hits: compilations answered from the sources alone.
        preprocessed_hits: those answered after the preprocessor.
        misses: those that had to be done.
        uncacheable: calls that can't be cached, for linking as an example.
        errors: calls that failed in ccache.
        cleanups: how often old results were removed to make room.
        files: in the cache.
        bytes: their size.
        limit_bytes: the size that the cache's own configuration allows; None if it sets none.
    """

    direct_hits: int
    preprocessed_hits: int
    misses: int
    uncacheable: int
    errors: int
    cleanups: int
    files: int
    bytes: int
    limit_bytes: int | None


def read_statistics(files: Files, cache: Path) -> Statistics | None:
    """Return a cache's statistics, None without readable files."""
    totals = [0] * _MAX_COUNTERS
    found = False
    for first in _DIGITS:
        for second in _PLACES:
            text = files.read(cache / f"{first}{second}/stats", 8192)
            if text:
                found = True
                _add(totals, text)
    if not found:
        return None
    return Statistics(
        direct_hits=totals[_DIRECT],
        preprocessed_hits=totals[_PREPROCESSED],
        misses=totals[_MISSES],
        uncacheable=sum(totals[place] for place in _UNCACHEABLE),
        errors=sum(totals[place] for place in _ERRORS),
        cleanups=totals[_CLEANUPS],
        files=totals[_FILES],
        bytes=totals[_KIBIBYTES] * 1024,
        limit_bytes=size_limit(files.read(cache / "ccache.conf").decode("utf-8", "replace")),
    )


def _add(totals: list[int], text: bytes) -> None:
    for place, word in enumerate(text.split()[:_MAX_COUNTERS]):
        # most are 0; a damaged file costs its own share
        if word != b"0" and word.isdigit() and len(word) < 17:
            totals[place] = min(totals[place] + int(word), _MAX_COUNT)


def size_limit(configuration: str) -> int | None:
    """Return the `max_size` of a `ccache.conf` in bytes, None where it has none or has 0, which is no limit."""
    found = _MAX_SIZE.findall(configuration)
    if not found:
        return None
    number, unit, binary = found[-1]
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[unit]) or None


def cache_directory(facts: ProcessFacts) -> Path | None:
    """Return where the cache of a build is whose processes use ccache, as ccache finds it; None for others.

    That is `CCACHE_DIR`, else `~/.ccache` where it exists, else `ccache` in the user's directory of caches.
    """
    if "ccache" not in facts.helpers:
        return None
    variables = facts.variables
    if "CCACHE_DIR" in variables:
        return _in_root(facts, variables["CCACHE_DIR"])
    home = _in_root(facts, variables.get("HOME", ""))
    if home is not None and os.path.isdir(home / ".ccache"):  # noqa: PTH112 - no error is one
        return home / ".ccache"
    caches = _in_root(facts, variables.get("XDG_CACHE_HOME", ""))
    if caches is not None:
        return caches / "ccache"
    return home / ".cache/ccache" if home is not None else None


def _in_root(facts: ProcessFacts, path: str) -> Path | None:
    """Return a path of the build's processes as this one sees it; None unless it is absolute."""
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        return None
    return Path(path) if facts.root is None else facts.root / path.lstrip("/")


def state_directory(facts: ProcessFacts) -> Path | None:
    """Return where the distcc of a build keeps what its jobs are doing; None where the build uses none."""
    if "distcc" not in facts.helpers:
        return None
    if "DISTCC_DIR" in facts.variables:
        directory = _in_root(facts, facts.variables["DISTCC_DIR"])
    else:
        home = _in_root(facts, facts.variables.get("HOME", ""))
        directory = home / ".distcc" if home is not None else None
    return directory / "state" if directory is not None else None
