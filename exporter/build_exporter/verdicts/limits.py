"""Limits on a step's processes: memory pressure, CPU quotas and heat, from the kernel's accounting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FULL: Final = re.compile(r"^full avg10=([\d.]+)", re.MULTILINE)
_HEAT: Final = "devices/system/cpu/cpu0/thermal_throttle/package_throttle_total_time_ms"


class Limits:
    """Reads the limits of one step's control group, else those of the machine."""

    def __init__(self, pid: int, proc: str = "/proc", sys: str = "/sys") -> None:
        """Find the control groups of a process, of both versions."""
        self._proc, self._sys = Path(proc), Path(sys)
        self._groups = self._find(pid, "cpu")
        self._pid = pid
        self._periods: dict[Path, tuple[int, int]] = {}
        self._heat: int | None = None

    def memory_pressure(self) -> float | None:
        """Return the share of the last ten seconds in which all processes waited for memory; None where not known."""
        own = [groups[0] / "memory.pressure" for groups in self._groups if groups]
        for path in (*own, self._proc / "pressure/memory"):
            found = _FULL.search(_text(path))
            if found:
                return float(found[1]) / 100.0
        return None

    def throttled(self, seconds: float) -> float:
        """Return the share of the time since the last call, `seconds` ago, in which a quota or heat held it back."""
        before, self._periods = self._periods, self._read_periods()
        shares = [0.0]
        for group, (periods, held) in self._periods.items():
            if group in before and periods > before[group][0]:
                shares.append((held - before[group][1]) / (periods - before[group][0]))
        hot, self._heat = self._heat, _number(self._sys / _HEAT)
        if hot is not None and self._heat is not None and seconds > 0:
            shares.append((self._heat - hot) / 1000.0 / seconds)
        return min(1.0, max(shares))

    def is_frozen(self) -> bool:
        """Return whether the process's control group is frozen, as by `docker pause`."""
        freezers = self._find(self._pid, "freezer")
        return any(
            "FROZEN" in _text(groups[0] / "freezer.state") or "frozen 1" in _text(groups[0] / "cgroup.events")
            for groups in freezers
            if groups
        )

    def _find(self, pid: int, controller: str) -> list[list[Path]]:
        """Return the groups of a process, each with those above it: a quota holds back all below."""
        base = self._sys / "fs/cgroup"
        unified = base / "unified"
        found = []
        for line in _text(self._proc / str(pid) / "cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            # what begins with .. is outside what is mounted here
            if ".." in path.split("/") or (controllers and controller not in controllers.split(",")):
                continue
            top = base / controllers if controllers else unified if unified.is_dir() else base
            group = top / path.strip("/")
            found.append([each for each in (group, *group.parents) if top in each.parents])
        return found

    def _read_periods(self) -> dict[Path, tuple[int, int]]:
        """Return the quota's periods so far, and those in which the group was held back, of each group with a quota."""
        found = {}
        for group in (each for groups in self._groups for each in groups):
            fields = dict(line.split() for line in _text(group / "cpu.stat").splitlines() if line.count(" ") == 1)
            if int(fields.get("nr_periods", 0)):
                found[group] = int(fields["nr_periods"]), int(fields.get("nr_throttled", 0))
        return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None
