"""The page behind the link *Acknowledge* of a message: it asks first, because mail scanners open every link."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from build_exporter.alerting.answers import acknowledge, firing
from build_exporter.alerting.desk import AlertDesk
from build_exporter.alerting.links import BadLinkError
from build_exporter.formatting import clock_time
from build_exporter.queries.alerts import AlertRow
from build_exporter.queries.context import Context, NotFoundError
from build_exporter.web.service import Service

MAX_FORM_BYTES = 10_000
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 2rem auto; padding: 0 1rem; }}
input, button {{ font: inherit; padding: .6rem; width: 100%; box-sizing: border-box; margin: .3rem 0; }}
button {{ font-weight: bold; cursor: pointer; }}
</style></head><body><main><h1>{title}</h1>{body}<p><a href="/alerts">All alerts</a></p></main></body></html>
"""


async def ask(request: Request, service: Service, desk: AlertDesk) -> Response:
    """Answer a GET of the link: what it acknowledges, and a button."""
    link = request.query_params.get("link", "")
    try:
        row, _ = _row(link, service, desk)
    except (BadLinkError, NotFoundError) as problem:
        return _page("Nothing to acknowledge", f"<p>{escape(str(problem))}</p>", 404)
    taken = row.acknowledged
    before = f"<p>Acknowledged by {escape(taken.by or 'somebody')}, {clock_time(taken.at)}.</p>" if taken else ""
    return _page(
        f"{row.alert}: {row.build}",
        f"<p>{escape(row.description or row.summary)}</p>{before}"
        f'<form method="post" action="/alerts/acknowledge?link={escape(link)}">'
        '<label>Your name <input name="by" maxlength="100" autocomplete="nickname"></label>'
        '<label>What you do about it <input name="message" maxlength="200"></label>'
        "<button>I have it</button></form>"
        "<p>Nobody else is called then, and everybody who was notified is notified when it is over.</p>",
    )


async def accept(request: Request, service: Service, desk: AlertDesk) -> Response:
    """Answer a POST of the link: acknowledge."""
    form = await _form(request)
    try:
        row, context = _row(request.query_params.get("link", ""), service, desk)
        (answered,) = acknowledge(context, [row], form.get("by", "") or "link", form.get("message", ""))
    except (BadLinkError, NotFoundError) as problem:
        return _page("Nothing to acknowledge", f"<p>{escape(str(problem))}</p>", 404)
    except OSError as problem:
        text = f"<p>The journal cannot be written: {escape(problem.strerror or str(problem))}</p>"
        return _page("Not acknowledged", text, 507)
    service.monitor.poll()
    before = answered.before
    also = f" {escape(before.by or 'Somebody')} acknowledged it before, {clock_time(before.at)}." if before else ""
    return _page("Acknowledged", f"<p>{row.alert} of {escape(row.build)} is yours.{also}</p>")


def _row(link: str, service: Service, desk: AlertDesk) -> tuple[AlertRow, Context]:
    claim = desk.links.read(link, service.monitor.clock())
    context = service.context()
    try:
        return firing(context, claim.build, claim.alert, claim.failure)[0], context
    except NotFoundError:
        raise NotFoundError(f"{claim.alert} of {claim.build} is over") from None


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, _HEADERS)
