"""The rule for build names; separate from `model.names`, which is too slow to load before a step."""

from __future__ import annotations

_BUILD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")


def is_build_name(name: str) -> bool:
    """Return whether `name` may name a line of builds."""
    return 0 < len(name) <= 100 and _BUILD_CHARACTERS.issuperset(name) and name.strip(".") != ""
