"""Which machine a run was built on, as far as it shows."""

from __future__ import annotations

from typing import Final, NamedTuple

from build_exporter.model.events import Toolchain


class Machine(NamedTuple):
    """Names of a machine, each empty where a run has none: its boot, its id, and its system as it was surveyed.

    The id stays the same over boots and kernels; records older than it have none. Events that came over the network
    name no boot, and nobody surveys their machine.
    """

    boot: str = ""
    id: str = ""
    system: str = ""

    def is_same(self, other: Machine) -> bool:
        """Return whether both are known to be of one machine: by the boot, else by the id, else by the system."""
        if self.boot and self.boot == other.boot:
            return True
        if self.id and other.id:
            return self.id == other.id
        return bool(self.system) and self.system == other.system

    def is_other(self, other: Machine) -> bool:
        """Return whether both are known to be of two machines, however alike."""
        return bool(self.id and other.id) and not self.is_same(other)


UNKNOWN: Final = Machine()


def machine_of(pid_namespace: str | None, seen: Toolchain | None) -> Machine:
    """Return the machine of a run by where its first process ran, `BOOT/NUMBER`, and by its survey."""
    boot = (pid_namespace or "").partition("/")[0]
    if seen is None:
        return Machine(boot)
    system = f"{seen.host} {seen.kernel} {seen.libc}" if seen.kernel is not None else ""
    return Machine(boot, seen.machine or "", system)
