"""Names of builds from jhalfs' settings and the book's version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from build_exporter.model import events as e
from build_exporter.model.names import build_name_from

TEST_SCOPES: Final[Mapping[str, e.TestScope]] = {"0": "none", "1": "critical", "2": "all", "3": "all"}
"""Values of jhalfs' setting TEST; 3 was "all, and those of the temporary tools" in older versions."""

_RELEASE: Final = re.compile(r"(r?)(\d+(?:\.\d+)*)(?:-rc\d+|-\d+)*((?:-[A-Za-z]\w*)*)$")


def name_after(book: str, settings: Mapping[str, str]) -> str:
    """Return a name for the line of builds of a book, the same for every development version of it.

    Args:
        book: its version: `12.4`, `12.4-systemd`, `r12.4-31-systemd`.
        settings: of `jhalfs.config`.
    """
    version = book or settings.get("COMMIT", "")
    found = _RELEASE.match(version)
    if found:
        version = ("trunk" if found[1] else found[2]) + found[3]
    parts = ["lfs", version, _multilib(settings)]
    return build_name_from("-".join(part for part in parts if part))


def target_of(settings: Mapping[str, str]) -> str | None:
    """Return the target by the settings: the init system and the multilib variant."""
    parts = [settings.get("INITSYS", ""), _multilib(settings)]
    return "-".join(part for part in parts if part) or None


def _multilib(settings: Mapping[str, str]) -> str:
    """Return which multilib build it is, empty for none: by its setting, in older versions by the book's branch."""
    variant = settings.get("MULTILIB", "")
    if variant not in {"", "default"}:
        return variant
    return "multilib" if settings.get("COMMIT", "").startswith("multilib") else ""


def jobs_of(settings: Mapping[str, str]) -> int | None:
    """Return how many jobs a step's make is given, None if the settings don't say."""
    text = settings.get("N_PARALLEL", "").strip()
    return int(text) if text.isdecimal() and 0 < len(text) < 6 else None


def tests_of(settings: Mapping[str, str]) -> e.TestScope | None:
    """Return which test suites are run, None if the settings don't say."""
    return TEST_SCOPES.get(settings.get("TEST", "").strip())
