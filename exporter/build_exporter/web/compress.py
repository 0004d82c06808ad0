"""gzip for answers: the accelerated library where it is installed, the standard one elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final

MIN_BYTES: Final = 512
"""Below this an answer is sent as it is."""


def _choose() -> Callable[[bytes], bytes]:
    try:
        from isal import igzip  # noqa: PLC0415
    except ImportError:
        return lambda data: gzip.compress(data, compresslevel=1, mtime=0)
    return lambda data: bytes(igzip.compress(data, compresslevel=1, mtime=0))


compress: Final = _choose()


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    allowed: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (p.strip() for p in part.split(";"))
        allowed[coding] = not any(p.startswith("q=0") and not p.strip("q=0.") for p in parameters)
    return allowed.get("gzip", allowed.get("*", False))
