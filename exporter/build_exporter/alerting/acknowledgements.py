"""Record in the journal that a person acknowledges an alert or escalates it to the next tier."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from build_exporter.journal.append import Writer
from build_exporter.journal.layout import run_path
from build_exporter.model.events import Acknowledged, Escalated, Event, encode_line
from build_exporter.model.names import MAX_NAME_LENGTH, MAX_TEXT_LENGTH
from build_exporter.model.text import plain_line
from build_exporter.queries.alerts import Acknowledgement, AlertRow, alerts
from build_exporter.queries.context import BadRequestError, Context, NotFoundError

LAST_TIER = 3


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was acknowledged or sent on; `before` is who had acknowledged it already."""

    build: str
    alert: str
    failure: str
    tier: int
    before: Acknowledgement | None = None


def firing(context: Context, build: str, alert: str | None = None, failure: str | None = None) -> list[AlertRow]:
    """Return the alerts of a build that fire, those of a name or failure where one is given.

    Raises:
        NotFoundError: there is no such build, or no such alert of it fires.
    """
    rows = alerts(context, build, history=False).alerts
    found = [row for row in rows if alert in (None, row.alert) and failure in (None, row.failure)]
    if not found:
        what = f"no alert {alert}" if alert else "no alert"
        others = ", ".join(sorted({row.alert for row in rows}))
        raise NotFoundError(f"{what} of {build} fires" + (f"; there are: {others}" if others else ""))
    return found


def acknowledge(context: Context, rows: Iterable[AlertRow], by: str, message: str = "") -> list[Answered]:
    """Record that a person has these alerts; those acknowledged before are recorded again, with both names.

    Raises:
        OSError: the journal can't be written.
    """
    answered = []
    for row in rows:
        event = Acknowledged(
            time=round(context.now, 6),
            build=row.build,
            name=row.alert,
            failure=row.failure or None,
            by=_name(by),
            message=message[:MAX_TEXT_LENGTH] or None,
        )
        write(context, event)
        answered.append(
            Answered(build=row.build, alert=row.alert, failure=row.failure, tier=row.tier, before=row.acknowledged)
        )
    return answered


def escalate(
    context: Context, rows: Iterable[AlertRow], by: str, message: str = "", tier: int | None = None
) -> list[Answered]:
    """Record that a person sent these alerts on: each to its next tier, or to the one given.

    Raises:
        OSError: the journal can't be written.
        BadRequestError: an alert has no tiers, or is in the last one.
    """
    answered = []
    for row in rows:
        if not row.has_tiers:
            raise BadRequestError(f"{row.alert} has no tiers; critical incidents have (docs/guide/alerts.md)")
        to = tier if tier is not None else row.tier + 1
        if not row.tier < to <= LAST_TIER:
            raise BadRequestError(f"{row.alert} of {row.build} is in tier {row.tier}; the last one is {LAST_TIER}")
        event = Escalated(
            time=round(context.now, 6),
            build=row.build,
            name=row.alert,
            failure=row.failure,
            tier=to,
            by=_name(by),
            message=message[:MAX_TEXT_LENGTH] or None,
        )
        write(context, event)
        answered.append(
            Answered(build=row.build, alert=row.alert, failure=row.failure, tier=to, before=row.acknowledged)
        )
    return answered


def write(context: Context, event: Event) -> None:
    """Append an event to the newest run of its build.

    Raises:
        OSError: the journal can't be written.
        NotFoundError: the build has no run.
    """
    build = context.builds.get(event.build)
    if build is None or build.current is None:
        raise NotFoundError(f"no build {event.build}")
    writer = Writer(run_path(context.journal, build.name, build.current.run))
    try:
        writer.append(encode_line(event))
    finally:
        writer.close()


def _name(by: str) -> str | None:
    return plain_line(by)[:MAX_NAME_LENGTH].strip() or None
