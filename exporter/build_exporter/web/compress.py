"""gzip for answers: the accelerated library where it is installed, the standard one elsewhere."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Final

MIN_BYTES: Final = 512
"""Below this an answer is sent as it is."""
KEPT_BYTES: Final = 4096
"""Parts from this size on are compressed on their own and kept; smaller ones are compressed together."""

_HEAD: Final = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"
"""No name and no time, the fastest level, an unknown system; see RFC 1952."""
_LAST_BLOCK: Final = b"\x03\0"
"""An empty block that ends a stream of RFC 1951."""


def _choose() -> ModuleType:
    try:
        from isal import isal_zlib  # noqa: PLC0415
    except ImportError:
        return zlib
    return isal_zlib


_library: Final = _choose()


class Packer:
    """Makes one gzip stream of an answer in parts; what a large part was compressed to is kept for the next answer.

    A part is recognised by being the very object of the answer before. One thread may use it at a time.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, bytes]] = {}

    def pack(self, parts: Sequence[bytes]) -> bytes:
        """Return the parts, joined, as gzip."""
        packed, kept, crc, size = [_HEAD], {}, 0, 0
        for part, is_joined in _pieces(parts):
            known = self._kept.get(id(part))
            if known is None or known[0] is not part:
                known = (part, _deflate(part))
            if not is_joined:
                kept[id(part)] = known
            packed.append(known[1])
            crc, size = _library.crc32(part, crc), size + len(part)
        self._kept = kept
        packed += (_LAST_BLOCK, crc.to_bytes(4, "little"), (size % 2**32).to_bytes(4, "little"))
        return b"".join(packed)


def compress(data: bytes) -> bytes:
    """Return data as gzip."""
    return Packer().pack((data,))


def _pieces(parts: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield large parts as they are, and the small ones between them joined; with each whether it is such a joint."""
    begin = 0
    for place in [place for place, part in enumerate(parts) if len(part) >= KEPT_BYTES]:
        yield b"".join(parts[begin:place]), True
        yield parts[place], False
        begin = place + 1
    yield b"".join(parts[begin:]), True


def _deflate(data: bytes) -> bytes:
    """Return data compressed on its own: it ends at a whole byte, and nothing after it refers to it."""
    if not data:
        return b""
    stream = _library.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return bytes(stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH))


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    allowed: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (p.strip() for p in part.split(";"))
        allowed[coding] = not any(p.startswith("q=0") and not p.strip("q=0.") for p in parameters)
    return allowed.get("gzip", allowed.get("*", False))
