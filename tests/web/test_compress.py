"""gzip of answers in parts: the stream every client reads, and what is not compressed twice."""

from __future__ import annotations

import gzip
import random
import subprocess
import zlib

import pytest

from build_exporter.web import compress as module
from build_exporter.web.compress import KEPT_BYTES, Packer, compress


def noise(seed: int, size: int) -> bytes:
    """Return bytes that compress a little."""
    return bytes(random.Random(seed).choices(b"abcdefgh", k=size))


@pytest.fixture(params=["as installed", "zlib"])
def packer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Packer:
    """Return a packer with the installed library, and with the standard one."""
    if request.param == "zlib":
        monkeypatch.setattr(module, "_library", zlib)
    return Packer()


def test_parts_become_one_stream_that_every_client_reads(packer: Packer) -> None:
    """A scrape in parts arrives as it is, whatever their sizes, by readers that take only one member of a file."""
    large, larger = noise(1, KEPT_BYTES), noise(2, 300_000)
    for parts in ([], [b""], [b"a"], [b"a", large, b"b", b"c", larger], [larger, large], [large, larger, b"end"]):
        packed, whole = packer.pack(parts), b"".join(parts)
        assert gzip.decompress(packed) == whole
        reader = zlib.decompressobj(wbits=31)
        assert reader.decompress(packed) == whole
        assert (reader.eof, reader.unused_data) == (True, b"")
    assert subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout == whole
    assert gzip.decompress(compress(larger)) == larger


def test_only_what_changed_is_compressed_again(packer: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a scrape of thousands of finished steps only the changed family costs anything; old ones are let go."""
    compressed: list[bytes] = []
    deflate = module._deflate

    def noted(data: bytes) -> bytes:
        compressed.append(data)
        return deflate(data)

    monkeypatch.setattr(module, "_deflate", noted)
    still, before, after = noise(3, 50_000), noise(4, KEPT_BYTES), noise(5, KEPT_BYTES)
    for middle, small, expected in (
        (before, b"1", [b"1", still, before]),
        (before, b"2", [b"2"]),
        (after, b"3", [b"3", after]),
        (before, b"4", [b"4", before]),
    ):
        compressed.clear()
        assert gzip.decompress(packer.pack([small, still, middle])) == small + still + middle
        assert [data for data in compressed if data] == expected


def test_a_part_is_not_taken_for_another_of_its_size(packer: Packer) -> None:
    """An object at the place in memory of one that is gone is compressed itself."""
    for seed in range(20):
        part = noise(seed, KEPT_BYTES)
        assert gzip.decompress(packer.pack([part])) == part
