"""What a person types about alerts: what is listed, who has it, what is sent to Alertmanager, and the exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(command: Callable[..., Any], journal: Path, tmp_path: Path) -> Type:
    """Run `alerts` on the journal, with a configuration where one is given, and return code, output and errors."""

    def run(*words: str, config: str = "") -> tuple[int, str, str]:
        (tmp_path / "c.yml").write_text(config or "alerting: {escalation: [10m, 20m]}\n")
        where = () if words[0] in ("silence", "test") else ("--journal", str(journal))
        options = () if words[0] == "ack" else ("--config", str(tmp_path / "c.yml"))
        done = command("alerts", *words, *where, *options)
        return done.returncode, done.stdout, done.stderr

    return run


def test_what_nobody_has_is_a_no(typed: Type, live_run: Any, fail: Any) -> None:
    """Exit code 1 while an alert of any build is nobody's; the next tier is named with the time until then."""
    for build in ("lfs", "blfs"):
        fail(live_run(build))
    code, shown, _ = typed("list")
    assert code == 1
    assert len(re.findall(r"\n  tier 2 in (?:9 min \d\d s|10 min 00 s) unless acknowledged; ", shown)) == 2
    assert typed("ack", "lfs", "--by", "ada", "--message", "on it")[:2] == (0, "lfs: BuildFailed acknowledged\n")
    code, shown, _ = typed("list")
    assert (code, shown.count("unless acknowledged")) == (1, 1)
    assert re.search(
        r"^lfs: BuildFailed, critical, since .*\n  Build lfs .*\n  acknowledged by ada, .*: on it$", shown, re.MULTILINE
    )
    assert typed("list", "--build", "lfs")[0] == 0
    again = typed("ack", "lfs", "--by", "grace")[1]
    assert again.startswith("lfs: BuildFailed acknowledged; ada acknowledged it before, ")
    typed("ack", "blfs", "--by", "ada")
    assert typed("list")[0] == 0
    assert typed("ack", "blsf")[0] == 2


def test_only_what_has_tiers_is_sent_on(typed: Type, live_run: Any, fail: Any) -> None:
    """Of a build's alerts the critical incidents; another one that is named is refused with the reason."""
    run = live_run()
    fail(run)
    run.add("alert", name="BuildStalled", status="firing", severity="warning", receiver="team", starts=run.clock)
    nobody = "no Alertmanager is configured: nobody is notified, unless Prometheus does it"
    assert typed("escalate", "lfs")[:2] == (0, f"lfs: BuildFailed tier 2 recorded; {nobody}\n")
    code, _, errors = typed("escalate", "lfs", "BuildStalled")
    assert (code, "BuildStalled has no tiers" in errors) == (2, True)
    assert typed("escalate", "lfs", "--tier", "2")[0] == 2
    rows = json.loads(typed("list", "--output", "json")[1])["alerts"]
    assert {row["alert"]: row["tier"] for row in rows} == {"BuildFailed": 2, "BuildStalled": 1}


@pytest.mark.parametrize("named", ["--alertmanager.url", "--config"])
def test_a_silence_is_as_long_as_asked_for(typed: Type, receiver: Any, named: str) -> None:
    """Of a build, or of one alert of it, in every Alertmanager that is named, else in those configured."""
    address = ("--alertmanager.url", receiver.url) if named != "--config" else ()
    config = f"alerting: {{alertmanager_url: {receiver.url if not address else 'http://127.0.0.1:9'}}}\n"
    words = ("silence", "lfs", "--by", "ada", *address)
    for more, matched, length, comment in (
        ((), {"build": "lfs"}, 7200, "by build-exporter alerts silence"),
        (("BuildFailed", "--for", "30m", "--message", "x"), {"build": "lfs", "alertname": "BuildFailed"}, 1800, "x"),
    ):
        code, shown, _ = typed(*words, *more, config=config)
        assert (code, shown.startswith(f"{receiver.url}: silenced until ")) == (0, True)
        _, path, body = receiver.messages[-1]
        begin, end = (datetime.fromisoformat(body[name]) for name in ("startsAt", "endsAt"))
        assert (path, (end - begin).total_seconds()) == ("api/v2/silences", length)
        assert {each["name"]: each["value"] for each in body["matchers"]} == matched
        assert (body["createdBy"], body["comment"]) == ("ada", comment)
    assert typed(*words, "--for", "soon", config=config)[0] == 2
    away = f"http://127.0.0.1:{free_port()}"
    code, _, errors = typed("silence", "lfs", "--alertmanager.url", away)
    assert (code, away in errors) == (1, True)


def test_doctor_asks_whom_the_configuration_names(command: Callable[..., Any], tmp_path: Path) -> None:
    """Each broken link has a line on what to do; as JSON there is nothing else in the output."""
    (tmp_path / "c.yml").write_text("alerting: {alertmanager_url: 'http://127.0.0.1:9/am'}\n")
    words = ("doctor", "--exporter.url", "http://127.0.0.1:9", "--prometheus.url", "http://127.0.0.1:9", "--config")
    done = command(*words, str(tmp_path / "c.yml"))
    lines = done.stdout.splitlines()
    assert (done.returncode, [line.split(":")[0] for line in lines[::2]]) == (
        1, ["failed  exporter", "failed  Prometheus", "failed  Alertmanager"],
    )  # fmt: skip
    assert "http://127.0.0.1:9/am" in lines[4]
    assert all(line.startswith("        to do: ") for line in lines[1::2])
    done = command(*words, str(tmp_path / "c.yml"), "--output", "json")
    assert [check["state"] for check in json.loads(done.stdout)] == ["failed"] * 3
