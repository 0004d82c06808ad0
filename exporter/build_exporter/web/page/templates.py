"""The templates of the page, with the filters they use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from build_exporter import __version__
from build_exporter.formatting import clock_time, duration, percent, size
from build_exporter.web.page.rows import step_url

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Return the templates' environment; it escapes whatever a template puts out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - large, and only for pages

    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(duration=duration, clock=clock_time, percent=percent, size=size, iso=_iso, hour=_hour)
    made.globals.update(version=__version__, step_url=step_url, zone=time.strftime("%Z"))
    return made


def render(template: str, values: Mapping[str, object]) -> str:
    """Return a template with its values put in."""
    return environment().get_template(template).render(values)


def _iso(when: float) -> str:
    try:
        return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _hour(when: float) -> str:
    try:
        return time.strftime("%H:%M", time.localtime(when))
    except (OverflowError, ValueError, OSError):
        return ""
