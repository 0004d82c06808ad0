"""Headings and cells of answers as a person reads them, in tables of the terminal and of reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from build_exporter.formatting import clock_time, duration, percent, size

_TIMES: Final = frozenset({"start", "end", "time", "reached", "failed", "resolved", "since"})


def header(name: str) -> str:
    """Return a column's heading: the field's name without its unit, as cells have that."""
    if name == "seconds":
        return "took"
    for suffix in ("_seconds", "_bytes", "_ratio"):
        if name.endswith(suffix):
            return name.removesuffix(suffix).replace("_", " ")
    return name.replace("_", " ")


def unit_name(name: str, row: object) -> str:
    """Return a column's name with the unit that its row has for it, as the rows of `resources` have."""
    if name != "value":
        return name
    unit = getattr(row, "unit", "")
    return "_bytes" if unit.startswith("bytes") else {"ratio": "_share", "seconds": "_seconds"}.get(unit, name)


def cell(name: str, value: object, clock: Callable[[float], str] = clock_time) -> str:
    """Return a value as a person reads it, by its field's name; times as `clock` writes them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _figure(name, value, clock) if isinstance(value, int | float) else str(value)


def _figure(name: str, value: float, clock: Callable[[float], str]) -> str:
    if name in _TIMES:
        return clock(value)
    for ending, form in _FORMS.items():
        if name.endswith(ending):
            return form(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}" if abs(value) < 10 else f"{value:,.1f}"


def _short(seconds: float) -> str:
    sign = "-" if seconds < 0 else ""
    if abs(seconds) >= 10:
        return sign + duration(abs(seconds))
    if abs(seconds) >= 1 or not seconds:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if abs(seconds) >= 1e-3 else f"{seconds * 1e6:.3g} µs"


_FORMS: Final[dict[str, Callable[[float], str]]] = {
    "seconds": _short, "_bytes": size, "progress_ratio": percent, "_share": percent, "success_ratio": percent,
}  # fmt: skip
