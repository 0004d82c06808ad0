"""The page behind the link *Acknowledge* of a message: it asks first, because mail scanners open every link."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote

from build_exporter.alerting.acknowledgements import acknowledge, firing
from build_exporter.alerting.links import BadLinkError
from build_exporter.alerting.service import AlertService
from build_exporter.formatting import clock_time
from build_exporter.queries.alerts import AlertRow
from build_exporter.queries.context import Context, NotFoundError
from build_exporter.web.messages import Request, Response
from build_exporter.web.page import responses
from build_exporter.web.service import Service

MAX_FORM_BYTES = 10_000


def ask(request: Request, service: Service, alerting: AlertService) -> Response:
    """Answer a GET of the link: what it acknowledges, and a button."""
    link = request.parameter("link")
    try:
        row, _ = _row(link, service, alerting)
    except (BadLinkError, NotFoundError) as problem:
        return _page(request, service, "Nothing to acknowledge", [str(problem)], status=404)
    taken = row.acknowledged
    before = [f"Acknowledged by {taken.by or 'somebody'}, {clock_time(taken.at)}."] if taken is not None else []
    action = f"/alerts/acknowledge?link={quote(link)}"
    return _page(request, service, f"{row.alert}: {row.build}", before, alert=row, action=action)


async def accept(request: Request, service: Service, alerting: AlertService) -> Response:
    """Answer a POST of the link: acknowledge."""
    form = await _form(request)
    try:
        row, context = _row(request.parameter("link"), service, alerting)
        (answered,) = acknowledge(context, [row], form.get("by", "") or "link", form.get("message", ""))
    except (BadLinkError, NotFoundError) as problem:
        return _page(request, service, "Nothing to acknowledge", [str(problem)], status=404)
    except OSError as problem:
        text = f"The journal cannot be written: {problem.strerror or problem}"
        return _page(request, service, "Not acknowledged", [text], status=507)
    service.monitor.poll()
    before = answered.before
    lines = [f"{row.alert} of {row.build} is yours."]
    lines += [f"{before.by or 'Somebody'} acknowledged it before, {clock_time(before.at)}."] if before else []
    return _page(request, service, "Acknowledged", lines, alert=row, done=True)


def _row(link: str, service: Service, alerting: AlertService) -> tuple[AlertRow, Context]:
    claim = alerting.links.read(link, service.monitor.clock())
    context = service.context()
    try:
        return firing(context, claim.build, claim.alert, claim.failure)[0], context
    except NotFoundError:
        raise NotFoundError(f"{claim.alert} of {claim.build} is over") from None


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.body:
        body += part
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))


def _page(request: Request, service: Service, title: str, lines: list[str], status: int = 200, **more: Any) -> Response:

    common = {"here": "", "telemetry_path": service.telemetry_path, "refresh": False, "build_name": ""}
    nothing = {"alert": None, "action": "", "done": False, "now": service.monitor.clock()}
    response = responses.html(
        request, "acknowledge.html", common | nothing | {"title": title, "lines": lines} | more, status
    )
    # the address holds the signed link: nobody else gets it
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["cache-control"] = "no-store"
    return response
