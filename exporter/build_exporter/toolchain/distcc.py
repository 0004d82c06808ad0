"""States of distcc jobs, from their state files.

Every running `distcc` keeps a file `state/binstate_PID`: a C structure with a magic number, its pid, the names of the
source file and of the host, its slot there and its phase. A job that was killed leaves its file behind.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from pathlib import Path
from typing import Final

from build_exporter.toolchain.files import Files

PHASES: Final = ("startup", "blocked", "connect", "preprocess", "send", "compile", "receive", "done")
"""The phases of a job by their numbers."""

MAX_HOSTS: Final = 64
"""Most hosts reported by name; jobs of further ones count as `other`."""

_MAX_JOBS: Final = 1024
_MAGIC: Final = 0x44494800
_LAYOUTS: Final = (struct.Struct("=QQQ128s128siI"), struct.Struct("=III128s128siI"))
"""Formats for machines with long integers of 64 and of 32 bits."""

_NAME: Final = re.compile(r"binstate_(\d{1,10})\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


def jobs_in(files: Files, state: Path, proc: Path = Path("/proc")) -> Counter[tuple[str, str]]:
    """Return how many jobs there are by (host, phase) in a directory of states; those of dead processes don't count."""
    jobs: Counter[tuple[str, str]] = Counter()
    names = [found for name in files.names(state) if (found := _NAME.match(name))]
    hosts: set[str] = set()
    for name in names[:_MAX_JOBS]:
        job = read_state(files.read(state / name[0], 1024))
        if job is None or not (proc / name[1]).exists():
            continue
        host, phase = job
        if host not in hosts and len(hosts) >= MAX_HOSTS:
            host = "other"
        hosts.add(host)
        jobs[host, phase] += 1
    return jobs


def read_state(data: bytes) -> tuple[str, str] | None:
    """Return host and phase of a job's file, None where it is invalid or being written."""
    for layout in _LAYOUTS:
        if len(data) < layout.size:
            continue
        _, magic, _, _, host, _, phase = layout.unpack_from(data)
        if magic == _MAGIC and phase < len(PHASES):
            name = host.partition(b"\0")[0].decode("ascii", "replace")
            return (name if _HOST.match(name) else "other"), PHASES[phase]
    return None
