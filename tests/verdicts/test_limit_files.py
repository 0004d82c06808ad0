"""Limits as the files of control groups say them, laid out by hand as the kernel's documentation has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_exporter.verdicts.limits import _HEAT as HEAT
from build_exporter.verdicts.limits import Limits

PRESSURE = "some avg10={some} avg60=3.00 avg300=1.00 total=1\nfull avg10={full} avg60=2.00 avg300=0.50 total=1\n"


def cpu_stat(group: Path, periods: int, throttled: int) -> None:
    """Write `cpu.stat` of version 2 (Documentation/admin-guide/cgroup-v2.rst)."""
    group.mkdir(parents=True, exist_ok=True)
    counts = f"nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {throttled * 50_000}\n"
    (group / "cpu.stat").write_text(f"usage_usec 99\nuser_usec 90\nsystem_usec 9\n{counts}nr_bursts 0\nburst_usec 0\n")


class Machine:
    """A machine's /proc and /sys with one process, number 7."""

    def __init__(self, place: Path, cgroup: str | None) -> None:
        self.proc, self.sys = place / "proc", place / "sys"
        self.groups = self.sys / "fs/cgroup"
        (self.proc / "7").mkdir(parents=True)
        self.groups.mkdir(parents=True)
        if cgroup is not None:
            (self.proc / "7/cgroup").write_text(cgroup)

    @property
    def limits(self) -> Limits:
        """The limits of the process."""
        return Limits(7, str(self.proc), str(self.sys))

    def pressure(self, place: Path, full: float) -> None:
        """Write a pressure file."""
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(PRESSURE.format(some=99.0, full=full))


@pytest.mark.parametrize("unified", ["", "unified"])
@pytest.mark.parametrize("above", ["", "build.slice"])
def test_a_quota_of_the_second_version(tmp_path: Path, unified: str, above: str) -> None:
    """A step in 8 of 10 periods held back is throttled by 0.8, by its own group or by one above it."""
    machine = Machine(tmp_path, "0::/build.slice/step.scope\n")
    top = machine.groups / unified
    cpu_stat(top / "build.slice/step.scope", 0, 0)
    limited = top / (above or "build.slice/step.scope")
    cpu_stat(limited, 100, 40)
    limits = machine.limits
    assert limits.throttled(2.0) == 0.0, "what was before the first look does not count"
    cpu_stat(limited, 110, 48)
    assert limits.throttled(2.0) == 0.8
    assert limits.throttled(2.0) == 0.0


def test_memory_high_of_the_second_version(tmp_path: Path) -> None:
    """The group's own pressure counts, as `memory.high` raises it, not that of a machine with enough memory."""
    machine = Machine(tmp_path, "0::/build.slice/step.scope\n")
    machine.pressure(machine.proc / "pressure/memory", 0.0)
    assert machine.limits.memory_pressure() == 0.0
    machine.pressure(machine.groups / "build.slice/step.scope/memory.pressure", 41.2)
    assert machine.limits.memory_pressure() == pytest.approx(0.412)


def test_the_first_version(tmp_path: Path) -> None:
    """Version 1 has quotas by controller and no pressure of a group: the machine's counts."""
    machine = Machine(tmp_path, "5:cpu,cpuacct:/step\n4:memory:/step\n1:name=systemd:/\n")
    machine.pressure(machine.proc / "pressure/memory", 30.0)
    cpu_stat(machine.groups / "cpu,cpuacct/step", 10, 0)
    limits = machine.limits
    limits.throttled(2.0)
    cpu_stat(machine.groups / "cpu,cpuacct/step", 20, 5)
    assert limits.throttled(2.0) == 0.5
    assert limits.memory_pressure() == pytest.approx(0.3)


@pytest.mark.parametrize(("hot", "share"), [(1000, 0.0), (2500, 0.5), (9999, 1.0)])
def test_heat_holds_back_too(tmp_path: Path, hot: int, share: float) -> None:
    """The processor's milliseconds of throttling by heat, since the last look three seconds ago, at most all of it."""
    machine = Machine(tmp_path, None)
    path = machine.sys / HEAT
    path.parent.mkdir(parents=True)
    path.write_text("1000\n")
    limits = machine.limits
    assert limits.throttled(3.0) == 0.0
    path.write_text(f"{hot}\n")
    assert limits.throttled(3.0) == share


@pytest.mark.parametrize(
    ("line", "file", "frozen"),
    [
        ("0::/step\n", "step/cgroup.events", "populated 1\nfrozen {}\n"),
        ("6:freezer:/step\n", "freezer/step/freezer.state", "{}\n"),
    ],
)
def test_a_frozen_group(tmp_path: Path, line: str, file: str, frozen: str) -> None:
    """`docker pause` and `systemctl freeze` are seen in both versions, and their end is."""
    machine = Machine(tmp_path, line)
    assert not machine.limits.is_frozen()
    path = machine.groups / file
    path.parent.mkdir(parents=True)
    thawed, stopped = ("THAWED", "FROZEN") if "freezer" in file else ("0", "1")
    path.write_text(frozen.format(thawed))
    limits = machine.limits
    assert not limits.is_frozen()
    path.write_text(frozen.format(stopped))
    assert limits.is_frozen()


@pytest.mark.parametrize("cgroup", [None, "", "0::/\n", "0::/../../other\n", "1:name=systemd:/\n", "0::/gone\n"])
def test_without_groups_and_pressure(tmp_path: Path, cgroup: str | None) -> None:
    """Nothing is known, and nothing made up, where there are no groups, none of this process, or no pressure."""
    machine = Machine(tmp_path, cgroup)
    limits, outside = machine.limits, machine.sys / "other"
    machine.pressure(outside / "memory.pressure", 30.0)
    cpu_stat(outside, 10, 0)
    assert limits.memory_pressure() is None
    assert limits.throttled(2.0) == 0.0
    cpu_stat(outside, 20, 10)
    assert limits.throttled(2.0) == 0.0, "what is outside of what is mounted here is another's"
