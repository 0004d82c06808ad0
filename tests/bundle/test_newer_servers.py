"""Rules, routes and the fast path with Prometheus 3 and a new Alertmanager, built by tests/lib/newer-servers.sh."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from bench.alert_stack import Setting, alert_stack
from bench.harness import wait_until


@pytest.fixture(scope="module")
def newer(repository: Path) -> Path:
    """The directory of the newer servers."""
    script = (repository / "tests/lib/newer-servers.sh").read_text()
    versions = re.findall(r"^(?:prometheus|alertmanager)=(v[\d.]+)", script, re.MULTILINE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "build-exporter" / "-".join(["servers", *versions])
    if not (place / "amtool").exists():
        pytest.skip("not built: sh tests/lib/newer-servers.sh does so from the Go module proxy")
    return place


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_prometheus_3_accepts_the_rules_and_they_fire_as_their_tests_say(newer: Path, repository: Path) -> None:
    """Ranges that are open on the left, and what else Prometheus 3 evaluates differently, changes no alert."""
    files = sorted((repository / "prometheus/rules").glob("*.yml"))
    run(newer / "promtool", "check", "rules", "--lint-fatal", *files, cwd=repository / "prometheus")
    run(newer / "promtool", "check", "config", "prometheus.yml", cwd=repository / "prometheus")
    tests = sorted((repository / "prometheus/tests").glob("*_test.yml"))
    run(newer / "promtool", "test", "rules", *tests, cwd=repository / "prometheus")


def test_a_new_alertmanager_accepts_every_configuration(newer: Path, repository: Path) -> None:
    """The shipped configuration and each example have only keys that old and new servers take."""
    for file in [Path("alertmanager.yml"), *sorted((repository / "alertmanager/examples").glob("*.yml"))]:
        run(newer / "amtool", "check-config", file, cwd=repository / "alertmanager")


def test_a_failure_is_one_message_by_both_ways(newer: Path) -> None:
    """To the new servers, too, the exporter's alert and the rule's are the same one."""
    config = 'alerting: {alertmanager_url: "{alertmanager}"}\n'
    with alert_stack(Setting(config, group_wait="0s", group_interval="1s", tools=str(newer))) as stack:
        stack.append("lfs", "step_started", phase="p", step="gcc")
        stack.append("lfs", "step_finished", phase="p", step="gcc", status="failed", message="a.c:1: error: x")
        wait_until(lambda: bool(stack.receiver.of("lfs")), 30, "the message")
        wait_until(lambda: stack.fires("BuildFailed"), 30, "the rule")
        stack.append("lfs", "step_started", phase="p", step="gcc")
        wait_until(lambda: bool(stack.receiver.of("lfs", "resolved")), 60, "the end")
        assert [x.receiver for x in stack.receiver.of("lfs")] == ["page"]
