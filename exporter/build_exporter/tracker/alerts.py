"""A run's alerts and people's answers, folded from its events."""

from __future__ import annotations

from dataclasses import dataclass, field

from build_exporter.model import events as e
from build_exporter.model.names import MAX_TEXT_LENGTH

MAX_ALERTS = 500
"""Alerts kept of a run; the oldest go first."""
MAX_ANSWERS = 200
"""Acknowledgements and escalations kept of a run."""


@dataclass(slots=True, eq=False)
class AlertRecord:
    """One alert from its firing to its end. Times are Unix seconds.

    Attributes:
        name: its name; `labels` are further labels that distinguish it.
        end: when it was resolved, None while it fires.
        receivers: to whom Alertmanager sent it, with `resolved` those who were sent its end.
        notified: notifications of its firing.
    """

    name: str
    severity: str
    tier: str
    failure: str
    labels: dict[str, str]
    start: float
    end: float | None = None
    message: str = ""
    receivers: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    notified: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's word on an alert: an acknowledgement, or with `tier` an escalation to it."""

    time: float
    name: str
    failure: str
    by: str
    message: str
    tier: int = 0


@dataclass(slots=True, eq=False)
class AlertLog:
    """The alerts of a run by their key, and people's answers in order."""

    alerts: dict[str, AlertRecord] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    def knows(self, event: e.Alert) -> bool:
        """Return whether a report was applied before."""
        record = self.alerts.get(_key(event))
        reached = () if record is None else record.resolved if event.status == "resolved" else record.receivers
        return (event.receiver or "") in reached

    def take(self, event: e.Alert) -> None:
        """Take what Alertmanager reported; a report that is known already changes nothing but the count."""
        key = _key(event)
        record = self.alerts.get(key)
        if record is None:
            names = (event.name or "", event.severity or "", event.tier or "", event.failure or "")
            start = event.starts if event.starts is not None else event.time
            record = AlertRecord(*names, dict(event.labels or {}), start)
            self.alerts[key] = record
            if len(self.alerts) > MAX_ALERTS:
                del self.alerts[next(iter(self.alerts))]
        record.message = (event.message or record.message)[:MAX_TEXT_LENGTH]
        reached = record.resolved if event.status == "resolved" else record.receivers
        if event.receiver and event.receiver not in reached:
            reached.append(event.receiver)
        if event.status == "resolved":
            record.end = event.ends if event.ends is not None else event.time
        else:
            record.notified += 1

    def answer(self, event: e.Acknowledged | e.Escalated) -> None:
        """Take a person's acknowledgement or escalation."""
        tier = (event.tier or 2) if isinstance(event, e.Escalated) else 0
        text = (event.message or "")[:MAX_TEXT_LENGTH]
        self.answers.append(Answer(event.time, event.name or "", event.failure or "", event.by or "", text, tier))
        del self.answers[:-MAX_ANSWERS]

    def acknowledged(self, name: str, failure: str, since: float) -> Answer | None:
        """Return the first acknowledgement of a failure, or of an alert by name since it fires; None without one."""
        return next((each for each in self.answers if not each.tier and _is_about(each, name, failure, since)), None)

    def escalated(self, name: str, failure: str, since: float) -> int:
        """Return the highest tier a person sent the alert to, 0 for none."""
        return max((each.tier for each in self.answers if _is_about(each, name, failure, since)), default=0)


def _key(event: e.Alert) -> str:
    """Return the key of one firing of an alert: by its failure's number, else by its start in whole milliseconds.

    Alertmanager's API cuts times to milliseconds, its webhook does not.
    """
    start = event.starts if event.starts is not None else event.time
    labels = sorted((event.labels or {}).items())
    identity = event.fingerprint or repr((event.name, event.tier, event.failure, labels))
    return identity if event.failure else f"{identity}@{int(start * 1000 + 0.01)}"


def _is_about(answer: Answer, name: str, failure: str, since: float) -> bool:
    if answer.failure or failure:
        return answer.failure == failure
    return answer.name == name and answer.time >= since
