"""Names from outside are shown nowhere with secrets, or with what moves a terminal's cursor or turns text around."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

EVIL = "\x1b[2J\x1b]0;title\x07gc\0c\u202e\u2066\x85\x7f\n12"
"""As a label: `gcc 12`."""
FORBIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def test_names_lose_their_controls_on_every_way_out(
    serve: Callable[..., Any], run_file: Callable[..., Any], command: Callable[..., Any]
) -> None:
    """ESC, NUL and bidirectional controls in names of phases, steps, suites, tools and milestones reach nobody."""
    run = run_file("lfs")
    run.add("build_started", source=EVIL, target=EVIL)
    run.add(
        "plan", steps=[{"phase": EVIL, "step": EVIL, "package": EVIL}, {"phase": "p", "step": "s", "after": [EVIL]}]
    )
    run.add("step_started", phase=EVIL, step=EVIL, version=EVIL)
    run.add("tests_reported", phase=EVIL, step=EVIL, suite=EVIL, passed=1, failed=2, failing=[EVIL])
    run.add("alert", name=EVIL, status="firing", failure=EVIL, severity="critical")
    run.add("acknowledged", name=EVIL, failure=EVIL, by=EVIL)
    run.add("toolchain", host=EVIL, tools=[{"tool": EVIL, "version": EVIL, "role": "host"}])
    run.add("milestone_reached", milestone=EVIL)
    run.add("step_finished", phase="gcc 12", step=EVIL, status="failed", exit_code=1, message=EVIL)
    served = serve()
    assert served.value("build_step_status", phase="gcc 12", step="gcc 12") == 3
    assert served.value("build_step_tests", suite="gcc 12", outcome="failed") == 2
    metrics = served.get("/metrics")[2].decode()
    assert 'tool="gcc 12"' in metrics
    pages = ("/", "/builds/lfs", "/alerts", "/api/v1/builds/lfs", "/api/v1/builds/lfs/steps", "/api/v1/alerts")
    shown = {path: served.get(path)[2].decode() for path in pages} | {"/metrics": metrics}
    for words in (("status",), ("status", "--output", "json"), ("explain", "--build", "lfs"), ("tasks", "lfs")):
        shown[" ".join(words)] = command(*words, "--journal", str(served.journal)).stdout
    assert {name: found.group() for name, text in shown.items() if (found := FORBIDDEN.search(text))} == {}
    assert all("gcc 12" in shown[name] for name in ("/builds/lfs", "/metrics", "status", "/api/v1/builds/lfs/steps"))


SECRET = "hunter2hunter2"


def test_secrets_in_names_are_masked_on_every_way_out(
    serve: Callable[..., Any], run_file: Callable[..., Any], command: Callable[..., Any]
) -> None:
    """A password in the name of a phase, step, package, suite or milestone is in no metric, page, answer or command."""
    run = run_file("lfs")
    phase, step, other = f"curl --token {SECRET}1", f"deploy password={SECRET}", f"ghp_{SECRET}123456"
    last = {"phase": "p", "step": "s", "after": [step], "package": f"a password={SECRET}", "version": f"ghp_{SECRET}12"}
    run.add("plan", steps=[{"phase": phase, "step": step}, {"phase": phase, "step": other}, last])
    run.step("p", "s")
    run.add("step_started", phase=phase, step=step)
    run.add("step_progress", phase=phase, step=step, ratio=0.5)
    run.add("tests_reported", phase=phase, step=step, suite=f"password={SECRET}", passed=1, failed=2)
    run.add("milestone_reached", milestone=f"password={SECRET}")
    run.add("step_finished", phase=phase, step=step, status="failed", exit_code=1)
    run.step(phase, other, 5.0)
    run.add("step_started", phase=phase, step=f"password={SECRET}2 not planned")
    served = serve()
    masked = {"phase": "curl --token ***", "step": "deploy password=***"}
    assert served.value("build_step_status", **masked) == 3
    assert served.value("build_step_tests", outcome="failed", suite="password=***", **masked) == 2
    assert served.value("build_step_duration_seconds", phase="curl --token ***", step="***") == 5
    assert served.value("build_steps", state="running") == 1
    paths = (
        "/metrics",
        "/",
        "/builds/lfs",
        "/api/v1/builds/lfs",
        "/api/v1/builds/lfs/steps",
        "/api/v1/builds/lfs/events",
    )
    shown = {path: served.get(path)[2].decode() for path in paths}
    for words in (
        "status",
        "status --short",
        "status --output json",
        "explain --build lfs",
        "tasks",
        "errors",
        "timeline",
    ):
        shown[words] = command(*words.split(), "--journal", str(served.journal)).stdout
    assert [name for name, text in shown.items() if SECRET in text] == []
    assert all("***" in text for text in shown.values())
    assert "critical" in shown["errors"], "the failed step is known by its masked name"
