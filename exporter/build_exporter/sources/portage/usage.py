"""Resources a package's build used, from emerge.log after the build (FEATURES="cgroup")."""

from __future__ import annotations

import re
from typing import Any, Final

_CPU: Final = re.compile(r"\bCPU: (\d{1,12}(?:\.\d{1,6})?)s")
_SIZES: Final = {
    "max_rss_bytes": re.compile(r"\bMaxMem: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
    "read_bytes": re.compile(r"\bI/O R: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
    "written_bytes": re.compile(r"\bI/O W: (\d{1,12}(?:\.\d{1,6})?) ([KMGTP]i)?B"),
}
_POWERS: Final = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5}


def read_usage(text: str) -> dict[str, Any]:
    """Return CPU time in seconds, and sizes in bytes as rounded as the log has them, as fields of a step's end."""
    found: dict[str, Any] = {}
    if cpu := _CPU.search(text):
        found["cpu_seconds"] = float(cpu[1])
    for name, pattern in _SIZES.items():
        if size := pattern.search(text):
            found[name] = int(float(size[1]) * 1024 ** _POWERS[size[2] or ""])
    return found
