"""emerge.log with a clock set, damaged lines, emerges that are easily taken for one, and more runs than are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.portage.source import Portage
from build_exporter.sources.protocol import Settings, SourceError

BEGIN = 1_700_000_000


@pytest.fixture
def follow(tmp_path: Path, follower: Callable[..., Any]) -> Callable[..., Any]:
    """Write an emerge.log of `seconds after the beginning: text` and attach to it."""

    def make(*lines: tuple[int, str]) -> Any:
        log = tmp_path / "emerge.log"
        log.write_text("".join(f"{BEGIN + after}: {'' if text[0] == 'S' else ' '}{text}\n" for after, text in lines))
        return follower(lambda: Portage(Settings(log, "gentoo")), tmp_path / "journal")

    return make


def emerge(begin: int, name: str, seconds: int = 20, options: str = "") -> list[tuple[int, str]]:
    """Return the lines of an emerge of one package."""
    return [
        (begin, "Started emerge on: x"),
        (begin, f"*** emerge {options}{name}"),
        (begin + 1, f">>> emerge (1 of 1) {name}-1 to /"),
        (begin + 1 + seconds, f"::: completed emerge (1 of 1) {name}-1 to /"),
        (begin + 1 + seconds, "*** exiting successfully."),
        (begin + 1 + seconds, "*** terminating."),
    ]


@pytest.mark.parametrize("back", [5, 3600])
def test_a_clock_set_back_inside_a_merge(back: int, follow: Callable[..., Any]) -> None:
    """Both packages succeeded: the one meanwhile took no time that is known, the next as long as the log says."""
    follower = follow(
        (0, "Started emerge on: x"),
        (0, "*** emerge app-misc/a app-misc/b"),
        (10, ">>> emerge (1 of 2) app-misc/a-1 to /"),
        (15 - back, "::: completed emerge (1 of 2) app-misc/a-1 to /"),
        (15 - back, ">>> emerge (2 of 2) app-misc/b-1 to /"),
        (45 - back, "::: completed emerge (2 of 2) app-misc/b-1 to /"),
        (45 - back, "*** exiting successfully."),
    )
    follower.poll(over=True)
    (run,) = follower.runs()
    a, b = run.steps["merge", "app-misc/a-1"], run.steps["merge", "app-misc/b-1"]
    assert (run.state.name, a.state.name, b.state.name) == ("SUCCEEDED",) * 3
    assert (a.seconds, b.seconds) == (max(0, 5 - back), 30.0)
    assert run.end >= b.end >= b.start >= a.end >= a.start
    follower.restart()
    assert follower.poll(over=True) == 0


def test_a_damaged_end_gives_no_duration(follow: Callable[..., Any]) -> None:
    """A package whose last line is damaged took no longer than until the next began, not until emerge ended."""
    follower = follow(
        (0, "Started emerge on: x"),
        (0, "*** emerge app-misc/a app-misc/b app-misc/c"),
        (10, ">>> emerge (1 of 3) app-misc/a-1 to /"),
        (30, "::: completed emerge (1of3) app-misc/a-1"),
        (31, ">>> emerge (2 of 3) app-misc/b-1 to /"),
        (40, "::: completed emerge (2 of 3) app-misc/b-1 to /"),
        (50, ">>> emerge (3 of 3) app-misc/c-1 to /"),
        (60, "::: completed emerge (3 of 3) app-misc/c-1 to /"),
        (3000, "*** exiting successfully."),
    )
    follower.poll(over=True)
    (run,) = follower.runs()
    found = run.steps["merge", "app-misc/a-1"]
    assert (found.state.name, found.seconds) == ("SUCCEEDED", 21.0)


def test_a_second_emerge_is_no_renumbering(follow: Callable[..., Any]) -> None:
    """An emerge stopped while another worked out what to do is not taken for one that continues after a failure."""
    follower = follow(
        (0, "Started emerge on: x"),
        (0, "*** emerge app-misc/a app-misc/b"),
        (10, ">>> emerge (1 of 5) app-misc/a-1 to /"),
        (90, "Started emerge on: x"),
        (90, "*** emerge app-misc/c"),
        (100, "*** terminating."),
        (104, ">>> emerge (1 of 1) app-misc/c-1.2-r3 to /"),
        (200, "::: completed emerge (1 of 1) app-misc/c-1.2-r3 to /"),
        (200, "*** exiting successfully."),
    )
    follower.poll(over=True)
    first, second = follower.runs()
    stopped = first.steps["merge", "app-misc/a-1"]
    assert (first.state.name, stopped.state.name, stopped.end) == ("INTERRUPTED", "INTERRUPTED", BEGIN + 100)
    assert (second.state.name, second.start, list(second.steps)) == (
        "SUCCEEDED",
        BEGIN + 90,
        [("merge", "app-misc/c-1.2-r3")],
    )


@pytest.mark.parametrize(("shift", "words"), [(2_400_000_000, "later than"), (-BEGIN + 1000, "before the year 2000")])
def test_lines_of_a_clock_far_off_are_reported(shift: int, words: str, follow: Callable[..., Any]) -> None:
    """Lines that no build can have written then are left out: a note says so, or an error where it is all."""
    odd = emerge(shift, "app-misc/a")
    follower = follow(*odd, *emerge(0, "app-misc/b"))
    follower.poll(over=True)
    (run,) = follower.runs()
    assert list(run.steps) == [("merge", "app-misc/b-1")]
    assert words in run.notes[0][1]
    with pytest.raises(SourceError, match=words):
        follow(*odd).poll(over=True)


def test_no_run_of_an_outage_is_lost(follow: Callable[..., Any]) -> None:
    """Attached again after more emerges than a first look reports, all since the last one known are reported."""
    lines = [line for number in range(5) for line in emerge(number * 100, f"app-misc/p{number}")]
    follow(*lines).poll()
    lines += [line for number in range(5, 90) for line in emerge(number * 100, f"app-misc/p{number}")]
    follower = follow(*lines)
    follower.poll()
    assert len(follower.runs()) == 90


def test_the_word_of_an_exit_is_the_end(follow: Callable[..., Any]) -> None:
    """An emerge that failed after all was merged has failed then, whatever it says some seconds later."""
    lines = [
        *emerge(0, "app-misc/a")[:-2],
        (30, "*** exiting unsuccessfully with status '1'."),
        (33, "*** terminating."),
    ]
    follower = follow(*lines)
    follower.poll()
    (run,) = follower.runs()
    assert (run.state.name, run.ends) == ("FAILED", [BEGIN + 30])
