"""`/api/v1/alerts…`: alerts and their history, what people answer, and what Alertmanager reports."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from build_exporter.alerting.acknowledgements import Answered, acknowledge, escalate, firing
from build_exporter.alerting.service import AlertService
from build_exporter.alerting.webhook import Notification, Taken
from build_exporter.queries.alerts import Alerts, AlertStats, alert_stats, alerts
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.web import acknowledge as link_page
from build_exporter.web.endpoint import Endpoint, JsonResponse, Nothing, refused
from build_exporter.web.errors import error
from build_exporter.web.messages import App, Request, Response
from build_exporter.web.routes.events import BodyTooLargeError, BusyBodiesError, body_of, refused_body
from build_exporter.web.routing import Route
from build_exporter.web.service import Service

log = logging.getLogger(__name__)


class OfAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts are asked for: of one build or all; `history=false` leaves those that are over out."""

    build: str | None = None
    history: bool = True


class AlertAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's answer to the alerts of a build that fire; of one name or failure where they are given."""

    build: str
    alert: str | None = None
    failure: str | None = None
    by: str = ""
    message: str = ""


class AlertEscalation(AlertAnswer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person sends alerts on, each to its next tier or to the one given."""

    tier: Annotated[int, Meta(ge=2, le=3)] | None = None


_Handler = Callable[[Request], Awaitable[Response]]
Act = Callable[[Context, Any], list[Answered]]


def _acknowledge(context: Context, asked: AlertAnswer) -> list[Answered]:
    rows = firing(context, asked.build, asked.alert, asked.failure)
    return acknowledge(context, rows, asked.by, asked.message)


def _escalate(context: Context, asked: AlertEscalation) -> list[Answered]:
    rows = [row for row in firing(context, asked.build, asked.alert, asked.failure) if row.has_tiers or asked.alert]
    return escalate(context, rows, asked.by, asked.message, asked.tier)


def _answering(form: type[AlertAnswer], act: Act) -> Callable[[Service], App]:
    def handler(service: Service) -> App:
        async def answer(request: Request) -> Response:
            asked = msgspec.json.decode(await body_of(request, service.max_body_bytes), type=form)
            answered = act(service.context(), asked)
            # so that what was answered is in force when this is read
            service.monitor.poll()
            return JsonResponse(answered)

        return _guarded(answer)

    return handler


def _reporting(service: Service) -> App:
    async def answer(request: Request) -> Response:
        body = await body_of(request, service.max_body_bytes)
        return JsonResponse(_alerting(service).inbox.take(body, service.context()))

    return _guarded(answer)


def _tests(service: Service) -> App:
    def answer(request: Request) -> Response:
        return JsonResponse(_alerting(service).inbox.tests)

    return answer


def _alerting(service: Service) -> AlertService:
    assert service.alerts is not None, "an exporter has its alerts before it serves"
    return service.alerts


def _guarded(handler: _Handler) -> App:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (BodyTooLargeError, BusyBodiesError) as problem:
            return refused_body(problem)
        except (BadRequestError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
            return error(400, "bad-request", str(problem))
        except NotFoundError as problem:
            return refused(problem)
        except OSError as problem:
            log.warning("an answer to an alert can't be written", extra={"error": problem.strerror or str(problem)})
            return error(507, "journal-not-writable", f"the journal can't be written: {problem.strerror}")

    return answer


_STATUSES: Final = {
    400: "The body is not as described.",
    413: "The body is larger than `web.max_body_bytes`.",
    507: "The journal can't be written.",
}

ENDPOINTS: Final = (
    Endpoint(
        "/api/v1/alerts",
        "Alerts that fire, and those that are over.",
        OfAlerts,
        Alerts,
        lambda context, asked: alerts(context, asked.build, history=asked.history),
    ),
    Endpoint(
        "/api/v1/alerts/stats",
        "The history of alerts in figures, and advice on thresholds.",
        OfAlerts,
        AlertStats,
        lambda context, asked: alert_stats(context, asked.build),
    ),
    Endpoint(
        "/api/v1/alerts/tests",
        "Test alerts that came back from Alertmanager, with the receivers they came by.",
        Nothing,
        dict[str, list[str]],
        handler=_tests,
    ),
    Endpoint(
        "/api/v1/alerts",
        "Takes a message of Alertmanager's webhook into the history.",
        Nothing,
        Taken,
        method="POST",
        body=Notification,
        handler=_reporting,
        statuses=_STATUSES,
    ),
    Endpoint(
        "/api/v1/alerts/acknowledge",
        "Acknowledges the alerts of a build that fire.",
        Nothing,
        list[Answered],
        method="POST",
        body=AlertAnswer,
        handler=_answering(AlertAnswer, _acknowledge),
        statuses=_STATUSES | {404: "No such alert fires."},
    ),
    Endpoint(
        "/api/v1/alerts/escalate",
        "Sends incidents of a build on to the next tier.",
        Nothing,
        list[Answered],
        method="POST",
        body=AlertEscalation,
        handler=_answering(AlertEscalation, _escalate),
        statuses=_STATUSES | {404: "No such alert fires."},
    ),
)


def routes(service: Service) -> list[Route]:
    """Return the routes of alerts, and that of the link in messages."""

    def ask(request: Request) -> Response:
        return link_page.ask(request, service, _alerting(service))

    async def accept(request: Request) -> Response:
        return await link_page.accept(request, service, _alerting(service))

    return [
        *(endpoint.route(service) for endpoint in ENDPOINTS),
        Route("/alerts/acknowledge", ask),
        Route("/alerts/acknowledge", accept, ["POST"]),
    ]
