"""The fast path with real servers: at once, one message, the labels of the rule, and nothing sent without reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_failure_is_reported_at_once_and_by_one_message_though_prometheus_reports_it_too(stage: Any) -> None:
    """The exporter's alert and the rule's are one to Alertmanager: the same labels, the same words, one message."""
    served = stage.begin()
    stage.servers.start_prometheus(served.port)
    run = stage.live_run()
    stage.poll(lambda: bool(stage.servers.query('up{job="build-exporter"} == 1')), 30, "Prometheus scrapes")
    began = stage.fail(run)
    stage.poll(lambda: stage.receiver.alerts("BuildFailed"), 10, "the message")
    direct = stage.receiver.alerts("BuildFailed")[0]
    assert direct["at"] - began < 1.0
    stage.poll(
        lambda: bool(stage.servers.query('ALERTS{alertname="BuildFailed",alertstate="firing"}')), 15, "the rule fires"
    )
    (rule,) = stage.servers.query('ALERTS{alertname="BuildFailed"}')
    assert {k: v for k, v in rule["metric"].items() if k not in ("__name__", "alertstate")} == direct["labels"]

    def is_confirmed() -> bool:
        (alert,) = stage.servers.ask("/api/v2/alerts?filter=alertname%3DBuildFailed")
        return bool(alert["generatorURL"])

    stage.poll(is_confirmed, 15, "Prometheus sends the same alert")
    (alert,) = stage.servers.ask("/api/v2/alerts?filter=alertname%3DBuildFailed")
    assert alert["annotations"] == {k: v for k, v in direct["annotations"].items() if v} | {
        k: v for k, v in alert["annotations"].items() if not v
    }
    assert alert["fingerprint"] == direct["fingerprint"]
    assert len(stage.receiver.alerts("BuildFailed")) == 1
    run.add("step_started", phase="chapter-8", step="813-gcc")
    stage.poll(lambda: stage.receiver.alerts("BuildFailed", "resolved"), 30, "it is over")
    assert len(stage.receiver.alerts("BuildFailed")) == 1


def test_a_message_has_the_reason_that_only_the_log_holds(stage: Any, tmp_path: Path) -> None:
    """The hook records a failure without its reason: the one message still says why, and what may help."""
    stage.begin()
    run, log = stage.live_run(), tmp_path / "813-gcc.log"
    run.add("step_started", phase="chapter-8", step="813-gcc", log=str(log))
    log.write_text(
        "gcc -o x x.o -lmpfr\n/usr/bin/ld: cannot find -lmpfr: No such file or directory\nmake: *** [x] Error 1\n"
    )
    run.add("step_finished", phase="chapter-8", step="813-gcc", status="failed", exit_code=2)
    stage.poll(lambda: stage.receiver.alerts("BuildFailed"), 10, "the message")
    (message,) = stage.receiver.alerts("BuildFailed")
    words = message["annotations"]
    assert words["failure_class"] == "missing-library"
    assert "cannot find -lmpfr" in words["excerpt"]
    assert words["excerpt"] in words["description"]
    assert words["hint"]


def test_each_of_several_failures_of_a_build_is_reported(stage: Any) -> None:
    """A build that fails, is fixed and fails again within seconds is reported each time, and each is over once."""
    served = stage.begin()
    stage.servers.start_prometheus(served.port)
    runs = [stage.live_run(f"b{number}") for number in range(6)]
    for _ in range(3):
        for run in runs:
            stage.fail(run)
        time.sleep(1.3)
        for run in runs:
            run.add("step_started", phase="chapter-8", step="813-gcc")
        time.sleep(0.4)
        for run in runs:
            run.add("step_finished", phase="chapter-8", step="813-gcc", status="succeeded")

    def sent(status: str) -> set[tuple[str, str]]:
        return {(a["labels"]["build"], a["labels"]["failure"]) for a in stage.receiver.alerts("BuildFailed", status)}

    stage.poll(lambda: len(sent("firing")) == 18, 20, "every failure")
    stage.poll(lambda: len(sent("resolved")) == 18, 40, "every end")
    assert len(stage.receiver.alerts("BuildFailed")) == 18


def test_an_old_failure_is_not_sent_whether_found_at_the_start_or_imported(
    stage: Any, run_file: Callable[..., Any]
) -> None:
    """A restart, an import of a hundred failed builds or a copied journal calls nobody."""
    stage.servers.start_alertmanager()
    old = run_file("at-start", clock=time.time() - 300)
    old.step("p", "s", seconds=1, status="failed")
    served = stage.serve("--alertmanager.url", stage.servers.alertmanager)
    for number in range(20):
        run_file(f"imported{number}", clock=time.time() - 3600).step("p", "s", seconds=1, status="failed")
    stage.fail(stage.live_run("now"))
    stage.poll(lambda: len(stage.servers.ask("/api/v2/alerts")) > 0, 10, "the one of now")
    stage.poll(lambda: sum(name == "build_failure" for name, _ in served.samples()) == 22, 10, "all are shown")
    assert [alert["labels"]["build"] for alert in stage.servers.ask("/api/v2/alerts")] == ["now"]
