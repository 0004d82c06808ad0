"""The build machine: triplet, kernel, C library, distribution, and its own tools."""

from __future__ import annotations

import os
import re
from _blake2 import blake2b  # hashlib would load OpenSSL, which takes megabytes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.model.events import ToolVersion
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.layout import Place, compilers_in, tools_in

_PRETTY_NAME: Final = re.compile(rb"^PRETTY_NAME=[\"']?([^\"'\n]{1,100})", re.MULTILINE)
_MACHINE_ID: Final = re.compile(rb"([0-9a-f]{32})\n?")
_SYSTEM: Final = Path("/")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: triplet, kind of processor, release of the kernel, C library with version, distribution.

    What can't be found out is empty; `tools` are those of its own, `id` is a hash that is the same after each boot.
    """

    triplet: str
    machine: str
    kernel: str
    libc: str
    distribution: str
    tools: tuple[ToolVersion, ...] = ()
    id: str = ""


def this_machine(files: Files, system: Path = _SYSTEM, wanted: frozenset[str] = frozenset()) -> Machine:
    """Return what the machine is whose root directory `system` is, with the tools it has for itself and for `wanted`.

    The kernel is the running one, also where `system` is a container's.
    """
    uname = os.uname()
    place = Place(system, "host", inside=system != _SYSTEM)
    triplet = _own_triplet(files, place, uname.machine)
    place = Place(system, "host", place.inside, wanted, triplet)
    tools = tools_in(files, place)
    libraries = [tool for tool in tools if tool.role == "host" and tool.tool in {"glibc", "musl"}]
    libc = f"{libraries[0].tool} {libraries[0].version}" if libraries else ""
    distribution, own_id = distribution_in(files, system), machine_id(files)
    return Machine(triplet or "", uname.machine, uname.release, libc, distribution, tuple(tools), own_id)


def machine_id(files: Files, system: Path = _SYSTEM) -> str:
    """Return a hash of the system's machine-id, empty where it has none.

    The id itself is to be confidential (machine-id(5)); what other programs make of it is something else.
    """
    found = _MACHINE_ID.fullmatch(files.read(system / "etc/machine-id"))
    return blake2b(key=found[1], digest_size=8, person=b"build-exporter").hexdigest() if found else ""


def _own_triplet(files: Files, place: Place, machine: str) -> str | None:
    found = [each.triplet for each in compilers_in(files, place) if not each.is_foreign]
    mine = [each for each in found if alike(each.partition("-")[0], machine)]
    if mine:
        return mine[0]
    # without a compiler the library directories may show it
    names = files.names(place.path / "usr/lib") + files.names(place.path / "lib")
    suits = [name for name in names if re.fullmatch(rf"{re.escape(machine)}-linux-(?:gnu|musl)[a-z0-9]{{0,6}}", name)]
    return suits[0] if suits else None


def alike(processor: str, machine: str) -> bool:
    """Return whether a triplet's first part names the processor that the kernel calls `machine`."""
    if re.fullmatch(r"i[3-7]86", processor) and re.fullmatch(r"i[3-7]86|x86_64", machine):
        return machine != "x86_64"
    return processor == machine or (processor.startswith("arm") and machine.startswith("armv"))


def distribution_in(files: Files, system: Path = _SYSTEM) -> str:
    """Return the name that a system calls itself by, empty where it doesn't."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        found = _PRETTY_NAME.search(files.read(system / name))
        if found:
            return found[1].decode("utf-8", "replace").strip()
    return ""
