"""Clock frequency of the CPUs, from cpufreq in /sys or else /proc/cpuinfo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from build_exporter.collectors.host.files import read_if_present, read_number
from build_exporter.exposition import Family

_CPU: Final = re.compile(r"cpu(\d+)")
_KHZ: Final = 1000
_MHZ: Final = 1_000_000


def cpu_directories(sys: str) -> list[tuple[str, Path]]:
    """Return number and directory of each logical CPU the kernel knows, in their order; empty without /sys."""
    try:
        found = [(match[1], entry) for entry in Path(sys, "devices/system/cpu").iterdir() if (match := _cpu(entry))]
    except OSError:
        return []
    return sorted(found, key=lambda pair: int(pair[0]))


def _cpu(entry: Path) -> re.Match[str] | None:
    return _CPU.fullmatch(entry.name)


class Frequency:
    """Frequency each CPU runs at and the highest it can; psutil would number policies, not CPUs, on mixed cores."""

    name = "frequency"

    def __init__(self, proc: str = "/proc", sys: str = "/sys") -> None:
        self._cpuinfo = f"{proc}/cpuinfo"
        self._sys = sys

    def collect(self) -> Iterator[Family]:
        """Return the families; empty where neither cpufreq nor /proc/cpuinfo has a frequency.

        Raises:
            OSError: /proc/cpuinfo is there and can't be read.
        """
        current = Family("build_host_cpu_frequency_hertz")
        maximum = Family("build_host_cpu_maximum_frequency_hertz")
        for cpu, directory in cpu_directories(self._sys):
            khz = read_number(directory / "cpufreq/scaling_cur_freq")
            if khz is not None:
                current.add(khz * _KHZ, cpu)
            highest = read_number(directory / "cpufreq/cpuinfo_max_freq")
            if highest is not None:
                maximum.add(highest * _KHZ, cpu)
        if not current.count:
            for cpu, hertz in read_cpuinfo(read_if_present(self._cpuinfo) or b""):
                current.add(hertz, cpu)
        yield from (current, maximum)


def read_cpuinfo(text: bytes) -> Iterator[tuple[str, int]]:
    """Return each CPU's number and its frequency in hertz, from /proc/cpuinfo of x86."""
    cpu = ""
    for line in text.decode("utf-8", "replace").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "processor":
            cpu = value
        elif key == "cpu MHz" and cpu:
            yield cpu, round(float(value) * _MHZ)
