"""Whatever a writer writes and however its bytes arrive, looking often and looking once give the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from build_exporter.journal.decode import Decoder
from build_exporter.journal.follow import Follower
from build_exporter.journal.lines import CHUNK_BYTES
from build_exporter.model.events import Event
from build_exporter.model.names import MAX_LINE_BYTES

names = st.text(min_size=1, max_size=20)
times = st.floats(0, 1e9)


def _line(event: str, **fields: Any) -> st.SearchStrategy[bytes]:
    reported = st.fixed_dictionaries({"time": times, "event": st.just(event), "build": st.just("lfs"), **fields})
    return st.builds(
        lambda value, escaped: json.dumps(value, ensure_ascii=escaped).encode("utf-8", "replace"),
        reported,
        st.booleans(),
    )


good_lines = st.one_of(
    _line("note", message=st.text(max_size=200)),
    _line("step_started", phase=names, step=names),
    _line(
        "step_finished",
        phase=names,
        step=names,
        status=st.sampled_from(("succeeded", "failed")),
        exit_code=st.integers(),
    ),
    _line("coffee_made", cups=st.integers()),
)
bad_lines = st.one_of(
    st.binary(max_size=60),
    st.sampled_from((b"", b"{", b"[]", b"{}", b" ", b"\r", b"\0\0\0")),
    st.integers(MAX_LINE_BYTES - 3, MAX_LINE_BYTES + 3).map(lambda size: b"x" * size),
    st.integers(CHUNK_BYTES - 3, CHUNK_BYTES + 3).map(lambda size: b"y" * size),
    # two objects on a line, and one over two
    st.tuples(good_lines, good_lines).map(b"".join),
    good_lines.map(lambda line: line.replace(b",", b",\n", 1)),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    """Bytes a run's file may hold, and where they are cut."""
    lines = draw(st.lists(st.one_of(good_lines, good_lines, bad_lines), max_size=25))
    data = b"\n".join(lines) + draw(st.sampled_from((b"", b"\n")))
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=8))
    return data, sorted(cuts)


@contextmanager
def _journal() -> Iterator[tuple[Follower, Path]]:
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "lfs" / "20260101T000000Z.jsonl"
        path.parent.mkdir()
        path.touch()
        follower = Follower(root, Decoder(lambda: 1e9))
        yield follower, path
        follower.close()


def _events(follower: Follower) -> list[Event]:
    return [event for batch in follower.poll() for event in batch.events]


@given(streams())
def test_looking_in_between_changes_nothing(stream: tuple[bytes, list[int]]) -> None:
    """The same events in the same order, and the same counts of bad lines, wherever a poll falls between two bytes."""
    data, cuts = stream
    with _journal() as (once, path):
        path.write_bytes(data)
        whole = _events(once)
    with _journal() as (often, path), path.open("ab", buffering=0) as file:
        reported: list[Event] = []
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            file.write(data[begin:end])
            reported += _events(often)
    assert reported == whole
    assert often.decoder.rejected == once.decoder.rejected
    assert often.decoder.unknown_events == once.decoder.unknown_events


@given(st.lists(st.one_of(good_lines, bad_lines), max_size=15), good_lines)
def test_nothing_hides_the_line_after_it(before: list[bytes], line: bytes) -> None:
    """Whatever stands before a good line, once its line has ended the good one is taken."""
    with _journal() as (follower, path):
        path.write_bytes(b"\n".join(before) + b"\n")
        _events(follower)
        known = follower.decoder.unknown_events + follower.decoder.rejected.total()
        with path.open("ab") as file:
            file.write(line + b"\n")
        taken = len(_events(follower))
        assert taken + follower.decoder.unknown_events + follower.decoder.rejected.total() == known + 1
