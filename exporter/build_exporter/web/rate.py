"""A limit on how often one address may ask (`web.max_requests_per_second`)."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from build_exporter.web.errors import error
from build_exporter.web.messages import Request, Response
from build_exporter.web.origin import OPEN_PATHS

REMEMBERED_PEERS: Final = 4096
"""Addresses that are remembered; one that has not asked for longest makes room for another."""


class Allowance:
    """Counts requests of addresses: each may make as many at once as in a second, and earns them back with time.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, peer: str, rate: float) -> float:
        """Count a request of an address; return 0, or the seconds until it may ask again."""
        now = self._clock()
        left, since = self._left.pop(peer, (rate, now))
        left = min(rate, left + (now - since) * rate)
        self._left[peer] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._left) > REMEMBERED_PEERS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1.0 else (1.0 - left) / rate


class RateLimit:
    """Answers 429 where an address asks more often than it may; the questions of a service manager are always answered.

    Args:
        rate: returns requests a second that are allowed now, None for any.
    """

    def __init__(self, rate: Callable[[], int | None]) -> None:
        self._rate = rate
        self._allowance = Allowance()

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that comes too soon, None for any other."""
        rate = self._rate()
        if rate is None or request.path in OPEN_PATHS:
            return None
        seconds = self._allowance.wait(request.peer, rate)
        if seconds == 0.0:
            return None
        after = {"retry-after": str(math.ceil(seconds))}
        return error(429, "too-many-requests", f"one address may ask {rate} times a second", headers=after)
