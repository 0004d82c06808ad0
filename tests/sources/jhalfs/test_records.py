"""Nine complete LFS builds of others: what their trees say, and the same end however they are read."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.model.states import StepState
from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Replay

TREES = (
    "20240216.systemd",
    "20240216.systemd-multilib",
    "20240216.sysv-m32",
    "20240220.x32",
    "20240222.systemd",
    "20240308.x32",
    "20240309.x32m64-sysv",
    "20240330.sysv",
    "20240502.sysv-m32",
)

GOLDEN = Path(__file__).parent.parent / "golden"


def summary(run: Run) -> str:
    """Return what a run amounts to, phase by phase."""
    start, end = run.start or 0.0, run.end or 0.0
    lines = [f"{run.run} {run.state} book={run.book} jobs={run.jobs} seconds={end - start:g}"]
    lines += [f"milestone {name}: {time - start:g}" for name, time in run.milestones.items()]
    for name, phase in run.phases.items():
        steps = [step for step in run.steps.values() if step.phase == name]
        counts = " ".join(f"{s.label}={phase.states[s]}" for s in StepState if phase.states[s])
        seconds = sum(step.seconds or 0.0 for step in steps)
        disk = max((step.disk_bytes or 0 for step in steps), default=0)
        lines.append(f"{name}: {counts} attempts={sum(s.attempts for s in steps)} seconds={seconds:g} most_disk={disk}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", TREES)
def test_import_amounts_to_what_it_did_before(name: str, records: Path, imported: Callable[[Path], Run]) -> None:
    """States, counts, durations and milestones of a real build stay what they were checked to be."""
    found = summary(imported(records / "jhalfs/alfs-sysroot" / name))
    golden = GOLDEN / f"jhalfs-{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("name", TREES)
def test_every_duration_is_that_of_jhalfs_own_report(name: str, records: Path, imported: Callable[[Path], Run]) -> None:
    """Each step took what jhalfs' own report at the end of that build says: to the second, or to 30 without a log."""
    record = records / "jhalfs/alfs-sysroot" / name
    run = imported(record)
    steps = {step.step: step for step in run.steps.values()}
    with (record / "steps.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["target"] for row in rows] == list(steps)
    for row in rows:
        step, told = steps[row["target"]], row["secs_from_report"]
        if row["totalseconds"]:
            assert step.seconds == float(told)
        elif told:
            assert step.seconds == pytest.approx(float(told), abs=30), row["target"]
    reported = sum(float(row["secs_from_report"] or 0) for row in rows)
    assert reported > 5000


@pytest.mark.parametrize("name", TREES)
def test_no_time_jumps_where_the_zone_changes(name: str, records: Path, imported: Callable[[Path], Run]) -> None:
    """From the step after glibc the dates are eight hours ahead; the steps still follow one another within minutes."""
    run = imported(records / "jhalfs/alfs-sysroot" / name)
    steps = [step for step in run.steps.values() if step.start is not None]
    for one, other in pairwise(steps):
        assert one.end is not None
        assert other.start is not None
        assert -1 <= other.start - one.end <= 60, other.step


@pytest.mark.parametrize(
    ("name", "stamps"),
    [*((name, True) for name in TREES), *((name, False) for name in TREES[-3:])],
    ids=lambda value: value if isinstance(value, str) else ("stamps" if value else "logs alone"),
)
def test_followed_attached_late_and_restarted_alike(
    name: str,
    stamps: bool,
    records: Path,
    replay: Callable[..., Replay],
    shown: Callable[[Run], str],
) -> None:
    """The build written again, log by log, ends in the state of its import, whoever followed it from whenever."""
    again = replay(records / "jhalfs/alfs-sysroot" / name, stamps=stamps)
    found = {how: shown(run) for how, run in again.follow().items()}
    wanted = shown(again.imported(again.tree))
    assert wanted.split()[1] == "succeeded"
    if not stamps:
        # only the end of the last step, of which the archive tells nothing, was made up by the replay
        assert wanted.splitlines()[:-1] == shown(again.wanted).splitlines()[:-1]
    assert len(found) == 22
    for how, state in found.items():
        assert state == wanted, how


def test_only_what_is_a_tree_is_recognised(records: Path) -> None:
    """`auto` takes trees of jhalfs and their Makefile for what they are, and nothing else."""
    kind = recognise(records / "jhalfs/alfs-sysroot/20240330.sysv")
    assert kind is not None
    assert kind.name == "jhalfs"
    kind = recognise(records / "jhalfs/ft_linux/jhalfs-Makefile")
    assert kind is not None
    assert kind.name == "jhalfs"
    for other in ("jhalfs", "buildroot", "portage", "jhalfs/jhalfs-ci", "no-such-directory"):
        found = recognise(records / other)
        assert found is None or found.name != "jhalfs"


def test_disk_use_is_that_of_the_report(records: Path, imported: Callable[[Path], Run]) -> None:
    """What a package needed on disk is what the report calls the space required to build it."""
    record = records / "jhalfs/alfs-sysroot/20240330.sysv"
    run = imported(record)
    text = next(record.glob("*.report")).read_text(errors="replace")
    told = re.search(r"\[gcc-pass1-.*?Required space to build the package:\s*(-?\d+) KB", text, re.DOTALL)
    assert told is not None
    gcc = next(step for step in run.steps.values() if step.step == "502-gcc-pass1")
    assert gcc.disk_bytes == int(told[1]) * 1024
    # tidying up leaves less than there was before
    assert next(step for step in run.steps.values() if step.step == "711-cleanup").disk_bytes is None
