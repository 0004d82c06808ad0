"""Reports of Alertmanager, folded into the alerts of a run."""

from __future__ import annotations

import pytest

from build_exporter.model import events as e
from build_exporter.tracker.alerts import AlertLog


def report(status: str, starts: float, *, failure: str | None = None) -> e.Alert:
    """One report of one alert; its end is at 2000 s."""
    return e.Alert(
        time=3000.0,
        build="b",
        name="BuildStalled",
        status=status,
        failure=failure,
        fingerprint="f",
        receiver="page",
        starts=starts,
        ends=2000.0 if status == "resolved" else None,
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
