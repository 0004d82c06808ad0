"""Temperatures, from the hardware monitors in /sys/class/hwmon or else the thermal zones.

psutil names chips but not devices: two disks of one kind could not be distinguished.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.collectors.host.files import read_number, read_word
from build_exporter.exposition import Family

MAX_SENSORS: Final = 128
"""Sensors shown at most."""

_INPUT: Final = re.compile(r"temp(\d+)_input")
_MILLIDEGREE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Reading:
    """One sensor's reading in degrees Celsius; `device` distinguishes two chips of one kind."""

    chip: str
    device: str
    sensor: str
    celsius: float
    critical: float | None

    @property
    def labels(self) -> tuple[str, str, str]:
        """Label values in the catalog's order."""
        return self.chip, self.device, self.sensor


class Temperature:
    """Temperature of each sensor, and what its maker calls critical; sensors that refuse are left out."""

    name = "temperature"

    def __init__(self, sys: str = "/sys") -> None:
        self._monitors = Path(sys, "class/hwmon")
        self._zones = Path(sys, "class/thermal")

    def collect(self) -> Iterator[Family]:
        """Return the families; empty on a machine without sensors, as most virtual ones are."""
        celsius = Family("build_host_temperature_celsius")
        critical = Family("build_host_temperature_critical_celsius")
        readings = [reading for chip in sorted(self._monitors.glob("hwmon*")) for reading in read_chip(chip)]
        if not readings:
            readings = [reading for zone in sorted(self._zones.glob("thermal_zone*")) for reading in read_zone(zone)]
        # by labels: some devices have two monitors of one name
        for labels, reading in list({reading.labels: reading for reading in readings}.items())[:MAX_SENSORS]:
            celsius.add(reading.celsius, *labels)
            if reading.critical is not None:
                critical.add(reading.critical, *labels)
        yield from (celsius, critical)


def read_chip(directory: Path) -> Iterator[Reading]:
    """Return the readings of one hardware monitor; drivers before Linux 3.13 keep them a directory further down."""
    chip = read_word(directory / "name") or read_word(directory / "device/name")
    device = (directory / "device").resolve().name if (directory / "device").is_symlink() else directory.name
    seen: set[str] = set()
    for place in (directory, directory / "device"):
        for number in _sensors(place):
            celsius = _degrees(place / f"temp{number}_input")
            if celsius is None or read_number(place / f"temp{number}_fault") == 1:
                continue
            label = read_word(place / f"temp{number}_label")
            sensor = f"{label} (temp{number})" if label in seen else label or f"temp{number}"
            seen.add(sensor)
            yield Reading(chip or directory.name, device, sensor, celsius, _degrees(place / f"temp{number}_crit"))
        if seen:
            return


def read_zone(directory: Path) -> Iterator[Reading]:
    """Return the reading of one thermal zone, none where it refuses."""
    celsius = _degrees(directory / "temp")
    if celsius is not None:
        yield Reading(read_word(directory / "type") or directory.name, directory.name, "temp", celsius, None)


def _sensors(directory: Path) -> list[int]:
    try:
        names = [_INPUT.fullmatch(entry.name) for entry in directory.iterdir()]
    except OSError:
        return []
    return sorted(int(match[1]) for match in names if match)


def _degrees(path: Path) -> float | None:
    value = read_number(path)
    return None if value is None else round(value * _MILLIDEGREE, 3)
