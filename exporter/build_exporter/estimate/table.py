"""The shipped table: typical times of steps of an LFS build, in SBU, as public runs took them.

`python -m bench.step_table` makes it. A step on N cores takes `serial + parallel / N`; with the toolchain's tests
`critical` more, with all tests `all` more; each further ABI of a multilib build adds `abi` times the first part.
`measured` has the first letters of the tests under which its time was measured: none, critical, all; none of them where
the book's figure is all that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path
from statistics import fmean
from typing import Final

from build_exporter.tracker.names import Name

DEFAULT_JOBS: Final = 4
"""Default when unknown: the book's own."""

UNMEASURED: Final = 1.0
"""Deviation (logarithm) of times that only the book has: of kernels and grub where an integration built them."""
UNMEASURED_TESTS: Final = 0.4
"""The same of steps whose tests were not measured: the toolchain's between two integrations, by their time."""

LEAST_OF_A_PACKAGE: Final = 0.02
"""SBU; what takes less writes a file or two."""


@dataclass(frozen=True, slots=True)
class TypicalStep:
    """A row of the table; SBU."""

    measured: str
    serial: float
    parallel: float
    critical: float
    all: float
    abi: float

    def doubt(self, tests: str) -> float:
        """Return the standard deviation (logarithm) of what its time with such tests may be beyond its usual spread."""
        return 0.0 if tests[0] in self.measured else UNMEASURED_TESTS if self.measured else UNMEASURED

    def sbu(self, jobs: int, tests: str, abis: int) -> float:
        """Return its time in SBU under such settings."""
        added = {"critical": self.critical, "all": self.all}.get(tests, 0.0)
        return (self.serial + self.parallel / max(1, jobs)) * (1.0 + self.abi * (abis - 1)) + added


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to build: whose tests run, and for how many ABIs."""

    tests: str
    abis: int

    @property
    def words(self) -> str:
        """It in words."""
        tests = {"none": "without tests", "critical": "with the toolchain's tests", "all": "with all tests"}[self.tests]
        return tests if self.abis == 1 else f"{tests}, {self.abis} ABIs"


VARIANTS: Final = tuple(Variant(tests, abis) for abis in (1, 2, 3) for tests in ("none", "critical", "all"))


def read_table() -> str:
    """Return the shipped table's text; it is read once."""
    return Path(__file__).with_name("step-times.tsv").read_text("utf-8")


@cache
def typical_steps() -> Mapping[Name, TypicalStep]:
    """Return the table."""
    rows = [line.split("\t") for line in read_table().splitlines()[1:]]
    return {(phase, name): TypicalStep(measured, *map(float, figures)) for phase, name, *figures, measured in rows}


@cache
def by_package() -> Mapping[str, TypicalStep]:
    """Return the table by package alone, for steps of other phases; the last, the final build of a package, counts."""
    return {name: step for (_, name), step in typical_steps().items()}


@cache
def typical_logs(jobs: int, variant: Variant) -> Mapping[Name, float]:
    """Return the logarithm of each step's SBU under such settings."""
    return {name: log(step.sbu(jobs, variant.tests, variant.abis)) for name, step in typical_steps().items()}


@cache
def typical_package(jobs: int, variant: Variant) -> float:
    """Return the mean SBU of a package under such settings, without the longest tenth, which are like no other."""
    packages = sorted(step.sbu(jobs, variant.tests, variant.abis) for step in by_package().values())
    packages = [sbu for sbu in packages if sbu > LEAST_OF_A_PACKAGE]
    return fmean(packages[: len(packages) - len(packages) // 10]) if packages else LEAST_OF_A_PACKAGE
