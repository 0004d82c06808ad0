"""Real emerge logs: counts against what qlop and emlop say of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.tracker import Run

Runs = dict[str, Run]

NOW = time.time()

COUNTS = {
    # merges begun, completed, failed, interrupted; runs succeeded, failed, interrupted
    "clusterhq/emerge.log": (837, 649, 34, 154, 61, 34, 41),
    "compilerscreensaver/emerge.log": (1025, 1002, 10, 13, 32, 10, 13),
    "qlop/aborts.log": (8, 6, 0, 2, 2, 0, 2),
    "qlop/parallel.log": (6, 3, 0, 3, 1, 0, 1),
    "qlop/sync.log": (3, 3, 0, 0, 2, 0, 0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_every_merge_is_counted_once(name: str, records: Path, imported: Callable[..., Runs]) -> None:
    """Each merge of a real log is one attempt, and ended as the log's own lines, counted apart, say."""
    runs = imported(records / "portage" / name).values()
    steps = [step for run in runs for step in run.steps.values()]
    attempts = sum(step.attempts for step in steps)
    by_state = Counter(str(step.state.label) for step in steps)
    by_run = Counter(str(run.state) for run in runs)
    text = (records / "portage" / name).read_text(errors="replace")
    states = ("succeeded", "failed", "interrupted")
    found = (attempts, *(by_state[state] for state in states), *(by_run[state] for state in states))
    assert found == COUNTS[name]
    assert attempts == text.count(">>> emerge (")
    assert by_state["succeeded"] == text.count("::: completed emerge")


def test_durations_are_those_of_qlop(records: Path, imported: Callable[..., Runs]) -> None:
    """The two merges of automake that qlop's test 9 knows took what it says; the two aborted ones are interrupted."""
    runs = imported(records / "portage/qlop/aborts.log").values()
    steps = [s for run in runs for s in run.steps.values() if s.package == "sys-devel/automake"]
    good = {s.version: s.seconds for s in steps if s.state.label == "succeeded"}
    assert good == {"1.11.6": 53 * 60 + 52, "1.9.6-r3": 24 * 60 + 7}
    assert sorted(s.version or "" for s in steps if s.state.label == "interrupted") == ["1.12.6", "1.9.6-r3"]


def test_one_emerge_ending_leaves_the_other_running(
    records: Path, tmp_path: Path, attached: Callable[..., Attachment], runs_of: Callable[[], Runs]
) -> None:
    """The three packages that qlop's test 10 shows as being merged are, after another emerge beside has ended."""
    log = tmp_path / "emerge.log"
    log.write_bytes((records / "portage/qlop/parallel.log").read_bytes())
    attached(log).poll(NOW)
    world, touch = runs_of().values()
    assert {key[1] for key in world.running} == {
        "net-analyzer/wireshark-3.0.4", "kde-frameworks/kxmlgui-5.62.0", "dev-qt/qtmultimedia-5.12.5"
    }  # fmt: skip
    assert str(touch.state) == "succeeded"
    assert touch.start is not None
    assert world.start is not None
    assert touch.start > world.start


def test_binary_merges_are_apart(records: Path, imported: Callable[..., Runs]) -> None:
    """A package merged from a binary has a phase of its own, as it says nothing of how long building takes."""
    runs = list(imported(records / "portage/qlop/sync.log").values())
    assert list(runs[0].steps) == [("binary", "dev-util/ccache-2.3")]
    assert {phase for phase, _ in runs[1].steps} == {"merge"}


def test_side_by_side(records: Path, imported: Callable[..., Runs]) -> None:
    """The parallel log's largest emerge has as many packages at once as its own lines show: 23."""
    runs = imported(records / "portage/clusterhq/emerge.log").values()
    most = 0
    for run in runs:
        moments = [(s.start, 1) for s in run.steps.values() if s.start is not None]
        moments += [(s.end, -1) for s in run.steps.values() if s.end is not None]
        level = 0
        for _, change in sorted(moments):
            level += change
            most = max(most, level)
    assert most == 23


def test_import_is_quick(records: Path, imported: Callable[..., Runs]) -> None:
    """Years of building are imported in less than two seconds."""
    began = time.perf_counter()
    imported(records / "portage/compilerscreensaver/emerge.log")
    assert time.perf_counter() - began < 2
