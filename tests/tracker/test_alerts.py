"""Reports of Alertmanager, folded into the alerts of a run."""

from __future__ import annotations

from typing import Any

import pytest

from build_exporter.model import events as e
from build_exporter.tracker.alerts import MAX_ALERTS, MAX_ANSWERS, AlertLog


def report(status: str, starts: float, **fields: Any) -> e.Alert:
    """One report of one alert; its end is at 2000 s."""
    usual = {"fingerprint": "f", "receiver": "page", "message": "no event"}
    ends = 2000.0 if status == "resolved" else None
    return e.Alert(
        time=3000.0, build="b", name="BuildStalled", status=status, starts=starts, ends=ends, **usual | fields
    )


@pytest.mark.parametrize(
    ("failure", "starts", "ended", "alerts"),
    [
        (None, 1000.461576, 1000.461, 1),  # as Alertmanager's API cuts it
        (None, 1000.461576, 1000.460, 2),
        ("1", 1000.461576, 900.0, 1),
    ],
)
def test_the_end_belongs_to_the_alert_that_fired(failure: str | None, starts: float, ended: float, alerts: int) -> None:
    """An alert has its end although the start came in microseconds at first; another start is another alert."""
    log = AlertLog()
    log.take(report("firing", starts, failure=failure))
    log.take(report("resolved", ended, failure=failure))
    assert len(log.alerts) == alerts
    assert [record.end for record in log.alerts.values()] == ([2000.0] if alerts == 1 else [None, 2000.0])


def test_alerts_and_answers_are_bounded_and_the_oldest_go_first() -> None:
    """Alerts that never end, and answers without number, take bounded memory; the newest of each stay."""
    log = AlertLog()
    for number in range(MAX_ALERTS + 2):
        log.take(report("firing", 1.0, failure=f"{number}", fingerprint=f"{number}"))
        log.answer(e.Acknowledged(time=number, build="b", failure=f"{number}"))
    assert list(log.alerts) == [f"{number}" for number in range(2, MAX_ALERTS + 2)]
    assert [each.time for each in log.answers] == list(range(MAX_ALERTS + 2 - MAX_ANSWERS, MAX_ALERTS + 2))


def test_reports_to_several_receivers_are_one_alert() -> None:
    """Each receiver is named once, the end by its own; notifications of the firing are counted, words kept."""
    log = AlertLog()
    reports = [report("firing", 1.0), report("firing", 1.0), report("firing", 1.0, receiver="mail")]
    assert [log.knows(each) for each in reports] == [False] * 3
    for each in reports:
        log.take(each)
    end = report("resolved", 1.0, message=None)
    assert ([log.knows(each) for each in reports], log.knows(end)) == ([True] * 3, False)
    log.take(end)
    (record,) = log.alerts.values()
    assert (record.receivers, record.resolved, record.notified) == (["page", "mail"], ["page"], 3)
    assert (record.message, record.end, log.knows(end)) == ("no event", 2000.0, True)


@pytest.mark.parametrize(
    ("name", "failure", "since", "by", "tier"),
    [
        ("BuildStalled", "", 10.0, "a", 0), ("BuildStalled", "", 10.5, "", 0), ("BuildLate", "", 0.0, "", 0),
        ("BuildFailed", "f", 99.0, "b", 3), ("BuildFailed", "g", 0.0, "", 0), ("BuildStalled", "f", 0.0, "b", 3),
    ],
)  # fmt: skip
def test_an_answer_is_to_one_failure_or_one_firing(name: str, failure: str, since: float, by: str, tier: int) -> None:
    """An alert without a number is answered by its name since it fires, another by its number whenever that was."""
    log = AlertLog()
    log.answer(e.Acknowledged(time=10.0, build="b", name="BuildStalled", by="a"))
    log.answer(e.Escalated(time=20.0, build="b", failure="f", by="x", tier=3))
    log.answer(e.Escalated(time=21.0, build="b", failure="f", by="x"))
    log.answer(e.Acknowledged(time=30.0, build="b", failure="f", by="b"))
    log.answer(e.Acknowledged(time=31.0, build="b", failure="f", by="c"))
    found = log.acknowledged(name, failure, since)
    assert ("" if found is None else found.by, log.escalated(name, failure, since)) == (by, tier)
