"""Turns Alertmanager's webhook messages (version 4) into events of the journal: the history of alerts."""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from build_exporter.alerting.acknowledgements import write
from build_exporter.alerting.sample import TEST, TEST_LABEL
from build_exporter.model.events import Alert
from build_exporter.model.names import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_TIME
from build_exporter.model.text import plain_line
from build_exporter.queries.context import BadRequestError, Context

log = logging.getLogger(__name__)

MAX_ALERTS: Final = 1000
"""Alerts of one message that are taken; Alertmanager groups them, so there are mostly a few."""
HEARTBEAT: Final = "BuildDeadMansSwitch"
MAX_TESTS: Final = 100
_OWN: Final = frozenset({"alertname", "build", "builder", "severity", "tier", "failure", "job", "outcome"})
"""Labels that have a field of their own, or are the same for all."""

Label = Annotated[str, Meta(max_length=8192)]


class ReportedAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert of a message, of which only what is used."""

    status: str
    labels: dict[Label, Label]
    annotations: dict[Label, str] = {}
    starts_at: datetime
    ends_at: datetime
    fingerprint: Label = ""


class Notification(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message of Alertmanager's webhook, of which only what is used."""

    version: str
    receiver: Label
    alerts: list[ReportedAlert]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a message's alerts; `unknown` counts those of builds not known here."""

    recorded: int
    repeated: int
    unknown: int


_decode: Final = msgspec.json.Decoder(Notification).decode


@dataclass(slots=True)
class Inbox:
    """Takes Alertmanager's messages.

    Attributes:
        counts: alerts by what became of them: `recorded`, `repeated`, `unknown`, `unwritable`; and `rejected`
            messages.
        heartbeat: when the dead man's switch came last, Unix seconds, 0 for never.
        tests: by their name the test alerts that came, with the receivers they came by.
    """

    counts: Counter[str] = field(default_factory=Counter)
    heartbeat: float = 0.0
    tests: dict[str, list[str]] = field(default_factory=dict)
    _complained: set[str] = field(default_factory=set)

    def take(self, body: bytes, context: Context) -> Taken:
        """Record what a message reports that is not known yet.

        Raises:
            BadRequestError: the body is no message of Alertmanager's webhook.
            OSError: the journal can't be written.
        """
        try:
            message = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as problem:
            raise self._rejected(f"not a message of Alertmanager's webhook: {problem}") from None
        if message.version != "4":
            raise self._rejected(f"a message of version {message.version[:20]!r}; version 4 is understood")
        outcomes = Counter(self._take_one(alert, message.receiver, context) for alert in message.alerts[:MAX_ALERTS])
        self.counts.update(outcomes)
        return Taken(recorded=outcomes["recorded"], repeated=outcomes["repeated"], unknown=outcomes["unknown"])

    def _rejected(self, reason: str) -> BadRequestError:
        self.counts["rejected"] += 1
        self._complain("a message to /api/v1/alerts was rejected, further ones are only counted: %s", reason[:300])
        return BadRequestError(reason[:300])

    def _take_one(self, alert: ReportedAlert, receiver: str, context: Context) -> str:
        name = alert.labels.get("alertname", "")
        if name == HEARTBEAT:
            self.heartbeat = context.now
            return "repeated"
        if name == TEST:
            self._take_test(alert.labels.get(TEST_LABEL, ""), receiver)
            return "repeated"
        build = _build_of(alert, context)
        if build is None:
            return "unknown"
        event = _event(alert, build, receiver, context.now)
        current = context.builds[build].current
        if current is not None and current.alerts.knows(event):
            return "repeated"
        try:
            write(context, event)
        except OSError as problem:
            if problem.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            # a journal that is read-only for the exporter will not take it at the next try either
            self._complain("what Alertmanager reports is not kept: the journal can't be written: %s", problem.strerror)
            return "unwritable"
        return "recorded"

    def _complain(self, text: str, *details: object) -> None:
        if text not in self._complained:
            self._complained.add(text)
            log.warning(text, *details)

    def _take_test(self, test: str, receiver: str) -> None:
        self.tests.setdefault(test[:MAX_NAME_LENGTH], []).append(receiver[:MAX_NAME_LENGTH])
        while len(self.tests) > MAX_TESTS:
            del self.tests[next(iter(self.tests))]


def _build_of(alert: ReportedAlert, context: Context) -> str | None:
    """Return the build an alert is of; an alert of the machine is one of the build that was active last."""
    named = alert.labels.get("build")
    if named is not None:
        return named if named in context.builds else None
    newest = next(iter(context.newest()), None)
    return newest[0].name if newest is not None else None


def _event(alert: ReportedAlert, build: str, receiver: str, now: float) -> Alert:
    is_over = alert.status == "resolved"
    return Alert(
        time=round(now, 6),
        build=build,
        name=_short(alert.labels.get("alertname", "")) or None,
        status="resolved" if is_over else "firing",
        message=plain_line(alert.annotations.get("description") or alert.annotations.get("summary", ""))[
            :MAX_TEXT_LENGTH
        ]
        or None,
        severity=_short(alert.labels.get("severity", "")) or None,
        tier=_short(alert.labels.get("tier", "")) or None,
        failure=_short(alert.labels.get("failure", "")) or None,
        labels=dict(_further(alert)) or None,
        fingerprint=_short(alert.fingerprint) or None,
        receiver=_short(receiver) or None,
        starts=_time(alert.starts_at),
        ends=_time(alert.ends_at) if is_over else None,
    )


def _further(alert: ReportedAlert) -> Iterator[tuple[str, str]]:
    found = sorted((name, value) for name, value in alert.labels.items() if name not in _OWN)
    for name, value in found[:16]:
        yield _short(name) or "_", value[:MAX_NAME_LENGTH]


def _short(text: str) -> str:
    return plain_line(text)[:MAX_NAME_LENGTH]


def _time(at: datetime) -> float:
    try:
        return min(max(0.0, at.timestamp()), MAX_TIME)
    except (OverflowError, ValueError, OSError):
        return 0.0
