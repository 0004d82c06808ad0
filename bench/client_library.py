"""The peer for exposition: the Prometheus client library's own server with so many series of steps.

python client_library.py PORT SERIES
"""

from __future__ import annotations

import sys
import threading

from prometheus_client import Gauge, start_http_server

FAMILIES = 8


def main() -> None:
    """Serve until killed."""
    port, series = int(sys.argv[1]), int(sys.argv[2])
    labels = ("build", "phase", "step")
    families = [Gauge(f"build_step_figure_{n}", "A figure of a step.", labels) for n in range(FAMILIES)]
    for index in range(series // FAMILIES):
        for number, family in enumerate(families):
            family.labels("lfs-12.4", f"chapter-{index % 5}", f"{index:04d}-package").set(index * 1.25 + number)
    start_http_server(port, "127.0.0.1")
    threading.Event().wait()


if __name__ == "__main__":
    main()
