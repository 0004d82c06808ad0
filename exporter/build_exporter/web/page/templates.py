"""The templates of the page, with the filters they use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from build_exporter import __version__
from build_exporter.failures import Card
from build_exporter.formatting import clock_time, duration, percent, size
from build_exporter.memory import give_back
from build_exporter.web.page.rows import step_url

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_KEPT: Final = 256
"""Parts of pages that are kept: some of each build that somebody looks at."""
_made: dict[tuple[str, str], tuple[object, str]] = {}


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
    made.filters.update(duration=duration, clock=_clock, percent=percent, size=size, iso=_iso, hour=_hour)
    made.filters.update(code=_code, error_lines=error_lines, more_evidence=more_evidence)
    made.globals.update(kept=_kept, version=__version__, step_url=step_url, zone=time.strftime("%Z"))
    return made


def render(template: str, values: Mapping[str, object]) -> str:
    """Return a template with its values put in."""
    made = environment()
    known = len(made.cache or ())
    text = made.get_template(template).render(values)
    if len(made.cache or ()) != known:
        # the compiler takes several times what the compiled template does
        give_back()
    return text


def _kept(macro: Callable[..., str], build: str, *shown: object) -> str:
    """Return what a macro makes of values of a build: what it made before while they, and the day, are the same."""
    name, state = (getattr(macro, "name", ""), build), (time.localtime()[:3], shown)
    known = _made.get(name)
    if known is None or known[0] != state:
        if len(_made) >= MOST_KEPT:
            _made.clear()
        known = _made[name] = (state, macro(build, *shown))
    return known[1]


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


def _clock(when: float) -> str:
    """Return a time of today without its day."""
    try:
        today = time.localtime(when)[:3] == time.localtime()[:3]
    except (OverflowError, ValueError, OSError):
        today = False
    return _hour(when) if today else clock_time(when)


def _code(text: str) -> Markup:
    """Return a text whose parts between backticks are code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def error_lines(card: Card) -> list[tuple[str, bool]]:
    """Return the lines of a failure and whether each says why; that one comes first if it is not among them."""
    lines = list(card.context)
    reason = card.reason.splitlines()[0].strip() if card.reason.strip() else ""
    if not reason:
        return [(line, False) for line in lines]
    at = next((n for n, line in enumerate(lines) if line.strip().endswith(reason)), None)
    if at is None:
        at, lines = 0, [card.reason, *lines]
    return [(line, n == at) for n, line in enumerate(lines)]


def more_evidence(card: Card) -> list[str]:
    """Return the evidence of a failure that neither its lines nor its exit code have shown."""
    seen = {line.strip() for line, _ in error_lines(card)} | {f"exit code {card.exit_code}"}
    return [each for each in card.evidence if not seen & {each, each.partition(": ")[2]}]
