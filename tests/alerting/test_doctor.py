"""`doctor` and `alerts test` with real servers: a whole chain is green, what is away is named with its remedy."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.alerting.client import Client
from build_exporter.alerting.doctor import Chain, Check
from build_exporter.config.alerting import Alertmanager


@pytest.fixture
def doctor(command: Callable[..., Any]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run `doctor` against servers and return its exit code and the checks by their link."""

    def run(exporter: str, servers: Any, *flags: str) -> tuple[int, dict[str, Any]]:
        addresses = ("--exporter.url", exporter, "--prometheus.url", servers.prometheus)
        done = command("doctor", *addresses, "--alertmanager.url", servers.alertmanager, "--output", "json", *flags)
        assert done.stderr == ""
        return done.returncode, {check["link"]: check for check in json.loads(done.stdout)}

    return run


def test_a_whole_chain_is_green_and_the_test_alert_comes_back_to_the_exporter(
    stage: Any, doctor: Callable[..., Any]
) -> None:
    """Every link is ok, and the test alert is seen where Alertmanager delivers and in the exporter's inbox."""
    served = stage.serve()
    stage.servers.also_report_to(served.url)
    stage.servers.start_alertmanager()
    stage.servers.start_prometheus(served.port)
    stage.poll(lambda: bool(stage.servers.query('up{job="build-exporter"} == 1')), 30, "Prometheus scrapes")
    stage.poll(lambda: bool(stage.servers.query("build:rules:info")), 30, "the rules are evaluated")
    code, checks = doctor(served.url, stage.servers)
    assert {check["link"] for check in checks.values() if check["state"] != "ok"} == set(), checks
    assert code == 0
    assert "webhook" in checks["test alert"]["seen"]
    assert stage.receiver.alerts("BuildAlertTest")
    assert json.loads(served.get("/api/v1/alerts/tests")[2])
    assert json.loads(served.get("/api/v1/alerts")[2])["alerts"] == []


def test_servers_that_are_away_are_named_with_what_to_do(servers: Any, doctor: Callable[..., Any]) -> None:
    """Nothing runs: three links are broken, each has a remedy, and nothing hangs."""
    code, checks = doctor("http://127.0.0.1:9", servers)
    assert code == 1
    assert {link: check["state"] for link, check in checks.items()} == dict.fromkeys(
        ("exporter", "Prometheus", "Alertmanager"), "failed"
    )
    assert all(check["remedy"] for check in checks.values())


def test_where_no_prometheus_is_named_its_absence_is_no_failure(
    serve: Callable[..., Any], servers: Any, run_file: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """Exporter and Alertmanager alone are a way of its own: what does not come is a warning, as is a misspelt step."""
    run = run_file("lfs")
    run.add("plan", steps=[{"phase": "p", "step": "501-binutils"}])
    run.step("p", "501-binutls")
    servers.start_alertmanager()
    sends = serve("--alertmanager.url", servers.alertmanager)
    poll(lambda: b'part_up{part="alertmanager"} 1' in sends.get("/metrics")[2], 30, "the exporter has asked it")
    nowhere, exporter = Client(Alertmanager(url="http://127.0.0.1:9")), Client(Alertmanager(url=sends.url))
    for named, state in ((False, "warning"), (True, "failed")):
        chain = Chain(exporter, nowhere, [Client(Alertmanager(url=servers.alertmanager))], False, named)
        checks = asyncio.run(checked(chain))
        assert (checks.pop("Prometheus").state, checks.pop("plan").state) == (state, "warning")
        assert {check.state for check in checks.values()} == {"ok"}


def test_an_exporter_that_sends_to_nobody_is_found_where_no_prometheus_sends(
    serve: Callable[..., Any], servers: Any
) -> None:
    """An Alertmanager that nobody sends to delivers the test alert, and a failed build would reach nobody."""
    servers.start_alertmanager()
    nowhere, exporter = Client(Alertmanager(url="http://127.0.0.1:9")), Client(Alertmanager(url=serve().url))
    chain = Chain(exporter, nowhere, [Client(Alertmanager(url=servers.alertmanager))], False, False)
    link = asyncio.run(checked(chain))["exporter to Alertmanager"]
    assert (link.state, "--alertmanager.url" in link.remedy) == ("failed", True)


async def checked(chain: Chain) -> dict[str, Check]:
    """Return the checks by their links."""
    return {check.link: check async for check in chain.run()}


def test_a_receiver_that_cannot_be_reached_is_found_by_the_test_alert(
    serve: Callable[..., Any], servers: Any, doctor: Callable[..., Any]
) -> None:
    """A mail server or webhook that refuses is named by its kind."""
    served = serve()
    for each in servers.config["receivers"]:
        each["webhook_configs"] = [{"url": "http://127.0.0.1:9/hook"}]
    servers.start_alertmanager()
    _, checks = doctor(served.url, servers)
    assert checks["test alert"]["state"] == "failed"
    assert "webhook" in checks["test alert"]["seen"]


def test_a_way_to_a_person_that_delivers_nothing_is_found_beside_one_to_the_exporter(
    serve: Callable[..., Any], servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter's own webhook got the test alert at once, but the provider of text messages does not answer."""
    served = serve()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text: dict[str, Any] = {
            "phone_number": "+12025550100",
            "api_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "message": "m",
        }
        text["sigv4"] = {"region": "r", "access_key": "a", "secret_key": "b"}
        for each in servers.config["receivers"]:
            each["webhook_configs"] = [{"url": f"{served.url}/api/v1/alerts"}]
            each["sns_configs"] = [text]
        servers.start_alertmanager()
        monkeypatch.setattr("build_exporter.alerting.doctor.DELIVERY_SECONDS", 5.0)
        nowhere, exporter = Client(Alertmanager(url="http://127.0.0.1:9")), Client(Alertmanager(url=served.url))
        chain = Chain(exporter, nowhere, [Client(Alertmanager(url=servers.alertmanager))], wants_prometheus=False)
        found = asyncio.run(checked(chain))["test alert"]
    assert (found.state, found.seen) == ("failed", "delivered by webhook, but not by sns within 5 s")


def test_a_test_alert_from_the_command_line(stage: Any) -> None:
    """`alerts test` reaches the receivers of critical alerts."""
    stage.servers.start_alertmanager()
    done = stage.command("alerts", "test", "--alertmanager.url", stage.servers.alertmanager)
    assert done.returncode == 0, done.stderr
    stage.poll(lambda: stage.receiver.alerts("BuildAlertTest"), 10, "the message")
    assert {alert["to"] for alert in stage.receiver.alerts("BuildAlertTest")} == {"page"}
    done = stage.command("alerts", "test", "--alertmanager.url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
