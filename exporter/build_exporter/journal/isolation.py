"""Work on one build after the other, where what fails on one costs the others nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Isolation:
    """Catches what fails on a build, and logs it once until it works again."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        """Log to `log` that `what` failed."""
        self._log = log
        self._what = what
        self._failing: set[str] = set()

    @contextmanager
    def of(self, build: str) -> Iterator[None]:
        """Catch whatever the block raises."""
        try:
            yield
        except Exception:  # noqa: BLE001 - whatever it is, it is logged
            if build not in self._failing:
                self._failing.add(build)
                self._log.exception("%s failed, the other builds go on", self._what, extra={"build": build})
        else:
            self._failing.discard(build)
