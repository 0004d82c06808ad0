"""The plan of Buildroot, from the output of `make show-info`; its log has none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from build_exporter.model.events import PlannedStep
from build_exporter.sources.buildroot.log import Key
from build_exporter.sources.files import open_regular

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_PACKAGES: Final = 20_000

STAMPS: Final = {
    "download": "downloaded",
    "extract": "extracted",
    "patch": "patched",
    "configure": "configured",
    "build": "built",
    "install-host": "host_installed",
    "install-staging": "staging_installed",
    "install-target": "target_installed",
    "install-image": "images_installed",
}
_BEFORE_INSTALL: Final = ("download", "extract", "patch", "configure", "build")
_INSTALLS: Final = (
    ("install_staging", "install-staging"),
    ("install_target", "install-target"),
    ("install_images", "install-image"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its name, its version, what is done to it in order, the packages it needs first."""

    name: str
    version: str
    steps: tuple[str, ...]
    needs: tuple[str, ...]

    def stamped(self, build_directory: Path) -> set[str]:
        """Return the steps that are done by the stamps in its build directory."""
        directory = build_directory / (f"{self.name}-{self.version}" if self.version else self.name)
        try:
            names = set(os.listdir(directory))  # noqa: PTH208 - names are wanted, not a Path for each
        except OSError:
            return set()
        return {step for step in self.steps if f".stamp_{STAMPS[step]}" in names}


class ShowInfo:
    """The file with the output of `make show-info`, read again when it has changed.

    Attributes:
        packages: in an order in which each comes after what it needs; empty without a file that can be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.packages: list[Package] = []
        self._path = path
        self._stamp: tuple[int, int, int] | None = None

    def poll(self) -> bool:
        """Read the file where it has changed; return whether it has."""
        if self._path is None:
            return False
        try:
            descriptor = open_regular(self._path)
        except OSError:
            return False
        try:
            found = os.fstat(descriptor)
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            data = os.pread(descriptor, MAX_BYTES, 0)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        self.packages = read_packages(data)
        return bool(self.packages)


def read_packages(data: bytes) -> list[Package]:
    """Parse the JSON of `make show-info`; no packages if it is invalid."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    found = {
        name: package
        for name, entry in list(document.items())[:MAX_PACKAGES]
        if isinstance(entry, dict) and 0 < len(name) <= 200 and (package := _package(name, entry)) is not None
    }
    return list(_in_order(found))


def planned_steps(
    packages: list[Package], is_wanted: Callable[[Key], bool], expected: Callable[[Key], float | None]
) -> list[PlannedStep]:
    """Return the steps that are wanted, in order; each waits for the one before it, `configure` for what is needed."""
    by_name = {package.name: package for package in packages}
    steps: dict[Key, PlannedStep] = {}
    for package in packages:
        needed = [
            f"{by_name[name].steps[-1]}/{by_name[name].name}"
            for name in package.needs
            if name in by_name and is_wanted((by_name[name].steps[-1], by_name[name].name))
        ]
        before: list[str] = []
        for phase in package.steps:
            key = (phase, package.name)
            if not is_wanted(key) or key in steps:
                continue
            after = [*before, *(needed if phase == "configure" else [])]
            steps[key] = PlannedStep(
                phase=phase,
                step=package.name,
                package=package.name,
                version=package.version or None,
                expected_seconds=expected(key),
                after=after or None,
            )
            before = [f"{phase}/{package.name}"]
    return list(steps.values())


def _package(name: str, entry: Mapping[str, Any]) -> Package | None:
    kind = entry.get("type")
    if kind == "host":
        installs: tuple[str, ...] = ("install-host",)
    elif kind == "target":
        installs = tuple(step for key, step in _INSTALLS if entry.get(key) is True)
    else:
        return None
    version = entry.get("version")
    needs = entry.get("dependencies")
    return Package(
        name=name,
        version=version[:200] if isinstance(version, str) else "",
        steps=(*_BEFORE_INSTALL, *installs),
        needs=tuple(each for each in needs if isinstance(each, str)) if isinstance(needs, list) else (),
    )


def _in_order(packages: Mapping[str, Package]) -> Iterator[Package]:
    """Yield each package after those it needs, else as they come; a circle is broken where it is met."""
    met: set[str] = set()
    for first in packages:
        waiting = [(first, False)]
        while waiting:
            name, needs_are_done = waiting.pop()
            if needs_are_done:
                yield packages[name]
            elif name in packages and name not in met:
                met.add(name)
                waiting.append((name, True))
                waiting.extend((each, False) for each in reversed(packages[name].needs))
