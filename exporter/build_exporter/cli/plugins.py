"""`build-exporter plugins`: what installed packages add, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import click
import msgspec

from build_exporter.cli.failure_plugins import GROUP as FAILURE_RULES
from build_exporter.cli.failure_plugins import rules_of
from build_exporter.cli.query_output import print_reply
from build_exporter.logging_setup import configure_logging
from build_exporter.queries.request import Reply
from build_exporter.sources.isolation import PluginError
from build_exporter.sources.plugins import with_timeout

POINTS: Final[dict[str, str]] = {
    "build_exporter.sources": "kinds of record",
    "build_exporter.collectors": "collectors of metrics",
    "build_exporter.event_handlers": "handlers of live events",
    "build_exporter.report_formats": "formats of reports",
    "build_exporter.failure_rules": "rules on failures",
}
"""The groups of entry points, each with what its entries are; docs/guide/plugins.md says how each is made."""


class PluginRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry point: whether it can be loaded, and why not."""

    kind: str
    name: str
    package: str
    version: str
    ok: bool
    detail: str | None


@click.command()
@click.option("--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def plugins(output: str) -> None:
    """List the plug-ins that installed packages bring, each loaded to see whether it can be used.

    Exits with 1 when one can't.

    \b
    build-exporter plugins
    """
    configure_logging("warn", "logfmt")
    rows = [_row(group, point) for group in POINTS for point in _points(group)]
    lines = [] if rows else ["no plug-ins are installed; docs/guide/plugins.md says how one is made"]
    bad = any(not row.ok for row in rows)
    print_reply(Reply(rows, bad, lines), PluginRow, output, {"query": "plugins", "source": "the installed packages"})
    raise SystemExit(1 if bad else 0)


def _points(group: str) -> Iterator[EntryPoint]:
    yield from sorted(entry_points(group=group), key=lambda point: point.name)


def _row(group: str, point: EntryPoint) -> PluginRow:
    detail = None
    try:
        if not callable(with_timeout(point.load)):
            detail = "it is neither a class nor a function"
        elif group == FAILURE_RULES:
            rules_of(point)
    except PluginError as error:
        detail = str(error)
    package = point.dist
    return PluginRow(
        kind=POINTS[group],
        name=point.name,
        package=package.name if package is not None else "",
        version=package.version if package is not None else "",
        ok=detail is None,
        detail=detail,
    )
