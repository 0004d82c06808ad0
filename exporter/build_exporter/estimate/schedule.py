"""List scheduling: when steps that run side by side will all be done."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NOTHING: Final = (0.0, ())


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds until the last step ends, and the places of the steps that end could not come sooner for."""

    seconds: float
    critical: tuple[int, ...]


def schedule(left: Sequence[float], needs: Sequence[Sequence[int]], running: Sequence[int], slots: int) -> Schedule:
    """Return when all steps are done.

    Args:
        left: seconds that each step still needs, by its place.
        needs: for each step the places of those that must be done before it, all among `left`.
        running: places of the steps that run now.
        slots: how many run side by side.

    Steps begin as soon as a slot is free and all they need is done: those first that most time hangs on. A step in a
    circle of needs waits for nothing.
    """
    if not left:
        return Schedule(0.0, ())
    waiting, followers = [len(each) for each in needs], [[] for _ in left]  # type: tuple[list[int], list[list[int]]]
    for place, each in enumerate(needs):
        for need in each:
            followers[need].append(place)
    tails = _tails(left, needs, followers)
    begun = [False] * len(left)
    came_from: list[int] = [-1] * len(left)
    busy: list[tuple[float, int]] = []
    for place in running:
        begun[place] = True
        heapq.heappush(busy, (left[place], place))
    ready = [(-tails[place], place) for place, count in enumerate(waiting) if not count and not begun[place]]
    heapq.heapify(ready)
    now, last, done = 0.0, -1, 0
    while done < len(left):
        while ready and len(busy) < max(slots, 1):
            _, place = heapq.heappop(ready)
            if not begun[place]:
                begun[place], came_from[place] = True, last
                heapq.heappush(busy, (now + left[place], place))
        if not busy:
            # a circle: let the first that waits begin
            stuck = begun.index(False)
            heapq.heappush(ready, (-tails[stuck], stuck))
            continue
        now, last = heapq.heappop(busy)
        done += 1
        for follower in followers[last]:
            waiting[follower] -= 1
            if not waiting[follower] and not begun[follower]:
                heapq.heappush(ready, (-tails[follower], follower))
    chain = []
    while last >= 0:
        chain.append(last)
        last = came_from[last]
    return Schedule(now, tuple(reversed(chain)))


def _tails(left: Sequence[float], needs: Sequence[Sequence[int]], followers: Sequence[Sequence[int]]) -> list[float]:
    """Return for each step the seconds from its begin to the end of the longest chain that hangs on it."""
    open_followers = [len(each) for each in followers]
    tails = list(left)
    stack = [place for place, count in enumerate(open_followers) if not count]
    while stack:
        place = stack.pop()
        tail = tails[place]
        for need in needs[place]:
            if left[need] + tail > tails[need]:  # noqa: PLR1730 - the call of `max` takes longer than all else here
                tails[need] = left[need] + tail
            open_followers[need] -= 1
            if not open_followers[need]:
                stack.append(need)
    return tails


def release_needs(order: Sequence[int], starts: Mapping[int, float], ends: Mapping[int, float]) -> dict[int, list[int]]:
    """Return what each step seems to have waited for in an earlier run: the step whose end came last before its start.

    Where nothing shows what steps need, the order in which an earlier run could begin them is the best known.
    """
    found: dict[int, list[int]] = {}
    by_end = sorted(order, key=lambda place: ends[place])
    cursor, last = 0, -1
    for place in sorted(order, key=lambda place: starts[place]):
        while cursor < len(by_end) and ends[by_end[cursor]] <= starts[place] + 0.5:
            last = by_end[cursor]
            cursor += 1
        found[place] = [last] if last >= 0 and last != place else []
    return found
