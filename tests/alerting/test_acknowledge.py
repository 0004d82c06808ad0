"""Acknowledgement with a real Alertmanager: quiet while it stands, heard again afterwards, whatever happens between."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.alerting.links import KEY_FILE, Claim, Links


@pytest.fixture
def stands(stage: Any) -> Any:
    """Return an exporter and a run of `lfs` that stands failed, and was reported."""
    served = stage.begin()
    run = stage.live_run()
    stage.fail(run)
    stage.poll(lambda: stage.receiver.alerts("BuildFailed"), 10, "the message")
    return served, run


def silences(servers: Any) -> list[Any]:
    """Return the silences in force."""
    return [each for each in servers.ask("/api/v2/silences") if each["status"]["state"] == "active"]


def acknowledge(command: Callable[..., Any], journal: Any, by: str = "ada") -> str:
    """Acknowledge by the command line and return what it printed."""
    done = command("alerts", "ack", "lfs", "--journal", str(journal), "--by", by, "--message", "on it")
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_an_acknowledged_failure_is_silenced_until_it_is_over_and_the_next_one_rings(stage: Any, stands: Any) -> None:
    """Alertmanager is quiet about this failure alone, everybody hears of the end, and the next failure is reported."""
    served, run = stands
    assert "lfs: BuildFailed acknowledged" in acknowledge(stage.command, stage.journal)
    stage.poll(lambda: len(silences(stage.servers)) == 1, 10, "the silence")
    (silence,) = silences(stage.servers)
    failure = stage.receiver.alerts("BuildFailed")[0]["labels"]["failure"]
    matched = {m["name"]: m["value"] for m in silence["matchers"]}
    assert matched == {"alertname": "BuildFailed", "build": "lfs", "failure": failure}
    assert silence["comment"] == "acknowledged by ada: on it"
    assert served.value("build_alert_acknowledged", build="lfs") == 1
    run.add("step_started", phase="chapter-8", step="813-gcc")
    stage.poll(
        lambda: stage.receiver.alerts("BuildFailed", "resolved", failure=failure), 40, "everybody hears of the end"
    )
    stage.poll(lambda: not silences(stage.servers), 10, "the silence is over")
    stage.fail(run)
    stage.poll(lambda: len(stage.receiver.alerts("BuildFailed")) == 2, 10, "the next failure")


def test_a_silence_made_by_hand_acknowledges_and_one_that_was_there_before_does_not(stage: Any, stands: Any) -> None:
    """Who uses amtool or Alertmanager's page has the alert, with name and comment; no further tier is called."""
    served, _ = stands

    def silence(build: str, comment: str) -> None:
        now = time.time()
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 600))
        starts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        matchers = [{"name": "build", "value": build, "isRegex": False, "isEqual": True}]
        body = {"matchers": matchers, "startsAt": starts, "endsAt": ends, "createdBy": "grace", "comment": comment}
        stage.servers.ask("/api/v2/silences", body)

    silence("quiet", "maintenance")
    # silences begin at a whole second here
    time.sleep(1.1)
    stage.fail(stage.live_run("quiet"))
    silence("lfs", "disk is on its way")
    stage.poll(lambda: served.value("build_alert_acknowledged", build="lfs") == 1, 40, "the acknowledgement")
    rows = {row["build"]: row for row in json.loads(served.get("/api/v1/alerts")[2])["alerts"]}
    taken = rows["lfs"]["acknowledged"]
    assert (taken["by"], taken["message"]) == ("grace", "disk is on its way")
    assert rows["lfs"]["next_tier_at"] is None
    assert rows["quiet"]["acknowledged"] is None


def test_two_people_acknowledge_at_once(stage: Any, stands: Any) -> None:
    """There is one silence, the second person is shown the first, and both are in the journal."""
    acknowledge(stage.command, stage.journal, "ada")
    assert "ada acknowledged it before" in acknowledge(stage.command, stage.journal, "grace")
    stage.poll(lambda: len(silences(stage.servers)) == 1, 10, "the silence")
    time.sleep(0.5)
    assert len(silences(stage.servers)) == 1
    lines = [json.loads(line) for file in stage.journal.glob("lfs/*.jsonl") for line in file.read_text().splitlines()]
    assert [each["by"] for each in lines if each["event"] == "acknowledged"] == ["ada", "grace"]


def test_an_acknowledgement_survives_restarts_of_both_sides(stage: Any, stands: Any) -> None:
    """A killed exporter, and an Alertmanager that lost its storage, come back to the same silence, once."""
    served, _ = stands
    acknowledge(stage.command, stage.journal)
    stage.poll(lambda: len(silences(stage.servers)) == 1, 10, "the silence")
    served.kill()
    stage.serve("--alertmanager.url", stage.servers.alertmanager)
    time.sleep(1.0)
    assert len(silences(stage.servers)) == 1
    stage.servers.stop("alertmanager")
    for file in (stage.servers.directory / "alertmanager").iterdir():
        file.unlink()
    stage.servers.start_alertmanager()
    assert silences(stage.servers) == []
    stage.poll(lambda: len(silences(stage.servers)) == 1, 30, "the silence is made anew")


def test_the_link_in_a_message_asks_first_and_then_acknowledges(stage: Any, stands: Any) -> None:
    """Opening the link, as a mail scanner does, changes nothing; the button acknowledges; a changed link does not."""
    served, _ = stands
    link = stage.receiver.alerts("BuildFailed")[0]["annotations"]["acknowledge_url"]
    assert link.startswith(f"http://localhost:{served.port}/alerts/acknowledge?link=")
    with urllib.request.urlopen(link, timeout=10) as answer:
        page = answer.read().decode()
    assert "BuildFailed: lfs" in page
    assert "a.c:1: error: x" in page
    assert served.value("build_alert_acknowledged", build="lfs") == 0
    bad = link[:-3] + ("AAA" if link[-3:] != "AAA" else "BBB")
    assert served.get(bad.removeprefix(f"http://localhost:{served.port}"))[0] == 404
    (action,) = re.findall(r'action="([^"]+)"', page)
    request = urllib.request.Request(f"{served.url}{action}", b"by=ada&message=on+it", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert "is yours" in answer.read().decode()
    assert served.value("build_alert_acknowledged", build="lfs") == 1
    stage.poll(lambda: len(silences(stage.servers)) == 1, 10, "the silence")


def test_acknowledging_and_sending_on_by_the_api(stands: Any, receiver: Any, poll: Callable[..., None]) -> None:
    """Another program can answer for a person; what does not fire cannot be acknowledged."""
    served, _ = stands

    def post(path: str, **body: object) -> tuple[int, Any]:
        request = urllib.request.Request(f"{served.url}{path}", json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, json.load(problem)

    assert post("/api/v1/alerts/acknowledge", build="lfs", alert="BuildStalled")[0] == 404
    assert post("/api/v1/alerts/acknowledge", build="lfs", wrong=1)[0] == 400
    status, answered = post("/api/v1/alerts/escalate", build="lfs", by="ada")
    assert (status, answered[0]["tier"]) == (200, 2)
    poll(lambda: receiver.alerts("BuildFailed", tier="2"), 10, "the second tier")
    assert {alert["to"] for alert in receiver.alerts("BuildFailed", tier="2")} == {"on-call"}
    status, answered = post("/api/v1/alerts/acknowledge", build="lfs", by="ada", message="on it")
    assert (status, answered[0]["alert"]) == (200, "BuildFailed")
    rows = json.loads(served.get("/api/v1/alerts")[2])["alerts"]
    assert [(row["alert"], row["tier"], row["acknowledged"]["by"]) for row in rows] == [("BuildFailed", 2, "ada")]


def test_links_hold_over_a_restart_of_an_exporter_that_was_there_before_its_journal(
    serve: Callable[..., Any], tmp_path: Any, command: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """The first build makes the journal, the exporter then keeps its key there, and had nothing to complain about."""
    journal = tmp_path / "later"
    served = serve(journal=journal)
    assert not journal.exists()
    command("run", "--journal", str(journal), "--build", "lfs", "--", "false")
    poll((journal / KEY_FILE).exists, 30, "the key")
    poll(lambda: json.loads(served.get("/api/v1/alerts")[2])["alerts"], 30, "the alert")
    (row,) = json.loads(served.get("/api/v1/alerts")[2])["alerts"]
    claim = Claim("lfs", row["alert"], row["failure"], int(time.time()) + 60)
    link = f"/alerts/acknowledge?link={Links('', key=(journal / KEY_FILE).read_bytes()).sign(claim)}"
    assert served.get(link)[0] == 200
    assert "links to acknowledge" not in served.log.read_text()
    served.kill()
    assert serve(journal=journal).get(link)[0] == 200
