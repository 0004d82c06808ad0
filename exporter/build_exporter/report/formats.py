"""The formats of a report, a row each; plug-ins add further ones (`build_exporter.report_formats`)."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from markupsafe import Markup

from build_exporter.formatting import date_time, duration, percent, size
from build_exporter.report import plots
from build_exporter.report.data import Report, ReportStep
from build_exporter.sources.isolation import PluginError
from build_exporter.sources.plugins import origin, with_timeout

TEMPLATES: Final = Path(__file__).parent / "templates"


def as_json(report: Report) -> str:
    """Return the report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def as_csv(report: Report) -> str:
    """Return the steps as CSV; a text that a sheet would run as a formula gets a quote before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ReportStep.__struct_fields__)
    for step in report.steps:
        values = (getattr(step, name) for name in ReportStep.__struct_fields__)
        writer.writerow(f"'{v}" if isinstance(v, str) and v.startswith(("=", "+", "-", "@")) else v for v in values)
    return text.getvalue()


def as_html(report: Report, template: Path | None = None) -> str:
    """Return the report as one HTML file that needs no other; `template` takes the place of the shipped one."""
    figures = {
        name: Markup(plot(report))  # noqa: S704 - the plots escape what they take from the build
        for name, plot in (("gantt", plots.gantt), ("slowest", plots.slowest), ("phases", plots.phases),
                           ("memory", plots.memory))
    }  # fmt: skip
    own = [Markup(plots.bars(section)) for section in report.sections]  # noqa: S704 - escaped as those above
    return _render(template or TEMPLATES / "report.html", report, autoescape=True, plots={**figures, "sections": own})


def as_markdown(report: Report, template: Path | None = None) -> str:
    """Return the report as Markdown; `template` takes the place of the shipped one."""
    return _render(template or TEMPLATES / "report.md", report, autoescape=False)


def _render(path: Path, report: Report, *, autoescape: bool, **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, TEMPLATES]),
        autoescape=autoescape,  # noqa: S701 - Markdown escapes by its own filter
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        duration=_duration, clock=lambda when: "" if when is None else date_time(when), cell=_cell, by_phase=_by_phase,
        size=lambda count: "" if count is None else size(count),
        percent=lambda ratio: "" if ratio is None else percent(ratio),
    )  # fmt: skip
    given = {"report": report, "board": report.board, "zone": time.strftime("%Z"), **more}
    return environment.get_template(path.name).render(given)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return ("-" if seconds < 0 else "") + duration(abs(seconds))


def _by_phase(steps: Sequence[ReportStep]) -> list[tuple[str, list[ReportStep]]]:
    """Return the steps of each phase, in the order of the phases' first steps."""
    found: dict[str, list[ReportStep]] = {}
    for step in steps:
        found.setdefault(step.phase, []).append(step)
    return list(found.items())


def _cell(text: object) -> str:
    """Return a text for a cell of a Markdown table: nothing in it is taken for markup."""
    plain = "" if text is None else str(text)
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>|#" else sign for sign in plain.replace("\n", " "))


FORMATS: Final[dict[str, Callable[[Report], str]]] = {
    "html": as_html,
    "md": as_markdown,
    "json": as_json,
    "csv": as_csv,
}
GROUP: Final = "build_exporter.report_formats"


def plugin_formats() -> dict[str, EntryPoint]:
    """Return the formats of installed packages by name, none loaded; a built-in name stays built in."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in (*FORMATS, "sbu")}


def by_plugin(point: EntryPoint, report: Report) -> str:
    """Return a report in a plug-in's format: its function gets the JSON form as a mapping and returns text.

    Raises:
        PluginError: it can't be loaded, raises, takes too long, or returns no text.
    """
    text: object = with_timeout(lambda: point.load()(msgspec.to_builtins(report)))
    if not isinstance(text, str):
        raise PluginError(f"{point.name} of {origin(point)} returned no text")
    return text


TEMPLATED: Final[dict[str, Callable[[Report, Path | None], str]]] = {"html": as_html, "md": as_markdown}
