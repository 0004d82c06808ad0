"""The fast path with real servers: at once, one message, the labels of the rule, and nothing sent without reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def test_a_failure_is_reported_at_once_and_by_one_message_though_prometheus_reports_it_too(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """The exporter's alert and the rule's are one to Alertmanager: the same labels, the same words, one message."""
    servers.start_alertmanager()
    served = serve("--alertmanager.url", servers.alertmanager)
    servers.start_prometheus(served.port)
    run = live_run()
    poll(lambda: bool(servers.query('up{job="build-exporter"} == 1')), 30, "Prometheus scrapes")
    began = fail(run)
    poll(lambda: receiver.alerts("BuildFailed"), 10, "the message")
    direct = receiver.alerts("BuildFailed")[0]
    assert direct["at"] - began < 1.0
    poll(lambda: bool(servers.query('ALERTS{alertname="BuildFailed",alertstate="firing"}')), 15, "the rule fires")
    (rule,) = servers.query('ALERTS{alertname="BuildFailed"}')
    assert {k: v for k, v in rule["metric"].items() if k not in ("__name__", "alertstate")} == direct["labels"]

    def is_confirmed() -> bool:
        (alert,) = servers.ask("/api/v2/alerts?filter=alertname%3DBuildFailed")
        return bool(alert["generatorURL"])

    poll(is_confirmed, 15, "Prometheus sends the same alert")
    (alert,) = servers.ask("/api/v2/alerts?filter=alertname%3DBuildFailed")
    assert alert["annotations"] == {k: v for k, v in direct["annotations"].items() if v} | {
        k: v for k, v in alert["annotations"].items() if not v
    }
    assert alert["fingerprint"] == direct["fingerprint"]
    assert len(receiver.alerts("BuildFailed")) == 1
    run.add("step_started", phase="chapter-8", step="813-gcc")
    poll(lambda: receiver.alerts("BuildFailed", "resolved"), 30, "it is over")
    assert len(receiver.alerts("BuildFailed")) == 1


def test_fifty_failures_reach_the_receiver_within_a_tenth_of_a_second(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """Whoever is called at night is called when it happens, not when the next scrape and evaluation come."""
    servers.start_alertmanager()
    serve("--alertmanager.url", servers.alertmanager)
    taken = []
    for number in range(50):
        build = f"b{number}"
        began = fail(live_run(build))
        poll(lambda build=build: receiver.alerts("BuildFailed", build=build), 10, "the message")
        taken.append(receiver.alerts("BuildFailed", build=build)[0]["at"] - began)
    # the machine of a test may be busy with others; the bound is measured in bench/
    assert percentile(taken, 0.5) < 0.1, taken
    assert len(receiver.alerts("BuildFailed")) == 50


def test_a_message_has_the_reason_that_only_the_log_holds(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    poll: Callable[..., None],
    tmp_path: Path,
) -> None:
    """The hook records a failure without its reason: the one message still says why, and what may help."""
    servers.start_alertmanager()
    serve("--alertmanager.url", servers.alertmanager)
    run, log = live_run(), tmp_path / "813-gcc.log"
    run.add("step_started", phase="chapter-8", step="813-gcc", log=str(log))
    log.write_text(
        "gcc -o x x.o -lmpfr\n/usr/bin/ld: cannot find -lmpfr: No such file or directory\nmake: *** [x] Error 1\n"
    )
    run.add("step_finished", phase="chapter-8", step="813-gcc", status="failed", exit_code=2)
    poll(lambda: receiver.alerts("BuildFailed"), 10, "the message")
    (message,) = receiver.alerts("BuildFailed")
    words = message["annotations"]
    assert words["failure_class"] == "missing-library"
    assert "cannot find -lmpfr" in words["excerpt"]
    assert words["excerpt"] in words["description"]
    assert words["hint"]


def test_each_of_several_failures_of_a_build_is_reported(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """A build that fails, is fixed and fails again within seconds is reported each time, and each is over once."""
    servers.start_alertmanager()
    served = serve("--alertmanager.url", servers.alertmanager)
    servers.start_prometheus(served.port)
    runs = [live_run(f"b{number}") for number in range(6)]
    for _ in range(3):
        for run in runs:
            fail(run)
        time.sleep(1.3)
        for run in runs:
            run.add("step_started", phase="chapter-8", step="813-gcc")
        time.sleep(0.4)
        for run in runs:
            run.add("step_finished", phase="chapter-8", step="813-gcc", status="succeeded")

    def sent(status: str) -> set[tuple[str, str]]:
        return {(a["labels"]["build"], a["labels"]["failure"]) for a in receiver.alerts("BuildFailed", status)}

    poll(lambda: len(sent("firing")) == 18, 20, "every failure")
    poll(lambda: len(sent("resolved")) == 18, 40, "every end")
    assert len(receiver.alerts("BuildFailed")) == 18


@pytest.mark.parametrize("flag", ["--no-alerting.fast-path", None])
def test_nothing_is_sent_where_it_is_switched_off_or_no_alertmanager_is_named(
    serve: Callable[..., Any],
    receiver: Any,
    servers: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
    flag: str | None,
) -> None:
    """Whoever wants Prometheus alone to send alerts gets that."""
    servers.start_alertmanager()
    served = serve(*(["--alertmanager.url", servers.alertmanager, flag] if flag else []))
    fail(live_run())
    poll(lambda: served.value("build_failure", build="lfs", kind="failed") == 1, 10, "the failure is shown")
    assert served.value("build_exporter_alert_posts_total") == 0
    assert servers.ask("/api/v2/alerts") == []


def test_an_old_failure_is_not_sent_whether_found_at_the_start_or_imported(
    serve: Callable[..., Any],
    servers: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    run_file: Callable[..., Any],
    poll: Callable[..., None],
) -> None:
    """A restart, an import of a hundred failed builds or a copied journal calls nobody."""
    servers.start_alertmanager()
    old = run_file("at-start", clock=time.time() - 300)
    old.step("p", "s", seconds=1, status="failed")
    served = serve("--alertmanager.url", servers.alertmanager)
    for number in range(20):
        run_file(f"imported{number}", clock=time.time() - 3600).step("p", "s", seconds=1, status="failed")
    fail(live_run("now"))
    poll(lambda: len(servers.ask("/api/v2/alerts")) > 0, 10, "the one of now")
    poll(lambda: sum(name == "build_failure" for name, _ in served.samples()) == 22, 10, "all are shown")
    assert [alert["labels"]["build"] for alert in servers.ask("/api/v2/alerts")] == ["now"]


def test_a_builder_that_goes_on_after_a_failed_step_is_a_warning_at_once_and_pages_nobody(
    serve: Callable[..., Any],
    servers: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """With `make -k` and the like the next step follows at once: the team gets the failed step, nobody is woken."""
    servers.start_alertmanager()
    served = serve("--alertmanager.url", servers.alertmanager)
    run = live_run()
    fail(run)
    run.add("step_started", phase="chapter-8", step="next")
    poll(lambda: served.value("build_steps", state="running") == 1, 10, "the next step")
    poll(lambda: bool(servers.ask("/api/v2/alerts")), 10, "the alert")
    time.sleep(0.1)
    (alert,) = servers.ask("/api/v2/alerts")
    assert {alert["labels"][name] for name in ("alertname", "severity", "build")} == {
        "BuildStepFailed",
        "warning",
        "lfs",
    }
    assert "tier" not in alert["labels"]
    assert alert["receivers"] == [{"name": "team"}]


def test_what_prometheus_never_sees_is_ended_by_the_exporter(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """Without a Prometheus the end is reported too, fifteen seconds after the step was tried again."""
    servers.start_alertmanager()
    serve("--alertmanager.url", servers.alertmanager)
    run = live_run()
    fail(run)
    poll(lambda: receiver.alerts("BuildFailed"), 10, "the message")
    run.add("step_started", phase="chapter-8", step="813-gcc")
    fixed = time.monotonic()
    poll(lambda: receiver.alerts("BuildFailed", "resolved"), 30, "the end")
    assert receiver.alerts("BuildFailed", "resolved")[0]["at"] - fixed > 14


def test_an_alertmanager_that_was_away_gets_the_alert_and_every_one_of_several_does(
    serve: Callable[..., Any],
    servers: Any,
    receiver: Any,
    live_run: Callable[..., Any],
    fail: Callable[..., float],
    poll: Callable[..., None],
) -> None:
    """While the failure stands it is sent again; a second server that is away does not hold up the first."""
    away = "http://127.0.0.1:9"
    served = serve("--alertmanager.url", servers.alertmanager, "--alertmanager.url", away)
    fail(live_run())
    poll(lambda: (served.value("build_exporter_alert_posts_total", outcome="failed") or 0) >= 2, 10, "tries")
    servers.start_alertmanager()
    poll(lambda: receiver.alerts("BuildFailed"), 30, "the message")
    assert len(receiver.alerts("BuildFailed")) == 1
    assert served.log.read_text().count("an alert could not be sent") == 2
