"""Probes of a running exporter: metrics, API, page and commands show them, and nothing shows a secret."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from behaving import Listen, answering
from ports import free_port

from build_exporter.config.probes import ProbeKind
from build_exporter.probes.state import Reason

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_probes_are_shown_wherever_one_looks(
    serve: Callable[..., Any],
    command: Callable[..., subprocess.CompletedProcess[str]],
    run_file: Callable[..., Any],
    listen: Listen,
    tmp_path: Path,
    poll: Callable[..., None],
) -> None:
    """A service that answers and one that does not: the same in metrics, API, page, `services` and `health`."""
    run_file("lfs").add("build_started")
    port, closed, config = listen(answering(HELLO)), free_port(), tmp_path / "config.yml"
    text = f"""probes:
  - {{name: mirror, kind: http, target: "http://127.0.0.1:{port}/list?token=geheim", interval: 1s, timeout: 1s}}
  - {{name: "<b>cache</b>", kind: tcp, target: "127.0.0.1:{closed}", interval: 1s, timeout: 1s}}
alerting: {{alertmanager_url: "http://127.0.0.1:{closed}"}}
"""
    config.write_text(text)
    served = serve("--config", str(config))
    poll(lambda: served.value("build_probe_tries_total", probe="mirror", outcome="up") is not None, 30)
    poll(lambda: served.value("build_probe_tries_total", probe="<b>cache</b>", outcome="refused") is not None, 30)
    assert served.value("build_probe_success", probe="mirror", kind="http") == 1
    assert served.value("build_probe_http_status", probe="mirror") == 200
    assert served.value("build_probe_success", probe="<b>cache</b>", kind="tcp") == 0
    assert served.value("build_probe_failure_info", probe="<b>cache</b>", reason="refused") == 1
    assert served.value("build_exporter_part_up", part="alertmanager") == 0
    up, down = json.loads(served.get("/api/v1/probes")[2])["probes"]
    assert (up["name"], up["up"], up["up_ratio"], up["history"][0]["reason"]) == ("mirror", True, 1.0, None)
    assert (down["up"], down["reason"], down["since"]) == (False, "refused", down["history"][0]["at"])
    page = served.get("/")[2].decode()
    assert "mirror" in page
    assert "&lt;b&gt;cache&lt;/b&gt;" in page
    assert "refused" in page
    shown = [command(name, "--exporter", served.url, "--output", "json") for name in ("services", "health")]
    assert [each.returncode for each in shown] == [1, 1]
    rows = json.loads(shown[0].stdout)["rows"]
    assert [(row["service"], row["up"], row["reason"]) for row in rows] == [
        ("mirror", True, None),
        ("<b>cache</b>", False, "refused"),
    ]
    parts = {(row["part"], row["name"]): row["ok"] for row in json.loads(shown[1].stdout)["rows"]}
    assert parts["http", "mirror"] is parts["source", "journal"] is True
    assert parts["tcp", "<b>cache</b>"] is parts["connection", "alertmanager"] is False
    everything = [served.get(path)[2].decode() for path in ("/metrics", "/api/v1/probes", "/")]
    assert "geheim" not in "".join([*everything, *(each.stdout for each in shown), served.log.read_text()])
    as_prometheus = urllib.request.Request(f"{served.url}/metrics", headers={"User-Agent": "Prometheus/3.13.4"})
    urllib.request.urlopen(as_prometheus, timeout=10).close()
    assert served.value("build_exporter_part_up", part="prometheus") == 1
    config.write_text("")
    assert served.get("/-/reload", "POST")[0] == 200
    assert served.value("build_probe_success") is None


def test_the_guides_example_is_right(
    command: Callable[..., subprocess.CompletedProcess[str]], repository: Path, tmp_path: Path
) -> None:
    """What the guide shows can be copied: each kind once, and the configuration is taken."""
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```$", (repository / "docs/guide/probes.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "config.yml").write_text(block)
    done = command("config", "check", str(tmp_path / "config.yml"))
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "7 probes")
    assert set(re.findall(r"kind: (\w+)", block)) == set(get_args(ProbeKind))


def test_every_reason_is_in_the_guide(repository: Path) -> None:
    """Whoever reads a reason in a metric or an alert finds its meaning."""
    text = (repository / "docs/guide/probes.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in text] == []
