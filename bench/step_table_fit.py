"""A step's serial and parallel part, its tests and its further ABIs, from its times under different settings."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, log
from typing import NamedTuple

SHARES = [step / 40 for step in range(41)]
UNKNOWN_SHARE = 0.5
"""Serial share of a step whose times were seen at one -j alone."""
TESTED = 1.12
"""So much longer, with the tests of the toolchain, than the best fit without: it has tests."""
MULTIPLIED = 0.12
"""Below this a further ABI makes no difference."""
LEAST_SECONDS = 5.0
"""Below this, whole seconds show neither tests nor ABIs."""
BOOK_JOBS = 4


class Cell(NamedTuple):
    """Settings that times were measured under."""

    jobs: int
    tests: str
    abis: int


@dataclass(frozen=True)
class Fit:
    """The parts of a step's time."""

    serial: float
    parallel: float
    critical: float = 0.0
    all: float = 0.0
    abi: float = 0.0
    measured: str = ""

    def on(self, jobs: int) -> float:
        """Return its time with so many jobs, without tests."""
        return self.serial + self.parallel / jobs

    def scaled(self, factor: float) -> Fit:
        """Return the same in another unit."""
        return Fit(self.serial * factor, self.parallel * factor, self.critical * factor, self.all * factor, self.abi)

    def with_all_tests(self, book: float | None) -> Fit:
        """Return the same with the time of all tests, by the book's SBU of the step, which has them in chapter 8."""
        beyond = (book or 0.0) - self.on(BOOK_JOBS)
        return replace(self, all=max(self.critical, beyond if beyond > 0.3 * self.on(BOOK_JOBS) else 0.0))


def by_book(sbu: float) -> Fit:
    """Return the parts of a step that no run had, by the book's SBU."""
    return Fit(UNKNOWN_SHARE, 1.0 - UNKNOWN_SHARE).scaled(sbu / Fit(UNKNOWN_SHARE, 1.0 - UNKNOWN_SHARE).on(BOOK_JOBS))


def fit(times: Mapping[Cell, float]) -> Fit:
    """Return the parts that explain a step's times best, in their unit."""
    single = {cell: taken for cell, taken in times.items() if cell.abis == 1}
    found = _parts(single or dict(times))
    ratios = [
        (taken / (found.on(cell.jobs) + (found.critical if cell.tests == "critical" else 0.0)) - 1) / (cell.abis - 1)
        for cell, taken in times.items()
        if cell.abis > 1 and single and taken > LEAST_SECONDS
    ]
    abi = statistics.median(ratios) if ratios else 0.0
    return replace(found, abi=abi if abi > MULTIPLIED else 0.0)


def _parts(times: Mapping[Cell, float]) -> Fit:
    plain = {cell: taken for cell, taken in times.items() if cell.tests == "none"}
    tested = {cell: taken for cell, taken in times.items() if cell.tests != "none"}
    together, error = _serial_and_parallel(times)
    if not plain or not tested or error < log(TESTED) or min(times.values()) < LEAST_SECONDS:
        return together
    best, least = together, error
    most = max(tested.values())
    for part in range(1, 100):
        tests = most * part / 100
        without = {cell: taken - (tests if cell in tested else 0.0) for cell, taken in times.items()}
        if min(without.values()) <= 0:
            break
        candidate, error = _serial_and_parallel(without)
        # in the unit of the whole times, so that what is left after a large part for tests does not seem exact
        if error < least * 0.9:
            best, least = replace(candidate, critical=tests), error
    return best


def _serial_and_parallel(times: Mapping[Cell, float]) -> tuple[Fit, float]:
    """Return the two parts with the least error, and that: the largest logarithm of a ratio."""
    shares = SHARES if len({cell.jobs for cell in times}) > 1 else [UNKNOWN_SHARE]
    found: list[tuple[float, Fit]] = []
    for share in shares:
        shape = Fit(share, 1.0 - share)
        offsets = [log(taken / shape.on(cell.jobs)) for cell, taken in times.items()]
        middle = statistics.fmean(offsets)
        error = max(abs(offset - middle) for offset in offsets)
        found.append((error, shape.scaled(exp(middle))))
    error, best = min(found, key=lambda each: each[0])
    return best, error
