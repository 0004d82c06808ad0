"""The SBU and disk report in the form that jhalfs writes at the end of a run, for a run built by whatever means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Final

from build_exporter.model.states import StepState
from build_exporter.tracker import Run, Step

RULE: Final = "=" * 80
UNIT_STEP: Final = "binutils-pass1"
"""The step whose time is one SBU."""
_PLACE: Final = re.compile(r"^\d{3,4}-")


def sbu_report(run: Run, date: str, settings: Mapping[str, str], cpu: str = "", memory: str = "") -> str:
    """Return the report of a run.

    Args:
        run: the run; its steps that succeeded with a known duration are in the report.
        date: when the report is made, as `date` prints it.
        settings: what jhalfs was configured with, by name.
        cpu: output of `lscpu`, empty where it is not known.
        memory: output of `free`, empty where it is not known.

    Raises:
        ValueError: no step gives the length of an SBU.
    """
    steps = [step for step in run.steps.values() if step.state is StepState.SUCCEEDED and step.seconds is not None]
    unit = _unit(steps)
    if not unit:
        raise ValueError(f"an SBU is the time of {UNIT_STEP}, and run {run.run} has no such step that took a second")
    return "\n".join([*_head(run, date, settings, cpu, memory), *_body(run, steps, unit), ""])


def _unit(steps: list[Step]) -> int:
    return next((_whole(step) for step in steps if _PLACE.sub("", step.step) == UNIT_STEP), 0)


def _whole(step: Step) -> int:
    return round(step.seconds or 0.0)


def _head(run: Run, date: str, settings: Mapping[str, str], cpu: str, memory: str) -> Iterator[str]:
    yield from ("", date, "", f"Book version is:\t{run.book or run.build}", "", "")
    yield from ("\tjhalfs configuration settings:", "")
    yield from (f"{name} \t<{value}>" for name, value in settings.items())
    yield from ("", "", "", "", "\t\tCPU type:", "", *cpu.strip("\n").splitlines())
    yield from ("", "\t\tMemory info:", "", *memory.strip("\n").splitlines(), "", "")


def _body(run: Run, steps: list[Step], unit: int) -> Iterator[str]:
    yield from (RULE, "", f"The SBU unit value is equal to {unit} seconds at -j{run.jobs_used or 1}.")
    total_sbu, total_kb, total_mb = Decimal(0), 0, Decimal(0)
    for step, later in pairwise([*steps, None]):
        assert step is not None
        sbu = _rounded(Decimal(_whole(step)) / unit, "0.1")
        before, after, next_before = _levels(step, later)
        total_sbu, total_kb = total_sbu + sbu, total_kb + next_before - before
        total_mb += _megabytes(next_before) - _megabytes(before)
        yield from ("", RULE, f"\t\t\t\t[{_name(step)}]", "", *_times(step, sbu))
        yield f"Disk usage before unpacking the package:\t\t{before} KB or {_megabytes(before)} MB"
        yield f"Disk usage before deleting the source and build dirs:\t{after} KB or {_megabytes(after)} MB"
        yield f"Required space to build the package:\t\t\t{_between(before, after)}"
        yield f"Installed files disk usage:\t\t\t\t{_between(before, next_before)}"
    yield from ("", "", RULE, "", f"Total time required to build the system:\t\t{total_sbu}  SBU")
    yield f"Total Installed files disk usage:\t\t\t{total_kb}.000 KB or {total_mb} MB"


def _times(step: Step, sbu: Decimal) -> Iterator[str]:
    minutes, seconds = divmod(_whole(step), 60)
    yield f"Build time is:\t\t\t\t\t\t{minutes} minutes and {seconds} seconds"
    yield f"Build time in seconds is:\t\t\t\t{_whole(step)}"
    yield f"Approximate SBU time is:\t\t\t\t{sbu}"


def _name(step: Step) -> str:
    bare = _PLACE.sub("", step.step)
    return f"{bare}-{step.version}" if step.version else bare


def _levels(step: Step, later: Step | None) -> tuple[int, int, int]:
    """Return the kilobytes in use before a step, at its end, and before the next one.

    A step that freed more than it needed has no need in the journal: its end is then where the next one begins.
    """
    before = (step.disk_before_bytes or 0) // 1024
    after = before + step.disk_bytes // 1024 if step.disk_bytes is not None else None
    next_before = later.disk_before_bytes // 1024 if later is not None and later.disk_before_bytes is not None else None
    end = after if after is not None else next_before if next_before is not None else before
    return before, end, next_before if next_before is not None else end


def _between(before: int, after: int) -> str:
    # of the rounded figures, as jhalfs subtracts those that it prints
    return f"{after - before} KB or {_megabytes(after) - _megabytes(before)} MB"


def _megabytes(kilobytes: int) -> Decimal:
    return _rounded(Decimal(kilobytes) / 1024, "0.001")


def _rounded(value: Decimal, places: str) -> Decimal:
    return value.quantize(Decimal(places), ROUND_HALF_EVEN)
