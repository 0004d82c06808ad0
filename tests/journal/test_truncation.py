"""However the bytes of a run arrive, every good line comes once and every bad one is counted by its reason."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from build_exporter.journal.decode import Decoder, Reason
from build_exporter.journal.follow import Follower
from build_exporter.journal.lines import CHUNK_BYTES
from build_exporter.model.names import MAX_LINE_BYTES

NOTE = b'{"time":1000,"event":"note","build":"lfs","message":"%d"}'
LINES: tuple[tuple[bytes, Reason | None], ...] = (
    (NOTE, None), (NOTE + b"\r", None), (NOTE.replace(b'"%d"', '"%d","x":"日本 😀"'.encode()), None),
    (NOTE[:-9], Reason.NOT_JSON), (NOTE + NOTE, None), (b"\0\0", Reason.NOT_JSON),
    (NOTE[:-9] + NOTE[:-9], Reason.NOT_JSON),
    (b"x" * (MAX_LINE_BYTES - 1), Reason.NOT_JSON), (b"x" * MAX_LINE_BYTES, Reason.TOO_LONG),
    (b"y" * (CHUNK_BYTES - 1), Reason.TOO_LONG), (b"y" * CHUNK_BYTES, Reason.TOO_LONG),
    (b"[]", Reason.NOT_AN_OBJECT), (b"{}", Reason.WRONG_FIELD), (b"\xff", Reason.NOT_UTF8),
    (NOTE.replace(b"1000", b"9e9"), Reason.FUTURE), (NOTE.replace(b"lfs", b"blfs"), Reason.WRONG_BUILD),
)  # fmt: skip
"""Lines a writer may leave, and why each is not taken."""


@given(
    st.lists(st.one_of(st.sampled_from(LINES[:3]), st.sampled_from(LINES)), max_size=20),
    st.sampled_from((b"", b"\n", b'{"event":"coffee_made","time":1,"build":"lfs"}\n')),
    st.lists(st.floats(0, 1), max_size=8),
)
def test_every_good_line_comes_once_wherever_a_poll_falls(
    lines: list[tuple[bytes, Reason | None]], between: bytes, cuts: list[float]
) -> None:
    """Whatever stands before a line, and between whichever two bytes somebody looks, it is read and nothing twice."""
    written = [line.replace(b"%d", b"%d" % number) + b"\n" + between for number, (line, _) in enumerate(lines)]
    data = b"".join(written) + NOTE
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "lfs" / "20260101T000000Z.jsonl"
        path.parent.mkdir()
        follower, found = Follower(root, Decoder(lambda: 1e9)), list[str]()
        with path.open("ab", buffering=0) as file:
            places = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
            for begin, end in pairwise(places):
                file.write(data[begin:end])
                found += [getattr(event, "message", "") for batch in follower.poll() for event in batch.events]
        follower.close()
    events = [line.count(NOTE[:9]) if reason is None else 0 for line, reason in lines]
    assert found == [str(number) for number, count in enumerate(events) for _ in range(count)]
    assert follower.decoder.rejected == Counter(reason for _, reason in lines if reason is not None)
    assert follower.decoder.unknown_events == (len(lines) if b"coffee" in between else 0)
