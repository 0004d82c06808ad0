"""The alert that tests the delivery of alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

TEST: Final = "BuildAlertTest"
TEST_LABEL: Final = "test"
SECONDS: Final = 60.0


def sample_alert(name: str, now: float) -> dict[str, Any]:
    """Return a test alert in Alertmanager's form, over by itself after a minute.

    The shipped routes group by the label `failure`, so that no test waits for the interval of an earlier one.
    """
    return {
        "labels": {"alertname": TEST, "severity": "critical", "tier": "1", "failure": name, TEST_LABEL: name},
        "annotations": {
            "summary": "This is a test of alerting.",
            "description": f"Somebody tests whether alerts arrive ({name}). Nothing has happened.",
        },
        "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
        "endsAt": datetime.fromtimestamp(now + SECONDS, UTC).isoformat(),
    }
