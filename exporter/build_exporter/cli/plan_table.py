"""Print a plan: a table for 80 columns, and the same as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import to_builtins

from build_exporter.config.values import escaped
from build_exporter.formatting import duration, size
from build_exporter.plan.book_figures import Figure
from build_exporter.plan.weighted import Totals, WeightedPlan, WeightedStep, by_phase, totals

_STEP_WIDTH: Final = 34
_SBU_WIDTH: Final = 11


def table(plan: WeightedPlan) -> list[str]:
    """Return the lines of a plan's table: its steps by phase, the totals of each phase and of all, the milestones."""
    every = totals(step for step in plan.steps)
    timed = every.seconds is not None
    lines = [_row("STEP", "VERSION", "SBU", "TIME" if timed else None, "DISK")]
    for phase, steps in by_phase(plan.steps).items():
        lines += ["", escaped(phase), *(_step(each, timed) for each in steps), _total("", totals(steps), timed)]
    lines += ["", _total("all: ", every, timed)]
    if every.less_than:
        lines.append(f"(<N is counted as N: {every.less_than} {_plural('step', every.less_than)})")
    lines += _range(every)
    if every.memory_bytes is not None:
        lines.append(f"Memory: at most {size(every.memory_bytes)} for one step.")
    if plan.milestones:
        lines += ["", "Milestones", *(f"  {line}" for line in _milestones(plan))]
    return [line.rstrip() for line in lines]


def as_object(plan: WeightedPlan) -> dict[str, Any]:
    """Return a plan as plain data: the `plan` event's steps and milestones, the sources' figures, and the totals."""
    return {
        "steps": [to_builtins(step.planned) | _figures(step) for step in plan.steps],
        "milestones": [to_builtins(milestone) for milestone in plan.milestones],
        "totals": to_builtins(totals(plan.steps)),
        "phases": {phase: to_builtins(totals(steps)) for phase, steps in by_phase(plan.steps).items()},
        "notes": list(plan.notes),
    }


def _figures(step: WeightedStep) -> dict[str, Any]:
    named = {"sbu_figure": step.sbu, "disk_figure": step.disk}
    return {name: to_builtins(figure) for name, figure in named.items() if figure is not None}


def _row(name: str, version: str, sbu: str, expected: str | None, disk: str) -> str:
    """Return a line of the table, without the column of times where `expected` is None."""
    times = "" if expected is None else f"{expected:>10} "
    return f"{name:<{_STEP_WIDTH}} {version:<12} {sbu:>{_SBU_WIDTH}} {times}{disk:>9}".rstrip()


def _step(step: WeightedStep, timed: bool) -> str:
    planned = step.planned
    name = f"  {_cut(planned.step, _STEP_WIDTH - 2)}"
    expected = _time(planned.expected_seconds, timed)
    disk = "" if planned.disk_bytes is None else size(planned.disk_bytes)
    return _row(name, _cut(planned.version or "", 12), _sbu(planned.sbu, step.sbu), expected, disk)


def _sbu(sbu: float | None, figure: Figure | None) -> str:
    if sbu is None:
        return ""
    if figure is None:
        return f"{sbu:g}"
    if figure.less_than:
        return f"<{figure.high:g}"
    return f"{sbu:g}" if figure.low == figure.high else f"{figure.low:g}-{figure.high:g}"


def _time(seconds: float | None, timed: bool) -> str | None:
    if not timed:
        return None
    return "" if seconds is None else duration(seconds)


def _total(before: str, sums: Totals, timed: bool) -> str:
    sbu = f"{sums.sbu:.1f}" if sums.weighted else ""
    disk = "" if sums.disk_bytes is None else size(sums.disk_bytes)
    figures = f", {sums.weighted} with SBU" if sums.weighted else ""
    counted = f"  {before}{sums.steps} {_plural('step', sums.steps)}{figures}"
    return _row(counted, "", sbu, _time(sums.seconds, timed), disk)


def _range(sums: Totals) -> Iterator[str]:
    if sums.sbu_low != sums.sbu_high:
        yield f"SBU: {sums.sbu:.1f}, by the stated ranges {sums.sbu_low:.1f} to {sums.sbu_high:.1f}."
    if sums.disk_bytes is not None:
        yield f"Disk: at most {size(sums.disk_bytes)} for one step, its sources and its build; not a sum."


def _milestones(plan: WeightedPlan) -> Iterator[str]:
    for each in plan.milestones:
        if each.progress is not None:
            yield f"{escaped(each.name)}: at {each.progress:.0%}"
        else:
            yield f"{escaped(each.name)}: after {escaped(each.phase or each.step or '')}"


def _cut(text: str, width: int) -> str:
    text = escaped(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
