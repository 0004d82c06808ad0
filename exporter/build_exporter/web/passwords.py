"""Checking passwords: in a thread, few at a time, at the same cost for every user, slower for those who guess."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

REMEMBERED: Final = 64
"""Logins that are remembered, good and bad ones apart: bcrypt is meant to be slow, and scrapes come often."""
MOST_WAITING: Final = 16
"""Passwords that wait to be checked; more get in by the place kept for their user name, or are refused."""
MOST_WAITING_OF_A_PEER: Final = 2
LEAST_ANSWER_SECONDS: Final = 0.3
"""A refusal takes this long, or twice what the costliest hash takes, so that it says nothing of the user's hash."""
FREE_TRIES: Final = 5
MOST_BACK_OFF_SECONDS: Final = 30.0
REMEMBERED_PEERS: Final = 4096


class BusyError(Exception):
    """Too many passwords wait to be checked, or this client guesses; `seconds` is when to come again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(slots=True)
class _Tries:
    failed: int = 0
    until: float = 0.0


class Passwords:
    """Checks users' passwords against bcrypt hashes.

    Raises:
        ImportError: bcrypt is not installed.
    """

    def __init__(self) -> None:
        import bcrypt  # noqa: PLC0415 - an extra, for those who have users

        self._check: Callable[[bytes, bytes], bool] = bcrypt.checkpw
        self._make: Callable[[int], bytes] = lambda cost: bcrypt.hashpw(
            os.urandom(16).hex().encode(), bcrypt.gensalt(cost)
        )
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._kept_thread = ThreadPoolExecutor(1, "bcrypt-kept")
        self._key = os.urandom(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._bad: OrderedDict[bytes, None] = OrderedDict()
        self._tries: OrderedDict[tuple[str, str | None], _Tries] = OrderedDict()
        self._waiting: Counter[str] = Counter()
        self._kept: set[str] = set()
        self._nobody: dict[int, bytes] = {}
        self._seconds = 0.0

    async def is_right(self, users: Mapping[str, str], user: str, password: bytes, peer: str) -> bool:
        """Return whether a password is the user's; False takes as long for an unknown user as for a known one.

        Raises:
            BusyError: it was not checked.
        """
        began = time.monotonic()
        hashed = users.get(user)
        cost = max((int(each[4:6]) for each in users.values()), default=10)
        key = hmac.digest(self._key, b"\0".join((user.encode(), (hashed or "").encode(), _digest(password))), "sha256")
        if hashed is not None and key in self._good:
            self._good.move_to_end(key)
            return True
        self._refuse_guessing(user, peer, began)
        right = key not in self._bad and await self._admitted(hashed, password, cost, user, peer)
        right = right and hashed is not None
        _remember(self._good if right else self._bad, key)
        if right:
            for name in (user, None):
                self._tries.pop((peer, name), None)
            return True
        self._note_failure(peer, user)
        self._note_failure(peer, None)
        wait = max(LEAST_ANSWER_SECONDS, 2.0 * self._seconds)
        await asyncio.sleep(max(0.0, began + wait - time.monotonic()))
        return False

    async def _admitted(self, hashed: str | None, password: bytes, cost: int, user: str, peer: str) -> bool:
        """Return whether the password is right, checked in one of the peer's places or in that of the user name."""
        if self._has_place(peer):
            self._waiting[peer] += 1
            try:
                return await self._checked(self._thread, hashed, password, cost)
            finally:
                self._waiting[peer] -= 1
                self._waiting = +self._waiting
        if user in self._kept:
            raise BusyError(1.0)
        self._kept.add(user)
        try:
            if hashed is not None:
                return await self._checked(self._kept_thread, hashed, password, cost)
            # Any name has a place, so that a refusal does not reveal who exists; only known ones cost CPU time.
            await asyncio.sleep(self._seconds)
            return False
        finally:
            self._kept.discard(user)

    def _has_place(self, peer: str) -> bool:
        tries = self._tries.get((peer, None))
        guesses = tries is not None and tries.until > time.monotonic()
        return not guesses and self._waiting[peer] < MOST_WAITING_OF_A_PEER and self._waiting.total() < MOST_WAITING

    async def _checked(self, thread: ThreadPoolExecutor, hashed: str | None, password: bytes, cost: int) -> bool:
        return await asyncio.get_running_loop().run_in_executor(thread, self._verify, hashed, password, cost)

    def _verify(self, hashed: str | None, password: bytes, cost: int) -> bool:
        if cost not in self._nobody:
            self._nobody = {cost: self._make(cost)}
        began = time.monotonic()
        try:
            # bcrypt looks at no more than this
            return self._check(password[:72], hashed.encode() if hashed is not None else self._nobody[cost])
        except ValueError:
            return False
        finally:
            self._seconds = max(self._seconds, time.monotonic() - began)

    def _refuse_guessing(self, user: str, peer: str, now: float) -> None:
        tries = self._tries.get((peer, user))
        if tries is not None and tries.until > now:
            raise BusyError(tries.until - now)

    def _note_failure(self, peer: str, user: str | None) -> None:
        tries = self._tries.pop((peer, user), None) or _Tries()
        self._tries[peer, user] = tries
        tries.failed += 1
        if tries.failed >= FREE_TRIES:
            back_off = min(MOST_BACK_OFF_SECONDS, 2.0 ** (tries.failed - FREE_TRIES))
            tries.until = time.monotonic() + back_off
        while len(self._tries) > REMEMBERED_PEERS:
            self._tries.popitem(last=False)


def _digest(password: bytes) -> bytes:
    return hashlib.sha256(password).digest()


def _remember(logins: OrderedDict[bytes, None], key: bytes) -> None:
    logins[key] = None
    logins.move_to_end(key)
    while len(logins) > REMEMBERED:
        logins.popitem(last=False)
