"""Steps that run side by side: their schedule, and how it moves with the clock until the next step ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import exp, expm1
from typing import Final

from build_exporter.estimate.expect import Expected
from build_exporter.estimate.history import PastRun
from build_exporter.estimate.schedule import release_needs, schedule
from build_exporter.tracker import Key, Run
from build_exporter.tracker.names import Name, name_of

SIDE_BY_SIDE: Final = 1.15
"""Mean number of steps at once from which a build is one of steps side by side."""


@dataclass(slots=True)
class Parallel:
    """A schedule: its end in seconds from `made` (Unix seconds), the steps it hangs on, the slots."""

    seconds: float
    made: float
    slots: int
    critical: frozenset[Key]
    running: Mapping[Key, float]

    def at(self, running: Mapping[Key, float], now: float, slower: float = 0.0) -> float:
        """Return the seconds until the end at `now`, with what is then left of each running step.

        `slower` is the logarithm of the pace of a machine that was found to be slower since: it is that of the steps
        that have not begun, as the running ones have it already.
        """
        passed = max(0.0, now - self.made)
        known = {key: self.running[key] for key in running if key in self.critical and key in self.running}
        late = max((passed + running[key] - left for key, left in known.items()), default=0.0)
        pending = max(0.0, self.seconds - max(known.values(), default=0.0))
        return max(0.0, self.seconds - passed + late + pending * expm1(slower), *running.values())


def parallel_of(
    run: Run, past: PastRun | None, expected: Mapping[Key, Expected], running: Mapping[Key, float], now: float
) -> Parallel | None:
    """Return the schedule of a run's open steps, None where steps run one after the other.

    Where the plan does not name what steps need, they begin in the order of the run `past`.
    """
    own = run.concurrency if run.busy_seconds else 1.0
    if (
        max(own, past.concurrency if past is not None and not run.busy_seconds else 1.0) < SIDE_BY_SIDE
        and len(running) < 2
    ):
        return None
    keys = list(expected)
    places = {key: place for place, key in enumerate(keys)}
    needs = _needs(run, places)
    slots = max(len(running), round(own), 1)
    if not any(needs) and past is not None:
        needs = _as_before(run, past, places)
        slots = max(slots, _most_at_once(past))
    left = [exp(each.seconds) for each in expected.values()]
    for key, seconds in running.items():
        left[places[key]] = seconds
    found = schedule(left, needs, [places[key] for key in running], slots)
    idle = run.gap_seconds / run.busy_seconds if run.busy_seconds else 0.0
    critical = frozenset(keys[place] for place in found.critical)
    return Parallel(found.seconds * (1.0 + min(idle, 1.0)), now, slots, critical, running)


def _most_at_once(past: PastRun) -> int:
    """Return how many steps of a run went side by side at most; those begun in the same second do as well."""
    # at one moment ends come before starts
    moments = sorted([(s.start, 1) for s in past.steps] + [(s.start + s.seconds, -1) for s in past.steps])
    return max(accumulate(change for _, change in moments), default=1)


def schedule_of(run: Run, expected: Mapping[Key, Expected], slots: int, now: float) -> Parallel:
    """Return the schedule of a run that has not begun, on so many slots."""
    keys = list(expected)
    left = [exp(expected[key].seconds) for key in keys]
    found = schedule(left, _needs(run, {key: place for place, key in enumerate(keys)}), (), slots)
    return Parallel(found.seconds, now, slots, frozenset(keys[place] for place in found.critical), {})


def _needs(run: Run, places: Mapping[Key, int]) -> list[list[int]]:
    """Return the open steps that each open step waits for, by the plan."""
    bare: dict[str, list[int]] = {}
    for key, place in places.items():
        bare.setdefault(key[1], []).append(place)
    keys, steps, needs = list(places), run.steps, list[list[int]]()
    for place, key in enumerate(keys):
        found: list[int] = []
        for name in steps[key].after:
            same = bare.get(name, [])
            if "/" in name:
                same = same + _whole(name, places)
            if len(same) > 1:
                # a bare name means the step of its own phase, where that has one
                same = [each for each in same if keys[each][0] == key[0]] or same
            found += same
        needs.append(list({*found} - {place}) if place in found or len({*found}) < len(found) else found)
    return needs


def _whole(name: str, places: Mapping[Key, int]) -> list[int]:
    """Return the places of the steps that `PHASE/STEP` names; both may have slashes of their own."""
    parts = name.split("/")
    keys = [("/".join(parts[:cut]), "/".join(parts[cut:])) for cut in range(1, len(parts))]
    return [places[key] for key in keys if key in places]


def _as_before(run: Run, past: PastRun, places: Mapping[Key, int]) -> list[list[int]]:
    """Return what each open step waited for in an earlier run, as far as that is open too."""
    named: dict[Name, int] = {}
    for key, place in places.items():
        named.setdefault(name_of(key[0], key[1], run.steps[key].version), place)
    numbers = range(len(past.steps))
    starts = {number: past.steps[number].start for number in numbers}
    ends = {number: step.start + step.seconds for number, step in enumerate(past.steps)}
    waited = release_needs(list(numbers), starts, ends)
    of = [named.get(name_of(step.phase, step.step, step.version)) for step in past.steps]
    needs: list[list[int]] = [[] for _ in places]
    for number, before in waited.items():
        mine = of[number]
        if mine is not None:
            needs[mine] = [other for each in before if (other := of[each]) is not None and other != mine]
    return needs
