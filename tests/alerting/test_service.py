"""How the parts of alerting are put together: each gets what is configured, and what others find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.alerting.conditions import HostCondition
from build_exporter.alerting.service import AlertService
from build_exporter.config.alerting import Alerting, Alertmanager
from build_exporter.monitor import Monitor
from build_exporter.queries.incidents import Kind

START = 1.78e9


@pytest.fixture
def begun(journal: Path, run_file: Callable[..., Any]) -> Any:
    """A build whose one step runs since the start, its monitor at 100 s, and the alerting of it."""
    run = run_file(clock=START)
    run.add("step_started", after=0.0, phase="p", step="s")
    monitor = Monitor(str(journal), clock=lambda: START + 100)
    service = AlertService(monitor, Alerting(escalation=(60.0, 900.0)), lambda: 0.0)
    monitor.poll()
    return run, monitor, service


def test_a_configuration_reaches_every_part(begun: Any) -> None:
    """Addresses, the machine's name, the switch of the fast path; where it listens is the page by default."""
    _, _, service = begun
    service.listens("http://here:1")
    assert service.address() == ("http://here:1", "")
    servers = (Alertmanager(url="http://a"), Alertmanager(url="http://b/"))
    links = {"external_url": "http://x", "dashboards_url": "http://g"}
    service.configure(Alerting(alertmanagers=servers, builder="box", fast_path=False, **links))  # type: ignore[arg-type]
    service.listens("http://here:2")
    assert service.address() == ("http://x", "http://g")
    for part in (service.fast_path, service.silences, service.reach):
        assert [client.url for client in part.clients] == ["http://a", "http://b"]
    assert (service.fast_path.builder, service.silences.builder, service.fast_path.enabled) == ("box", "box", False)


def test_the_words_of_an_alert_are_those_of_its_rule(begun: Any) -> None:
    """With the state when it began, made once; a reason that is found later has other words, and the old ones go."""
    run, monitor, service = begun
    run.add("step_finished", after=50.0, phase="p", step="s", status="failed", error_class="disk-full")
    monitor.poll()
    (found,) = service.incidents(START + 100)
    first = service.annotations(found)
    assert list(first) == [
        "summary", "description", "failed_step", "failure_class", "excerpt", "page_url", "runbook_url",
        "dashboard_url", "acknowledge_url", "hint", "progress",
    ]  # fmt: skip
    assert (first["summary"], first["failed_step"], first["failure_class"], first["excerpt"], first["progress"]) == (
        "A build has failed and stopped.", "p / s", "disk-full", "", "0 steps done.",
    )  # fmt: skip
    run.add("step_progress", phase="p", step="s", message="cc: no space left")
    monitor.poll()
    (found,) = service.incidents(START + 100)
    assert service.annotations(found)["excerpt"] == "cc: no space left"
    assert [description for *_, description in service._words] == [found.description]


def test_what_stands_is_found_with_the_tiers_configured(begun: Any) -> None:
    """The second tier a minute after the failure; what the machine does to a running build is an incident, too."""
    run, monitor, service = begun
    assert (service.incidents(START + 100), service.firing(), service.times()) == ([], [], {})
    service.host._conditions.keep({HostCondition("lfs", Kind.OUT_OF_MEMORY): "killed"}, START + 90)
    service.host.standing = service.host._conditions.incidents(START + 100)
    assert [(each.kind, each.tier) for each in service.incidents(START + 100)] == [(Kind.OUT_OF_MEMORY, 1)]
    assert [row.alert for row in service.firing()] == ["BuildOutOfMemory"]
    run.add("step_finished", after=40.0, phase="p", step="s", status="failed")
    monitor.poll()
    assert [(each.kind, each.tier) for each in service.incidents(START + 99.9)] == [(Kind.FAILED, 1)]
    assert [(each.kind, each.tier) for each in service.incidents(START + 100)] == [(Kind.FAILED, 2)]
    (row,) = service.firing()
    service.acknowledge(row, "ada", "on it")
    (row,) = service.firing()
    assert (row.acknowledged.by, row.tier, row.next_tier_at) == ("ada", 2, None)
    assert service.times() == {"lfs": ([60.0], [])}
