"""Nine complete LFS builds of others: what their trees say."""

from __future__ import annotations

import csv
import re
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree

TREES = (
    "20240216.systemd", "20240216.systemd-multilib", "20240216.sysv-m32", "20240220.x32", "20240222.systemd",
    "20240308.x32", "20240309.x32m64-sysv", "20240330.sysv", "20240502.sysv-m32",
)  # fmt: skip


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
        step, reported = steps[row["target"]], row["secs_from_report"]
        if row["totalseconds"]:
            assert step.seconds == float(reported)
        elif reported:
            assert step.seconds == pytest.approx(float(reported), abs=30), row["target"]
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


def test_real_failures(records: Path, tree: Tree, imported: Callable[[Path], Run]) -> None:
    """Real logs of a failed build, without stamps: the step before succeeded, the last failed, by its own words."""
    planned = type(tree.steps[0])
    tree.plan = {
        "CHROOT": [planned("869-jinja2", 8, "3.1.4"), planned("870-systemd", 8, "255"), planned("871-dbus", 8)]
    }
    tree.write_makefile()
    # nothing else says whose CST the first log's is
    tree.put("jhalfs.config", "TIMEZONE <Asia/Shanghai>\n")
    for name in ("869-jinja2-3.1.4", "870-systemd-255"):
        shutil.copyfile(records / f"jhalfs/failed/{name}.874ad464.excerpt.log", tree.path / "logs" / name)
    run = imported(tree.path)
    assert next((s.step, s.state.label, s.seconds) for s in run.steps.values()) == ("869-jinja2", "succeeded", 1)
    failed = next(s for s in run.steps.values() if s.step == "870-systemd")
    assert (failed.state.label, str(run.state)) == ("failed", "failed")
    assert failed.message is not None
    assert "Unknown filesystems defined in kernel headers" in failed.message
    assert run.run == "20240610T112736Z"


def test_build_that_died_before_its_first_step(records: Path, tmp_path: Path) -> None:
    """A real build whose downloads failed has a Makefile and no step begun, and is reported so."""
    failed = records / "jhalfs/failed"
    (tmp_path / "logs").mkdir()
    shutil.copyfile(failed / "Makefile.3ef44ba.failed-before-start", tmp_path / "Makefile")
    shutil.copyfile(failed / "000-masterscript.1208fde9.log", tmp_path / "logs/000-masterscript.log")
    source = Jhalfs(Settings(tmp_path))
    assert source.build == "lfs-trunk-systemd"
    assert list(source.poll(time.time())) == []
    with pytest.raises(SourceError, match="no step of the Makefile has been begun"):
        list(source.poll(time.time(), over=True))


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
    reported = re.search(r"\[gcc-pass1-.*?Required space to build the package:\s*(-?\d+) KB", text, re.DOTALL)
    assert reported is not None
    gcc = next(step for step in run.steps.values() if step.step == "502-gcc-pass1")
    assert gcc.disk_bytes == int(reported[1]) * 1024
    # tidying up leaves less than there was before
    assert next(step for step in run.steps.values() if step.step == "711-cleanup").disk_bytes is None
