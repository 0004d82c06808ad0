"""Calls that may block, such as a look at a mount whose server is gone: they are waited for, but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

SECONDS: Final = 2.0
"""How long the start waits for a file system."""


def call_with_timeout(call: Callable[[], object], then: Callable[[], object] | None = None) -> bool:
    """Run a call in a thread of its own and return whether it ended within `SECONDS`.

    One that takes longer is left to its thread; `then` is called there when it ends after all.

    Raises:
        Exception: what the call raised in that time.
    """
    ended, errors = threading.Event(), list[Exception]()
    lock, is_late = threading.Lock(), False

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - it is raised again by the caller's thread
            errors.append(error)
        with lock:
            ended.set()
            if not is_late:
                return
        if then is not None:
            then()

    threading.Thread(target=run, name="start", daemon=True).start()
    ended.wait(SECONDS)
    with lock:
        is_late = not ended.is_set()
    if errors and not is_late:
        raise errors[0]
    return not is_late
