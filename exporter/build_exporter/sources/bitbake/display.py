"""BitBake's display on a terminal: the tasks at work, listed anew again and again.

    Currently  2 running tasks (10 of 2400)   0% |           |
    0: zlib-1.3-r0 do_compile - 5s (pid 12345)
    1: linux-yocto-6.6-r0 do_configure - 12s (pid 12346)

There no line says that a task began or succeeded: it did when it comes into the list and when it leaves it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from build_exporter.sources.bitbake.stats import Key

MAX_LISTED: Final = 1000

_CURRENT: Final = re.compile(r"Currently +\d{1,6} running tasks? \((\d{1,9}) of (\d{1,9})\)")
_AT_WORK: Final = re.compile(r"\d{1,4}: (\S{1,256}) (do_\w{1,120})(?: - |: | |$)")


class Shown(NamedTuple):
    """What is new on the display: the task's number of how many, 0 where not, and tasks that began and ended."""

    number: int
    total: int
    begun: tuple[Key, ...]
    ended: tuple[Key, ...]


class Display:
    """The tasks at work, as they are listed."""

    def __init__(self) -> None:
        self._at_work: dict[Key, None] = {}
        self._listed: set[Key] = set()

    def feed(self, line: str) -> Shown | None:
        """Take a line; return None where it is none of the display."""
        current = _CURRENT.match(line)
        if current is not None:
            ended = tuple(key for key in self._at_work if key not in self._listed)
            self._at_work = {key: None for key in self._at_work if key in self._listed}
            self._listed = set()
            return Shown(int(current[1]), int(current[2]), (), ended)
        task = _AT_WORK.match(line)
        if task is None:
            return None
        key = (task[2], task[1])
        self._listed.add(key)
        if key in self._at_work or len(self._at_work) >= MAX_LISTED:
            return Shown(0, 0, (), ())
        self._at_work[key] = None
        return Shown(0, 0, (key,), ())

    def drop(self, key: Key) -> None:
        """Forget a task that has failed."""
        self._at_work.pop(key, None)
        self._listed.discard(key)

    def finish(self) -> Shown:
        """Return the tasks still at work as ended: BitBake waits for them."""
        ended = tuple(self._at_work)
        self._at_work.clear()
        return Shown(0, 0, (), ended)
