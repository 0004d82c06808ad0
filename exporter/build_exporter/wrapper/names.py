"""The rule for names of builds, kept apart from `model.names`, which takes too long to load before a step may start."""

from __future__ import annotations

_BUILD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")


def is_build_name(name: str) -> bool:
    """Tell whether `name` may name a line of builds."""
    return 0 < len(name) <= 100 and _BUILD_CHARACTERS.issuperset(name) and name.strip(".") != ""
