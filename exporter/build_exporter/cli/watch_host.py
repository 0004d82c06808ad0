"""The machine in one line: load, memory, swap, and the disk that the journal is on."""

from __future__ import annotations

import contextlib
import os
import shutil
from urllib.parse import urlsplit

import psutil

from build_exporter.formatting import size


def host_line(journal: str, exporter: str | None) -> str:
    """Return load, memory and disk of this machine; empty where an exporter elsewhere is asked."""
    if exporter is not None and urlsplit(exporter).hostname not in ("localhost", "127.0.0.1", "::1"):
        return ""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    parts = [
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs",
        f"{size(memory.available)} of {size(memory.total)} memory free",
        *([f"{size(swap.used)} swap used"] if swap.used else []),
    ]
    # a journal may not be there yet
    with contextlib.suppress(OSError):
        parts.append(f"{size(shutil.disk_usage(journal).free)} disk free")
    return " · ".join(parts)
