"""The collectors there are: a row each, from which the command line's switches are made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from build_exporter.collectors.guard import Collector


@dataclass(frozen=True, slots=True)
class HostCollector:
    """A collector that needs nothing but the machine: made from `module:Class`, sampled every `interval` seconds."""

    name: str
    target: str
    help: str
    enabled: bool = True
    interval: float = 1.0

    def make(self) -> Collector:
        """Return a new collector; its module is loaded only now."""
        module, _, name = self.target.partition(":")
        return cast("Collector", getattr(import_module(module), name)())


_HOST: Final = "build_exporter.collectors.host"

HOST_COLLECTORS: Final[tuple[HostCollector, ...]] = ()
"""Rows: name, class, help, whether on by default, seconds between samples."""
