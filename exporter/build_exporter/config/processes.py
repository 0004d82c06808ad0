"""The section `processes` of the configuration: whose processes a build's steps are, where they record none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from build_exporter.config.section import Section, about
from build_exporter.config.values import compiled


class Processes(Section, frozen=True):
    """How the process of a build's running step is found: the oldest that matches, with all its descendants."""

    build: Annotated[str, about("The build.", "build")]
    command: Annotated[str | None, about("Its command line holds this.", "regex")] = None
    cgroup: Annotated[str | None, about("It is in this control group, a path below `/sys/fs/cgroup`.", "name")] = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault unless exactly one of command and cgroup is given, and leaves the right groups."""
        if (self.command is None) == (self.cgroup is None):
            yield "", "needs exactly one of command, cgroup"
        if self.command is not None and compiled(self.command).search("") is not None:
            yield "command", "has a pattern that every command line matches"
        if self.cgroup is not None and ".." in self.cgroup.split("/"):
            yield "cgroup", "has a cgroup with .. in its path; allowed: a path below /sys/fs/cgroup"
