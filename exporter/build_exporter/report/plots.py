"""Figures of a report as inline SVG: text that a page's own style colours, in light, dark and print.

A plotting library would bring megabytes of script or of fonts for four plots of bars, and its images keep one colour
scheme; these are some kilobytes and follow the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from build_exporter.formatting import clock_time, duration, percent, size
from build_exporter.report.data import Report, ReportStep
from build_exporter.report.sections import Section

WIDTH: Final = 960.0
LABEL: Final = 190.0
ROW: Final = 16.0
MAX_ROWS: Final = 400
"""Steps of a time line; the shortest of more are left out."""
MAX_BARS: Final = 15
MAX_LABEL: Final = 28


def gantt(report: Report) -> str:
    """Return the time line: a bar for each step that ran, from its start to its end."""
    end = report.board.end or report.board.now
    ran = [step for step in report.steps if step.start is not None]
    if not ran:
        return ""
    kept = sorted(ran, key=lambda step: -(step.seconds or 0.0))[:MAX_ROWS]
    rows = sorted(kept, key=lambda step: step.start or 0.0)
    begin = min(step.start or 0.0 for step in rows)
    span = max(end - begin, 1.0)
    scale = (WIDTH - LABEL - 10) / span
    parts = [*_time_axis(begin, span, scale, len(rows) * ROW)]
    for place, step in enumerate(rows):
        left = LABEL + ((step.start or begin) - begin) * scale
        wide = max(1.5, ((step.end or end) - (step.start or begin)) * scale)
        parts.append(_Bar(step.step, left, wide, step.state, _title(step)).draw(place))
    return _svg(len(rows) * ROW + 22, parts, "Time line of the steps")


def _title(step: ReportStep) -> str:
    took = "" if step.seconds is None else f", {duration(step.seconds)}"
    return f"{step.phase}/{step.step}: {step.state}{took}"


def _time_axis(begin: float, span: float, scale: float, height: float) -> list[str]:
    parts = []
    for part in range(5):
        at = LABEL + span * scale * part / 4
        anchor = ("start", "middle", "middle", "middle", "end")[part]
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height:.0f}"/>')
        label = clock_time(begin + span * part / 4)
        parts.append(f'<text class="axis" x="{at:.1f}" y="{height + 15:.0f}" text-anchor="{anchor}">{label}</text>')
    return parts


class _Bar(NamedTuple):
    """A bar: the label beside it, where it begins, how wide it is, its class of colour, and what a pointer shows."""

    label: str
    left: float
    wide: float
    kind: str
    title: str

    def draw(self, place: int) -> str:
        """Return the bar in a row."""
        y = place * ROW
        name = self.label if len(self.label) <= MAX_LABEL else self.label[: MAX_LABEL - 1] + "…"
        return (
            f'<text class="label" x="{LABEL - 8}" y="{y + 12:.0f}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="bar {escape(self.kind)}" x="{self.left:.1f}" y="{y + 2:.0f}" width="{self.wide:.1f}" '
            f'height="{ROW - 4:.0f}" rx="2"><title>{escape(self.title)}</title></rect>'
        )


def _svg(height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def slowest(report: Report) -> str:
    """Return the slowest steps as bars, with a mark where each was expected to end."""
    rows = sorted((s for s in report.steps if s.seconds), key=lambda s: -(s.seconds or 0.0))[:MAX_BARS]
    if not rows:
        return ""
    most = max(max(step.seconds or 0.0, step.expected_seconds or 0.0) for step in rows)
    scale = (WIDTH - LABEL - 100) / most
    parts = []
    for place, step in enumerate(rows):
        wide = (step.seconds or 0.0) * scale
        parts.append(_Bar(step.step, LABEL, wide, step.state, _title(step)).draw(place))
        parts.append(
            _value(place, LABEL + max(wide, (step.expected_seconds or 0.0) * scale), duration(step.seconds or 0))
        )
        if step.expected_seconds:
            at = LABEL + step.expected_seconds * scale
            parts.append(_mark(place, at, f"expected {duration(step.expected_seconds)}"))
    return _svg(len(rows) * ROW + 4, parts, "The slowest steps and what they were expected to take")


def _value(place: int, at: float, text: str) -> str:
    return f'<text class="axis" x="{at + 6:.1f}" y="{place * ROW + 12:.0f}">{escape(text)}</text>'


def _mark(place: int, at: float, title: str) -> str:
    y = place * ROW
    line = f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{y:.0f}" y2="{y + ROW:.0f}">'
    return f"{line}<title>{escape(title)}</title></line>"


def phases(report: Report) -> str:
    """Return each phase's share of the time as one bar."""
    found = report.analysis.phases
    most = max((row.seconds for row in found), default=0.0)
    if not most:
        return ""
    scale = (WIDTH - LABEL - 150) / most
    parts = []
    for place, row in enumerate(found):
        parts.append(_Bar(row.phase, LABEL, row.seconds * scale, "phase", f"{row.steps} steps").draw(place))
        parts.append(_value(place, LABEL + row.seconds * scale, f"{duration(row.seconds)}, {percent(row.share)}"))
    return _svg(len(found) * ROW + 4, parts, "Time by phase")


def memory(report: Report) -> str:
    """Return the steps with the highest peak of memory as bars; empty where none was measured."""
    rows = sorted((s for s in report.steps if s.max_rss_bytes), key=lambda s: -(s.max_rss_bytes or 0))[:MAX_BARS]
    most = max((step.max_rss_bytes or 0 for step in rows), default=0)
    if not most:
        return ""
    scale = (WIDTH - LABEL - 100) / most
    parts = []
    for place, step in enumerate(rows):
        wide = (step.max_rss_bytes or 0) * scale
        parts.append(_Bar(step.step, LABEL, wide, "memory", f"{step.phase}/{step.step}").draw(place))
        parts.append(_value(place, LABEL + wide, size(step.max_rss_bytes or 0)))
    return _svg(len(rows) * ROW + 4, parts, "Peak memory")


def bars(section: Section) -> str:
    """Return the rows of a section of the configuration as bars; empty without any."""
    most = max((bar.length for bar in section.bars), default=0.0)
    if not most:
        return ""
    scale = (WIDTH - LABEL - 100) / most
    parts = []
    for place, bar in enumerate(section.bars[:MAX_ROWS]):
        parts.append(_Bar(bar.label, LABEL, bar.length * scale, bar.state, bar.detail).draw(place))
        parts.append(_value(place, LABEL + bar.length * scale, bar.value))
    return _svg(min(len(section.bars), MAX_ROWS) * ROW + 4, parts, section.title)
