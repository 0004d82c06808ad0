"""What Alertmanager reports to the exporter: history, figures, and bodies that are no messages."""

from __future__ import annotations

import errno
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from build_exporter.alerting import webhook
from build_exporter.alerting.sample import TEST, TEST_LABEL
from build_exporter.alerting.webhook import Inbox
from build_exporter.model.events import BuildStarted, encode_line
from build_exporter.model.names import MAX_NAME_LENGTH
from build_exporter.queries.context import Context
from build_exporter.tracker import Tracker


def post(served: Any, body: bytes) -> tuple[int, Any]:
    """Post a body to the webhook."""
    request = urllib.request.Request(f"{served.url}/api/v1/alerts", body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.load(problem)


def message(
    status: str = "firing", start: float = 0.0, end: float = 0.0, receiver: str = "team", **labels: str
) -> bytes:
    """Return a message of the webhook with one alert; times are seconds ago."""

    def at(ago: float) -> str:
        return datetime.fromtimestamp(time.time() - ago, UTC).isoformat() if ago else "0001-01-01T00:00:00Z"

    named = {"alertname": "BuildStalled", "severity": "warning", "build": "lfs", **labels}
    alert = {"status": status, "labels": named, "annotations": {"summary": "It stalls."}}
    alert |= {"startsAt": at(start), "endsAt": at(end), "fingerprint": "f" + labels.get("step", "")}
    return json.dumps({"version": "4", "receiver": "team", "status": status, "alerts": [alert]}).encode()


@pytest.fixture
def served(serve: Callable[..., Any], live_run: Callable[..., Any]) -> Any:
    """An exporter with one running build, `lfs`."""
    live_run().add("step_started", phase="p", step="gcc")
    return serve()


def rows(served: Any) -> list[Any]:
    """Return the alerts the exporter knows."""
    return list(json.loads(served.get("/api/v1/alerts")[2])["alerts"])


def test_an_alert_is_in_the_history_once_with_everybody_who_was_notified(served: Any) -> None:
    """Repeated messages add nothing; another receiver, and the end, do."""
    first = message(start=100)
    assert post(served, first) == (200, {"recorded": 1, "repeated": 0, "unknown": 0})
    assert post(served, first)[1]["repeated"] == 1
    assert post(served, first.replace(b'"team"', b'"page"'))[1]["recorded"] == 1
    (row,) = rows(served)
    assert (row["alert"], row["state"], row["notified"]) == ("BuildStalled", "firing", ["team", "page"])
    over = json.loads(first)
    over["alerts"][0] |= {"status": "resolved", "endsAt": datetime.fromtimestamp(time.time() - 40, UTC).isoformat()}
    assert post(served, json.dumps(over).encode())[1]["recorded"] == 1
    (row,) = rows(served)
    assert row["state"] == "resolved"
    assert row["until"] - row["since"] == pytest.approx(60, abs=2)


def test_the_history_survives_a_restart(served: Any, serve: Callable[..., Any]) -> None:
    """It is in the journal."""
    post(served, message(start=100))
    served.kill()
    assert [row["alert"] for row in rows(serve())] == ["BuildStalled"]


def test_an_alert_of_the_machine_belongs_to_the_build_that_is_active(served: Any) -> None:
    """Without a build label it is kept all the same; of a build that is not known here it is not."""
    host = json.loads(message(start=10, alertname="BuildHostDiskLow", mountpoint="/mnt"))
    del host["alerts"][0]["labels"]["build"]
    assert post(served, json.dumps(host).encode())[1]["recorded"] == 1
    assert post(served, message(build="another"))[1] == {"recorded": 0, "repeated": 0, "unknown": 1}
    (row,) = rows(served)
    assert (row["build"], row["labels"]) == ("lfs", {"mountpoint": "/mnt"})


def test_figures_and_advice_come_from_the_history(served: Any, command: Callable[..., Any], journal: Any) -> None:
    """Four alerts that ended within 4 minutes by themselves: the threshold that had spared them is named."""
    for number, ago in enumerate((4000, 3000, 2000, 1000)):
        post(served, message("resolved", start=ago, end=ago - 120.0 * (1 + number % 2)))
    stats = json.loads(served.get("/api/v1/alerts/stats")[2])
    (named,) = stats["names"]
    assert (named["fired"], named["unattended"], named["flapped"]) == (4, 4, 0)
    assert named["mean_seconds_to_resolve"] == pytest.approx(180, abs=1)
    assert any("thresholds.stalled_seconds" in line and "instead of 30 min" in line for line in stats["advice"])
    printed = command("alerts", "stats", "--journal", str(journal)).stdout
    assert "BuildStalled" in printed
    assert "3 min 00 s" in printed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"version":"3","receiver":"x","alerts":[]}',
        b'{"version":"4","receiver":"x","alerts":[{"status":1}]}',
        b'{"version":"4","receiver":"x","alerts":[{"status":"firing","labels":{},"startsAt":"x","endsAt":"x"}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused_and_counted_and_the_exporter_goes_on(served: Any, body: bytes) -> None:
    """Whatever is posted, the answer says why it was not taken."""
    status, answer = post(served, body)
    assert (status, answer["error"]["code"]) == (400, "bad-request")
    assert post(served, message(start=1))[0] == 200


def test_a_hundred_megabytes_are_refused_without_being_kept(served: Any) -> None:
    """The body is refused by its size, before it is read."""
    try:
        status, _ = post(served, b" " * 100_000_000)
    except (ConnectionError, urllib.error.URLError):
        status = 413
    assert status == 413
    assert post(served, message(start=1))[0] == 200


def test_the_dead_mans_switch_is_no_history(served: Any) -> None:
    """It comes each few minutes for ever: it is noted, not written."""
    assert post(served, message(start=1, alertname="BuildDeadMansSwitch"))[1]["recorded"] == 0
    assert rows(served) == []


def test_a_message_is_kept_as_its_alert_says(tmp_path: Path) -> None:
    """An end only once it is over, names within bounds, the newest hundred tests; an alert that stands is not over."""
    tracker, start = Tracker(), BuildStarted(time=1.0, build="lfs")
    tracker.feed("lfs", "20260101T000000Z", [start])
    file = tmp_path / "lfs" / "20260101T000000Z.jsonl"
    file.parent.mkdir()
    file.write_bytes(encode_line(start))
    inbox, context = Inbox(), Context(tracker.builds, 9.1234567, journal=str(tmp_path))
    ahead = message(start=100, end=-300, step="x" * 8000, job="node")
    for body in (ahead, ahead.replace(b'"firing"', b'"resolved"')):
        assert inbox.take(body, context).recorded == 1
    firing, over = (json.loads(line) for line in file.read_text().splitlines()[1:])
    assert ("ends" in firing, over["ends"] - over["starts"]) == (False, pytest.approx(400, abs=5))
    assert (firing["time"], firing["status"], over["status"]) == (9.123457, "firing", "resolved")
    assert firing["labels"] == {"step": "x" * MAX_NAME_LENGTH}
    inbox.take(message("resolved", step="never"), context)
    never = json.loads(file.read_text().splitlines()[-1])
    assert (never["starts"], never["ends"]) == (0.0, 0.0)
    for number in range(101):
        labels: dict[str, Any] = {"alertname": TEST, TEST_LABEL: f"t{number}"}
        inbox.take(message(**labels), context)
    many = json.loads(message(build="another"))
    assert inbox.take(json.dumps(many | {"alerts": many["alerts"] * 1001}).encode(), context).unknown == 1000
    inbox.take(message(alertname="BuildDeadMansSwitch"), context)
    assert inbox.heartbeat == context.now
    assert list(inbox.tests.items()) == [(f"t{number}", ["team"]) for number in range(1, 101)]


@pytest.mark.parametrize(
    ("code", "is_kept_from"), [("EROFS", True), ("EACCES", True), ("EPERM", True), ("ENOSPC", False), ("EIO", False)]
)
def test_a_journal_that_is_read_only_is_no_reason_to_try_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str, is_kept_from: bool
) -> None:
    """Alertmanager repeats what failed: on a full disk that helps, without permission it never will."""

    def fails(*_: object) -> None:
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(webhook, "write", fails)
    tracker = Tracker()
    tracker.feed("lfs", "20260101T000000Z", [BuildStarted(time=1.0, build="lfs")])
    inbox, context = Inbox(), Context(tracker.builds, 9.0)
    for number in range(2):
        if is_kept_from:
            inbox.take(message(start=10 + number), context)
        else:
            with pytest.raises(OSError, match=code):
                inbox.take(message(start=10 + number), context)
    assert inbox.counts["unwritable"] == 2 * is_kept_from
    assert len(caplog.records) == is_kept_from
