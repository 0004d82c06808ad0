"""Resource use of the running steps' own control groups (version 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from build_exporter.collectors.host.files import number_after, read
from build_exporter.exposition import Family

_MICROSECOND: Final = 1e-6

_COUNTERS: Final = (
    ("build_process_cgroup_cpu_seconds_total", "usage", _MICROSECOND),
    ("build_process_cgroup_throttled_seconds_total", "throttled", _MICROSECOND),
    ("build_process_cgroup_read_bytes_total", "read", 1),
    ("build_process_cgroup_written_bytes_total", "written", 1),
    ("build_process_cgroup_oom_kills_total", "oom_kills", 1),
)


@dataclass(slots=True)
class Account:
    """Resources of a build's control groups since they were first seen; counters that none of them has are absent."""

    totals: dict[str, int] = field(default_factory=dict)
    last: dict[str, dict[str, int]] = field(default_factory=dict)

    def follow(self, figures: Mapping[str, Mapping[str, int]]) -> None:
        """Add what each group, named by its path, used since it was last followed."""
        for path, counters in figures.items():
            before = self.last.get(path, {})
            for name, value in counters.items():
                last = before.get(name, value)
                # below what it was: the group was removed and made again under its name
                step = value - last if value >= last else value
                self.totals[name] = self.totals.get(name, 0) + step
        self.last = {path: dict(counters) for path, counters in figures.items()}


class Cgroups:
    """Use of the control groups the root processes are in, where these are not the exporter's own or hold it."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._mount = find_mount(_read(f"{proc}/self/mountinfo"))
        self._own = group_of(_read(f"{proc}/self/cgroup"))
        self._accounts: dict[str, Account] = {}

    def families(self, roots: Mapping[str, Iterable[int]]) -> Iterator[Family]:
        """Return the families for the root processes of each build; empty without control groups of their own."""
        counters = {name: Family(family) for family, name, _ in _COUNTERS}
        memory, peak = Family("build_process_cgroup_memory_bytes"), Family("build_process_cgroup_peak_memory_bytes")
        for build in [build for build in self._accounts if build not in roots]:
            del self._accounts[build]
        for build, pids in roots.items():
            paths = self._paths(pids)
            if paths or build in self._accounts:
                account = self._accounts.setdefault(build, Account())
                account.follow({path: self._counters(path) for path in paths})
                for _, name, factor in _COUNTERS:
                    if name in account.totals:
                        counters[name].add(round(account.totals[name] * factor, 6), build)
            now = [value for path in paths if (value := self._number(path, "memory.current")) is not None]
            most = [value for path in paths if (value := self._number(path, "memory.peak")) is not None]
            if now:
                memory.add(sum(now), build)
            if most:
                peak.add(max(most), build)
        yield from (*counters.values(), memory, peak)

    def _paths(self, pids: Iterable[int]) -> list[str]:
        """Return the outermost groups that hold the processes and not the exporter."""
        if not self._mount:
            return []
        found: set[str] = set()
        for pid in pids:
            path = group_of(_read(f"{self._proc}/{pid}/cgroup"))
            if path not in ("", "/") and ".." not in path.split("/") and not _within(self._own, path):
                found.add(path)
        return sorted(path for path in found if not any(path != other and _within(path, other) for other in found))

    def _counters(self, path: str) -> dict[str, int]:
        cpu, events = self._text(path, "cpu.stat"), self._text(path, "memory.events")
        figures = {
            "usage": number_after(cpu, b"usage_usec "),
            "throttled": number_after(cpu, b"throttled_usec "),
            "oom_kills": number_after(events, b"oom_kill "),
            **moved_bytes(self._text(path, "io.stat")),
        }
        return {name: value for name, value in figures.items() if value is not None}

    def _number(self, path: str, name: str) -> int | None:
        text = self._text(path, name).strip()
        return int(text) if text.isdigit() else None

    def _text(self, path: str, name: str) -> bytes:
        return _read(f"{self._mount}{path}/{name}")


def find_mount(mountinfo: bytes) -> str:
    """Return where the control groups of version 2 are mounted, whole; empty where they are not."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        if after.startswith(b"cgroup2 ") and len(fields) > 4 and fields[3] == b"/":
            return fields[4].decode("utf-8", "surrogateescape")
    return ""


def group_of(text: bytes) -> str:
    """Return the path of a process's control group of version 2 from its /proc/PID/cgroup; empty without one."""
    for line in text.splitlines():
        if line.startswith(b"0::"):
            return line[3:].decode("utf-8", "surrogateescape")
    return ""


def moved_bytes(io_stat: bytes) -> dict[str, int | None]:
    """Return bytes read and written over all devices from an io.stat; empty where it holds none."""
    words = [word.partition(b"=") for word in io_stat.split()]
    sums: dict[str, int | None] = {}
    for name, key in (("read", b"rbytes"), ("written", b"wbytes")):
        values = [int(value) for word, _, value in words if word == key]
        if values:
            sums[name] = sum(values)
    return sums


def _within(path: str, group: str) -> bool:
    return path == group or path.startswith(group + "/")


def _read(path: str) -> bytes:
    try:
        return read(path)
    except OSError:
        return b""
