"""Network traffic; psutil handles counters that wrap around."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psutil

from build_exporter.exposition import Family

MAX_INTERFACES: Final = 32
"""Interfaces shown at most."""

_CONTAINER_ENDS: Final = ("veth", "cali")

_FAMILIES: Final = (
    ("build_host_network_receive_bytes_total", "bytes_recv"),
    ("build_host_network_transmit_bytes_total", "bytes_sent"),
    ("build_host_network_receive_errors_total", "errin"),
    ("build_host_network_transmit_errors_total", "errout"),
    ("build_host_network_receive_drops_total", "dropin"),
    ("build_host_network_transmit_drops_total", "dropout"),
)


class Network:
    """Bytes, errors and drops of each interface, those made again for each container left out."""

    name = "network"

    def collect(self) -> Iterator[Family]:
        """Return the families.

        Raises:
            OSError: /proc/net/dev can't be read.
        """
        counters = psutil.net_io_counters(pernic=True)
        shown = [name for name in counters if not name.startswith(_CONTAINER_ENDS)][:MAX_INTERFACES]
        for family_name, field in _FAMILIES:
            family = Family(family_name)
            for interface in shown:
                family.add(getattr(counters[interface], field), interface)
            yield family
