"""Alerts: those that fire, those that were, who has them, and advice on thresholds from their history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, quantiles
from typing import Final, Literal

import msgspec

from build_exporter.queries.context import Context, shown
from build_exporter.queries.incidents import ALERTS, Incident, incidents
from build_exporter.tracker import Build
from build_exporter.tracker.alerts import AlertLog, AlertRecord, Answer

FLAP_SECONDS: Final = 600.0
"""An alert that fires again within this after its end flaps."""

_INCIDENTS: Final = frozenset(form.name for form in ALERTS.values())

LIMITS: Final = {
    "BuildStalled": "stalled_seconds",
    "BuildStepStuck": "step_stuck_seconds",
    "BuildStepOverdue": "step_overdue_seconds",
}
"""Alerts that fire while something has lasted longer than a threshold, and that threshold."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that they have an alert."""

    at: float
    by: str
    message: str


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a build, all its tiers together.

    Attributes:
        alert: its name, which is its heading in the runbook.
        failure: the number of the incident it is about, empty for alerts that have none.
        labels: further labels that distinguish it from others of the name.
        tier: the highest tier reached; `tiers` when each was reached, as far as that is known.
        next_tier_at: when it goes to the next tier unless acknowledged, null where it does not.
        until: when it was over, null while it fires, and where that was not reported.
        notified: Alertmanager's receivers that were sent it, as far as Alertmanager reports to the exporter.
    """

    build: str
    alert: str
    state: Literal["firing", "resolved"]
    severity: str
    failure: str
    labels: dict[str, str]
    since: float
    until: float | None
    summary: str
    description: str
    step: str
    tier: int
    tiers: list[float]
    next_tier_at: float | None
    acknowledged: Acknowledgement | None
    notified: list[str]

    @property
    def has_tiers(self) -> bool:
        """Whether it can be sent on to a further tier: critical incidents can."""
        return bool(self.failure) and self.severity == "critical"

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Its identity, apart from its time."""
        return self.build, self.alert, tuple(sorted(self.labels.items()))


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, those that fire first, then the newest first."""

    now: float
    alerts: list[AlertRow]


class NameStats(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of the alerts of one name; times in seconds, null where there is no case.

    `flapped` counts those that fired within ten minutes after the end of the one before, `unattended` those that ended
    before anybody acknowledged them.
    """

    alert: str
    fired: int
    firing: int
    acknowledged: int
    unattended: int
    flapped: int
    mean_seconds_to_acknowledge: float | None
    mean_seconds_to_resolve: float | None


class AlertStats(msgspec.Struct, frozen=True, kw_only=True):
    """The history of alerts in figures: the noisiest name first, and advice in words."""

    fired: int
    firing: int
    mean_seconds_to_acknowledge: float | None
    mean_seconds_to_resolve: float | None
    names: list[NameStats]
    advice: list[str]


def alerts(context: Context, build: str | None = None, *, history: bool = True) -> Alerts:
    """Return the alerts of one build or all; without `history` only those that fire."""
    chosen = [context.build(build)[0]] if build is not None else list(context.builds.values())
    standing = incidents(chosen, context.escalation, context.now, context.host_incidents)
    rows = [row for each in chosen for row in _of_build(each, standing, context)]
    if not history:
        rows = [row for row in rows if row.state == "firing"]
    return Alerts(now=context.now, alerts=sorted(rows, key=lambda row: (row.state != "firing", -row.since)))


def _of_build(build: Build, standing: Sequence[Incident], context: Context) -> Iterator[AlertRow]:
    logs = [build.current.alerts] if build.current is not None else []
    logs += [summary.alerts for summary in list(build.history.values())]
    mine = {(found.alert, found.failure): found for found in standing if found.build == build.name}
    groups: dict[tuple[str, str, str, float], list[AlertRecord]] = {}
    for log in logs:
        for record in list(log.alerts.values()):
            # the tiers of an incident are one alert
            when = 0.0 if record.failure else record.start
            key = (record.name, record.failure, repr(sorted(record.labels.items())), when)
            groups.setdefault(key, []).append(record)
    for found in mine.values():
        yield _of_incident(found, groups.pop((found.alert, found.failure, "[]", 0.0), []), context.escalation)
    for records in groups.values():
        yield _of_records(build.name, records, logs)


def _of_incident(found: Incident, records: Sequence[AlertRecord], escalation: Sequence[float]) -> AlertRow:
    goes_on = found.acknowledged is None and found.severity == "critical"
    limit = escalation[found.tier - 1 : found.tier] if goes_on else ()
    return AlertRow(
        build=found.build,
        alert=found.alert,
        state="firing",
        severity=found.severity,
        failure=found.failure,
        labels={},
        since=found.since,
        until=None,
        summary=ALERTS[found.kind].summary,
        description=found.description,
        step=found.step,
        tier=found.tier,
        tiers=list(found.tiers),
        next_tier_at=found.since + limit[0] if limit else None,
        acknowledged=_acknowledgement(found.acknowledged),
        notified=_receivers(records),
    )


def _of_records(build: str, records: Sequence[AlertRecord], logs: Sequence[AlertLog]) -> AlertRow:
    first = min(records, key=lambda record: record.start)
    ends = [record.end for record in records]
    over = [end for end in ends if end is not None]
    answers = (log.acknowledged(first.name, first.failure, first.start) for log in logs)
    taken = next((answer for answer in answers if answer is not None), None)
    until = max(over) if len(over) == len(ends) else None
    # an incident that does not stand is over, though its end was not reported: while silenced it is not
    is_over = until is not None or (bool(first.failure) and first.name in _INCIDENTS)
    if taken is not None and not first.failure and until is not None and taken.time > until:
        taken = None
    tiers = {int(record.tier): record.start for record in records if record.tier.isdecimal()}
    return AlertRow(
        build=build,
        alert=shown(first.name),
        state="resolved" if is_over else "firing",
        severity=shown(first.severity),
        failure=first.failure,
        labels=first.labels,
        since=first.start,
        until=until,
        summary=shown(first.message),
        description="",
        step=shown(" / ".join(filter(None, (first.labels.get("phase"), first.labels.get("step"))))),
        tier=max(tiers, default=1),
        tiers=[tiers[tier] for tier in sorted(tiers)],
        next_tier_at=None,
        acknowledged=_acknowledgement(taken),
        notified=_receivers(records),
    )


def _acknowledgement(answer: Answer | None) -> Acknowledgement | None:
    if answer is None:
        return None
    return Acknowledgement(at=answer.time, by=shown(answer.by), message=shown(answer.message))


def _receivers(records: Iterable[AlertRecord]) -> list[str]:
    return list(dict.fromkeys(shown(name) for record in records for name in record.receivers))


def alert_stats(context: Context, build: str | None = None) -> AlertStats:
    """Return the history of alerts in figures, of one build or all."""
    rows = alerts(context, build).alerts
    by_name: dict[str, list[AlertRow]] = {}
    for row in rows:
        by_name.setdefault(row.alert, []).append(row)
    flaps = _flaps(rows)
    names = [_name_stats(name, found, flaps.get(name, 0)) for name, found in by_name.items()]
    return AlertStats(
        fired=len(rows),
        firing=sum(row.state == "firing" for row in rows),
        mean_seconds_to_acknowledge=_mean(_acknowledge_seconds(rows)),
        mean_seconds_to_resolve=_mean(_resolve_seconds(rows)),
        names=sorted(names, key=lambda each: (-each.fired, each.alert)),
        advice=[line for name, found in sorted(by_name.items()) for line in _advice(context, name, found)],
    )


def _name_stats(name: str, rows: Sequence[AlertRow], flapped: int) -> NameStats:
    return NameStats(
        alert=name,
        fired=len(rows),
        firing=sum(row.state == "firing" for row in rows),
        acknowledged=sum(row.acknowledged is not None for row in rows),
        unattended=sum(row.until is not None and row.acknowledged is None for row in rows),
        flapped=flapped,
        mean_seconds_to_acknowledge=_mean(_acknowledge_seconds(rows)),
        mean_seconds_to_resolve=_mean(_resolve_seconds(rows)),
    )


def _acknowledge_seconds(rows: Iterable[AlertRow]) -> list[float]:
    return [max(0.0, row.acknowledged.at - row.since) for row in rows if row.acknowledged is not None]


def _resolve_seconds(rows: Iterable[AlertRow]) -> list[float]:
    return [max(0.0, row.until - row.since) for row in rows if row.until is not None]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _flaps(rows: Iterable[AlertRow]) -> dict[str, int]:
    ended: dict[object, float] = {}
    found: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.since):
        before = ended.get(row.identity)
        if before is not None and row.since - before <= FLAP_SECONDS:
            found[row.alert] = found.get(row.alert, 0) + 1
        if row.until is not None:
            ended[row.identity] = row.until
    return found


def _advice(context: Context, name: str, rows: Sequence[AlertRow]) -> Iterator[str]:
    """Yield what the history suggests: a threshold at which alerts that ended by themselves had not fired."""
    alone = [row.until - row.since for row in rows if row.until is not None and row.acknowledged is None]
    if len(alone) < 3 or len(alone) < 0.8 * len(rows):
        return
    longest = quantiles(alone, n=10)[-1] if len(alone) > 1 else alone[0]
    limit = LIMITS.get(name)
    if limit is None:
        if len(alone) >= 5:
            yield f"{name} fired {len(rows)} times, and {len(alone)} ended before anybody acknowledged them."
        return
    now = float(getattr(context.thresholds, limit))
    spared = sum(seconds <= longest for seconds in alone)
    yield (
        f"{name} fired {len(rows)} times, and {len(alone)} ended before anybody acknowledged them; "
        f"thresholds.{limit} {_minutes(now + longest)} instead of {now / 60:.0f} min would have spared {spared}."
    )


def _minutes(seconds: float) -> str:
    return f"{-(-seconds // 60):.0f} min"
