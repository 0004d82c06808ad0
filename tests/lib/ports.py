"""Ports for servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket

_RANGE = range(18_000, 32_000)  # below the ports that the kernel gives to clients
_counter = itertools.count(os.getpid() * 61)


def free_port(count: int = 1) -> int:
    """Return the first of `count` consecutive free ports; test processes that run side by side get different ones."""
    while True:
        first = _RANGE[next(_counter) * count % (len(_RANGE) - count)]
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
