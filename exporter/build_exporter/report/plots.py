"""Figures of a report as rows of HTML that the page's style draws: in light, dark and print, wide or on a phone.

A plotting library would bring megabytes of script or of fonts for bars, and its images keep one colour scheme and one
width. Rows keep their text legible on a phone, and a figure of hundreds of steps goes over the pages of a print.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final, NamedTuple

from build_exporter.formatting import duration, local_time, percent, size
from build_exporter.report.data import Report, ReportStep
from build_exporter.report.sections import Section

MAX_ROWS: Final = 400
"""Steps of a time line; the shortest of more are left out."""
MAX_BARS: Final = 15
DAY: Final = 86400.0
TICKS: Final = 4
"""Parts of the time axis."""


class Row(NamedTuple):
    """A bar: label, class of colour, where it begins and ends, the text beside it, what a pointer shows, a mark."""

    label: str
    kind: str
    end: float
    value: str = ""
    title: str = ""
    begin: float = 0.0
    mark: float | None = None


def draw(rows: Iterable[Row], most: float, what: str, kind: str = "") -> str:
    """Return bars as HTML, `most` as wide as there is room; empty without rows, or where nothing is longer than 0."""
    drawn = [_row(row, most) for row in rows] if most > 0 else []
    return f'<div class="bars {kind}" role="list" aria-label="{escape(what)}">{"".join(drawn)}</div>' if drawn else ""


def _row(row: Row, most: float) -> str:
    mark = "" if row.mark is None else f'<b style="left:{_share(row.mark, most)}"></b>'
    value = f'<span class="value">{escape(row.value)}</span>' if row.value else ""
    return (
        f'<div class="row {escape(row.kind)}" role="listitem" title="{escape(row.title or row.label)}">'
        f'<span class="name">{escape(row.label)}</span>'
        f'<span class="track"><i style="left:{_share(row.begin, most)};width:{_share(row.end - row.begin, most)}"></i>'
        f"{mark}</span>{value}</div>"
    )


def _share(value: float, most: float) -> str:
    return f"{min(max(value / most, 0.0), 1.0) * 100:.2f}%"


def gantt(report: Report) -> str:
    """Return the time line: a bar for each step that ran, from its start to its end."""
    end = report.board.end or report.board.now
    ran = [step for step in report.steps if step.start is not None]
    if not ran:
        return ""
    kept = sorted(ran, key=lambda step: -(step.seconds or 0.0))[:MAX_ROWS]
    steps = sorted(kept, key=lambda step: step.start or 0.0)
    begin = min(step.start or 0.0 for step in steps)
    span = max(end - begin, 1.0)
    rows = (
        Row(
            step.step, step.state, (step.end or end) - begin, title=_title(step), begin=(step.start or begin) - begin
        )
        for step in steps
    )  # fmt: skip
    return draw(rows, span, "Time line of the steps", "gantt") + _axis(begin, span)


def _title(step: ReportStep) -> str:
    took = "" if step.seconds is None else f", {duration(step.seconds)}"
    return f"{step.phase}/{step.step}: {step.state}{took}"


def _axis(begin: float, span: float) -> str:
    form = "%H:%M:%S" if span < 600 else "%H:%M" if span < DAY else "%m-%d %H:%M"
    times = (local_time(begin + span * part / TICKS, form) for part in range(TICKS + 1))
    return f'<div class="axis" aria-hidden="true">{"".join(f"<span>{each}</span>" for each in times)}</div>'


def slowest(report: Report) -> str:
    """Return the slowest steps as bars, with a mark where each was expected to end."""
    steps = sorted((s for s in report.steps if s.seconds), key=lambda s: -(s.seconds or 0.0))[:MAX_BARS]
    most = max((max(step.seconds or 0.0, step.expected_seconds or 0.0) for step in steps), default=0.0)
    rows = (Row(s.step, s.state, s.seconds or 0.0, _took(s), _title(s), mark=s.expected_seconds) for s in steps)
    return draw(rows, most, "The slowest steps and what they were expected to take", "expected")


def _took(step: ReportStep) -> str:
    took = duration(step.seconds or 0.0) + (f" (attempt {step.attempts})" if step.attempts > 1 else "")
    return f"{took}, expected {duration(step.expected_seconds)}" if step.expected_seconds else took


def phases(report: Report) -> str:
    """Return each phase's share of the time as one bar."""
    found = report.analysis.phases
    rows = (
        Row(row.phase, "phase", row.seconds, f"{duration(row.seconds)}, {percent(row.share)}", f"{row.steps} steps")
        for row in found
    )
    return draw(rows, max((row.seconds for row in found), default=0.0), "Time by phase")


def memory(report: Report) -> str:
    """Return the steps with the highest peak of memory as bars; empty where none was measured."""
    steps = sorted((s for s in report.steps if s.max_rss_bytes), key=lambda s: -(s.max_rss_bytes or 0))[:MAX_BARS]
    peaks = [(step, step.max_rss_bytes or 0) for step in steps]
    rows = (Row(step.step, "memory", peak, size(peak), f"{step.phase}/{step.step}") for step, peak in peaks)
    return draw(rows, max((peak for _, peak in peaks), default=0), "Peak memory")


def bars(section: Section) -> str:
    """Return the rows of a section of the configuration as bars; empty without any."""
    shown = section.bars[:MAX_ROWS]
    rows = (Row(bar.label, bar.state, bar.length, bar.value, bar.detail) for bar in shown)
    return draw(rows, max((bar.length for bar in shown), default=0.0), section.title)
