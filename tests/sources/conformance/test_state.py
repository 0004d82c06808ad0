"""The same final state whoever followed a record from whenever, and what it looked like on the way."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from build_exporter.sources.attach import Attachment

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record
MOMENTS = 20
LOOKS = 100
"""Moments at which whoever follows from the start looks, besides."""

PAST_RUNS = {"ninja": 1, "portage": 50, "buildroot": 50, "bitbake": 10}
"""Runs of the past that attaching late shows, as each kind's page says."""


def test_same_end_however_it_is_followed(record: Record, put: Callable[..., Place]) -> None:
    """Followed from the start, restarted twenty times, attached late at twenty moments: the state is the import's."""
    place = put(record)
    chance = random.Random(record.name)
    pieces = range(1, len(record.pieces) + 1)
    marked = set(chance.sample(pieces, min(MOMENTS, len(pieces))))
    stride = max(1, len(pieces) // LOOKS)
    followed: dict[str, Attachment] = {"from the start": place.attach("from the start")}
    for index in pieces:
        place.write(index)
        looking = [each for name, each in followed.items() if not name.startswith("late")]
        if index in marked:
            if "restarted" in followed:
                followed.pop("restarted").close()
            followed["restarted"], followed[f"late {index}"] = place.attach("restarted"), place.attach(f"late {index}")
            looking = [followed["from the start"], followed["restarted"], followed[f"late {index}"]]
        for each in looking if index in marked or index % stride == 0 else ():
            place.poll(each)
    followed["imported"] = place.attach("imported")
    for each in followed.values():
        each.poll(place.now, over=True)
    wanted = place.state("imported")
    assert wanted
    for name in followed:
        found = place.state(name)
        for run, state in found.items():
            assert state.splitlines() == wanted[run].splitlines(), name
        past = len(wanted) if name == "from the start" else min(len(wanted), PAST_RUNS.get(record.kind, 1))
        assert sorted(found)[-past:] == sorted(wanted)[-past:], name
        lines = place.lines(name)
        assert len(lines) == len(set(lines)), f"{name}: emitted twice"
    for name in ("from the start", "restarted", next(iter(name for name in followed if name.startswith("late")))):
        assert place.attach(name).poll(place.now) == 0, f"{name}: a restart emits something new"


def test_two_exporters_on_one_journal_make_one_build(record: Record, put: Callable[..., Place]) -> None:
    """A second exporter that watches the same record into the same journal, by mistake, adds no step and no attempt."""
    place = put(record)
    both = [place.attach("twice"), place.attach("twice")]
    stride = max(1, len(record.pieces) // LOOKS)
    for index in range(1, len(record.pieces) + 1):
        place.write(index)
        for each in both if index % stride == 0 else ():
            place.poll(each)
    alone = place.attach("alone")
    for each in (*both, alone):
        each.poll(place.now, over=True)
    wanted = place.state("alone")
    assert wanted
    found = place.state("twice")
    for run, state in wanted.items():
        # a note of both is there twice
        assert set(found[run].splitlines()) == set(state.splitlines()), run
