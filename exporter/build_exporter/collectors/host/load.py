"""Load averages, by psutil."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from build_exporter.exposition import Family


class Load:
    """Tasks that run or are blocked, averaged over 1, 5 and 15 minutes."""

    name = "load"

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: the kernel gives no load.
        """
        for minutes, value in zip((1, 5, 15), psutil.getloadavg(), strict=True):
            yield Family(f"build_host_load{minutes}").add(value)
