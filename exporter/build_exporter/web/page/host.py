"""The machine in a few lines: space, memory, load and time lost waiting, as the collectors saw them last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from build_exporter.analysis.fit import Fit
from build_exporter.collectors.host.files import read_if_present
from build_exporter.collectors.runners import BackgroundRunner, CollectorRunner
from build_exporter.formatting import size
from build_exporter.queries.context import shown

HIGH: Final = 0.9
"""Share in use from which a line is marked."""
HIGH_PRESSURE: Final = 0.2
_SAMPLE: Final = re.compile(rb"^[a-z0-9_]+(?:\{(.*)\})? (\S+)\n$")
_MOUNT: Final = re.compile(r'mountpoint="((?:[^"\\]|\\.)*)"')
_READ: Final = frozenset({"filesystem", "memory", "swap", "load", "cpu"})
_SHOWN: Final = frozenset(
    f"build_host_{name}"
    for name in (
        "filesystem_size_bytes",
        "filesystem_available_bytes",
        "memory_available_bytes",
        "memory_total_bytes",
        "swap_free_bytes",
        "swap_total_bytes",
        "load1",
        "cpus",
    )
)
_WAITS: Final = {"cpu": "CPU", "memory": "memory", "io": "disks"}


class HostLine(NamedTuple):
    """One line: `share` is what the bar shows (0 to 1, None: no bar), `kind` the class of its colour."""

    name: str
    value: str
    share: float | None
    kind: str
    detail: str


def host_lines(
    collectors: Iterable[CollectorRunner], path: str, fit: Fit | None, proc: str = "/proc"
) -> list[HostLine]:
    """Return what there is to say of the machine.

    `path` is where the build writes: the file system it is on is shown; `fit` is whether its space suffices for the
    steps to come, None where that is not asked.
    Collectors that are off or failed add nothing.
    """
    kept = list(collectors)
    known = dict(_samples(kept))
    waits = _pressure(proc) if any(each.name == "pressure" for each in kept) else ()
    return [*_disk(known, path, fit), *_memory(known), *_load(known), *waits]


def _samples(collectors: Iterable[CollectorRunner]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for collector in collectors:
        if not isinstance(collector, BackgroundRunner) or collector.name not in _READ:
            continue
        for family in collector.families():
            if family.metric.name in _SHOWN:
                found = [match for line in family.lines if (match := _SAMPLE.match(line))]
                yield family.metric.name, [((m[1] or b"").decode(), float(m[2])) for m in found]


def _one(known: dict[str, list[tuple[str, float]]], name: str) -> float | None:
    found = known.get(f"build_host_{name}")
    return found[0][1] if found else None


def _disk(known: dict[str, list[tuple[str, float]]], path: str, fit: Fit | None) -> Iterator[HostLine]:
    sizes = dict(known.get("build_host_filesystem_size_bytes", ()))
    free = dict(known.get("build_host_filesystem_available_bytes", ()))
    labels = max((each for each in sizes if _holds(each, path)), key=lambda each: len(_mount(each)), default=None)
    if labels is None or labels not in free or not sizes[labels]:
        return
    left, whole = free[labels], sizes[labels]
    share = 1.0 - left / whole
    detail, is_short = _suffices(fit)
    kind = "critical" if is_short else "warning" if share >= HIGH else "info"
    yield HostLine(f"Disk {_mount(labels)}", f"{size(left)} left of {size(whole)}", share, kind, detail)


def _suffices(found: Fit | None) -> tuple[str, bool]:
    """Return in words whether the disk has room for the steps to come, and whether it has not."""
    if found is None or not found.largest_bytes:
        return "", False
    if not found.shortages:
        return f"enough for the steps to come, at most {size(found.largest_bytes)} each", False
    first = found.shortages[0]
    return f"{shown(first.step)} will lack {size(first.short_bytes)}", True


def _mount(labels: str) -> str:
    found = _MOUNT.search(labels)
    return found[1].replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\") if found else ""


def _holds(labels: str, path: str) -> bool:
    mount = _mount(labels)
    return bool(mount) and (path == mount or path.startswith(mount.rstrip("/") + "/"))


def _memory(known: dict[str, list[tuple[str, float]]]) -> Iterator[HostLine]:
    left, whole = _one(known, "memory_available_bytes"), _one(known, "memory_total_bytes")
    if left is not None and whole:
        share = 1.0 - left / whole
        kind = "warning" if share >= HIGH else "info"
        yield HostLine("Memory", f"{size(left)} left of {size(whole)}", share, kind, "")
    free, swap = _one(known, "swap_free_bytes"), _one(known, "swap_total_bytes")
    if swap and free is not None and free < swap:
        yield HostLine("Swap", f"{size(swap - free)} used of {size(swap)}", 1.0 - free / swap, "info", "")


def _load(known: dict[str, list[tuple[str, float]]]) -> Iterator[HostLine]:
    load, cpus = _one(known, "load1"), _one(known, "cpus")
    if load is not None and cpus:
        cores = f"{cpus:.0f} core{'s' if cpus != 1 else ''}"
        yield HostLine("Load", f"{load:.1f} on {cores}", min(1.0, load / cpus), "info", "")


def _pressure(proc: str) -> Iterator[HostLine]:
    """Yield the share of the last 10 seconds that something waited for each resource, where it is worth a line."""
    for resource, words in _WAITS.items():
        try:
            text = read_if_present(f"{proc}/pressure/{resource}") or b""
        except OSError:
            continue
        found = re.match(rb"some avg10=([0-9.]+)", text)
        share = float(found[1]) / 100.0 if found else 0.0
        if share >= 0.01:
            kind = "warning" if share >= HIGH_PRESSURE and resource != "cpu" else "info"
            yield HostLine(f"Waiting for {words}", f"{100 * share:.0f} %", share, kind, "")
