"""The Prometheus text format 0.0.4 and OpenMetrics 1.0.0: negotiation and the final body.

Sample lines are alike in both; only the headers of counters and the closing line differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from build_exporter.catalog import Kind, Metric
from build_exporter.exposition.family import Family


class Format(Enum):
    """An exposition format and its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return str(self.value)


TEXT = Format.TEXT
OPENMETRICS = Format.OPENMETRICS

_headers: dict[Format, dict[str, bytes]] = {form: {} for form in Format}


def negotiate(accept: str) -> Format:
    """Return the format an Accept header prefers; the text format where OpenMetrics is not asked for or refused."""
    best, chosen = -1.0, TEXT
    for part in accept.lower().split(","):
        kind, *parameters = (p.strip() for p in part.split(";"))
        quality = 1.0
        version = ""
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            elif key == "version":
                version = value.strip('"')
        found = _offered(kind, version)
        if found is not None and quality > best and quality > 0:
            best, chosen = quality, found
    return chosen


def _offered(kind: str, version: str) -> Format | None:
    if kind == "application/openmetrics-text":
        return OPENMETRICS if version in ("", "1.0.0", "0.0.1") else None
    return TEXT if kind in ("text/plain", "text/*", "*/*") else None


def render(families: Iterable[Family], form: Format) -> bytes:
    """Return the body of a scrape: each family's header and lines; families without samples are left out."""
    return b"".join(render_parts(families, form))


def render_parts(families: Iterable[Family], form: Format) -> list[bytes]:
    """Return the same in parts: lines that a family was given as one are one part."""
    parts: list[bytes] = []
    headers = _headers[form]
    for family in families:
        if family.lines:
            parts.append(headers.get(family.metric.name) or header(family.metric, form))
            parts.extend(family.lines)
    if form is OPENMETRICS:
        parts.append(b"# EOF\n")
    return parts


def header(row: Metric, form: Format) -> bytes:
    """Return a family's HELP and TYPE lines, and OpenMetrics' UNIT where the name carries one."""
    known = _headers[form].get(row.name)
    if known is None:
        known = _headers[form][row.name] = _header(row, form)
    return known


def _header(row: Metric, form: Format) -> bytes:
    text = row.help.replace("\\", "\\\\").replace("\n", "\\n")
    if form is TEXT:
        return f"# HELP {row.name} {text}\n# TYPE {row.name} {row.kind}\n".encode()
    name = row.name.removesuffix("_total") if row.kind is Kind.COUNTER else row.name
    text = text.replace('"', '\\"')
    unit = f"# UNIT {name} {row.unit}\n" if row.unit and name.endswith(f"_{row.unit}") else ""
    return f"# HELP {name} {text}\n# TYPE {name} {row.kind}\n{unit}".encode()
