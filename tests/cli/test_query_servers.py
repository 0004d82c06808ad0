"""The query commands where they are asked of a running exporter, and of a real Prometheus that scrapes it."""

from __future__ import annotations

import csv
import io
import json
import logging
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from ports import free_port

from build_exporter.cli import main, query_source
from build_exporter.queries.commands import SUMMARIES

PROMETHEUS = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: build-exporter
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
PROBES = """
probes:
  - {name: nobody, kind: tcp, target: "127.0.0.1:1", interval: 1s, timeout: 500ms}
views:
  - {name: failed, title: What failed here, query: errors, columns: [step, error_class], report: list}
"""
Ask = Callable[..., Result]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Run a command in this process, and leave its logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield lambda *arguments: CliRunner().invoke(main, arguments, prog_name="build-exporter")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def exporter(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, run_file_of_all: Any, serve_all: Any, poll_all: Any
) -> str:
    """The address of an exporter of a recorded build, and of one that runs and has failed; it probes a closed port."""
    (record,) = (repository / "examples" / "recorded" / "mini-lfs-resumed").glob("*.jsonl")
    run_file_of_all("mini-lfs-resumed", record.stem).raw(record.read_bytes())
    live = run_file_of_all("live", clock=time.time() - 60)
    live.add("build_started", jobs=2)
    live.step("p", "one")
    live.step("p", "two", status="failed", exit_code=2)
    live.add("step_started", phase="p", step="three")
    config = tmp_path_factory.mktemp("config") / "config.yml"
    config.write_text(PROBES)
    served = serve_all("--config", str(config))
    poll_all(lambda: served.value("build_probe_success", probe="nobody") is not None, 60, "the probe has been tried")
    return str(served.url)


@pytest.fixture(scope="module")
def prometheus(exporter: str, tmp_path_factory: pytest.TempPathFactory, poll_all: Any) -> Iterator[str]:
    """The address of a Prometheus that has scraped the exporter several times."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus here")
    place, address = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_port()}"
    (place / "prometheus.yml").write_text(PROMETHEUS.format(port=exporter.rpartition(":")[2]))
    files = [f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/tsdb"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *files, f"--web.listen-address={address}"], stdout=log, stderr=log)
    ask = ("response-times", "--prometheus", f"http://{address}", "--output", "csv")
    try:
        poll_all(lambda: "\nexporter,/metrics," in CliRunner().invoke(main, ask).output, 60, "a rate of scrapes")
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def poll_all() -> Callable[..., None]:
    """Wait for something by looking again and again; for fixtures of the module."""

    def wait(check: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, f"did not come within {seconds} s: {what}"
            time.sleep(0.05)

    return wait


@pytest.fixture(params=["exporter", "prometheus"])
def source(request: pytest.FixtureRequest) -> tuple[str, str]:
    """One of the two servers, as the option that names it."""
    return f"--{request.param}", request.getfixturevalue(request.param)


def rows(result: Result) -> list[dict[str, str]]:
    """Return the rows of an answer in CSV."""
    assert result.exit_code in (0, 1), result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_every_query_answers(ask: Ask, source: tuple[str, str]) -> None:
    """Each query answers, and says which server it asked."""
    for name in SUMMARIES:
        call = (name, *source, "--build", "mini-lfs-resumed", *(("newest", "newest") if name == "compare" else ()))
        done = ask(*call, "--output", "json")
        assert done.exit_code in (0, 1), (name, done.output)
        answer = json.loads(done.stdout)
        assert (answer["query"], source[1] in answer["source"]) == (name, True)


def test_both_servers_know_what_the_builds_do(ask: Ask, source: tuple[str, str]) -> None:
    """State, steps and failures of the recorded and of the running build are the same from both servers."""
    progress = ask("progress", *source, "--output", "csv")
    found = [
        (row["build"], row["state"], row["steps_done"], row["steps_failed"]) for row in rows(progress) if row["state"]
    ]
    assert sorted(found) == [("live", "failed", "1", "1"), ("mini-lfs-resumed", "succeeded", "16", "0")]
    errors = ask("errors", *source, "--severity", "critical", "--output", "csv")
    assert (errors.exit_code, [(row["build"], row["step"]) for row in rows(errors)]) == (1, [("live", "two")])


def test_response_times_have_probes_and_handlers(ask: Ask, source: tuple[str, str]) -> None:
    """The exporter's handlers, its collectors and each part of a probe's answer are listed; a quantile is in order."""
    listed = rows(ask("response-times", *source, "--output", "csv"))
    assert {"exporter", "collector", "tcp"} <= {row["of"] for row in listed}
    assert {row["phase"] for row in listed if row["name"] == "nobody"} == {"", "resolve", "connect"}
    assert all(float(row["seconds"]) >= 0 for row in listed)
    took = {
        metric: next(
            float(row["seconds"])
            for row in rows(ask("response-times", *source, "--metric", metric, "--window", "5m", "--output", "csv"))
            if row["name"] == "/metrics"
        )
        for metric in ("p50", "p95", "max")
    }
    assert 0 < took["p50"] <= took["p95"] <= took["max"]
    assert ask("response-times", *source, "--threshold", "1e-9").exit_code == 1
    assert ask("response-times", *source, "--threshold", "1e6").exit_code == 0


def test_what_is_not_there(ask: Ask, source: tuple[str, str]) -> None:
    """A mistyped build is answered with the nearest name, a run that no build has with those there are."""
    done = ask("tasks", *source, "--build", "mini-lfs-resume")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith("there are: mini-lfs-resumed\n")
    done = ask("tasks", *source, "--run", "20200101T000000Z")
    assert done.exit_code == 2
    assert "no build has a run 20200101T000000Z; the newest: 20260102T030405Z of live, " in done.stderr


def test_a_run_of_one_build_needs_no_build_named(ask: Ask, exporter: str) -> None:
    """`--run` finds the build that has the run."""
    done = ask("progress", "--exporter", exporter, "--run", "20260102T030405Z", "--output", "csv")
    assert {row["build"] for row in rows(done)} == {"live"}


def test_the_exporters_own_report_has_the_sections_of_its_configuration(exporter: str) -> None:
    """The report that the page links to has the views of the running exporter as sections."""
    with urllib.request.urlopen(f"{exporter}/api/v1/builds/live/report?format=md", timeout=30) as answer:
        text = answer.read().decode()
    assert "## What failed here\n\n- two, other\n" in text


def test_another_program_at_the_address(ask: Ask, exporter: str, prometheus: str) -> None:
    """An exporter where Prometheus should be, and the other way round, is one sentence and code 2."""
    for option, address in (("--prometheus", exporter), ("--exporter", prometheus)):
        done = ask("progress", option, address)
        assert done.exit_code == 2
        assert done.stderr.endswith("answers 404 Not Found: another program listens there\n")


def test_a_failure_in_the_exporters_journal(
    ask: Ask, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`explain` and `status` without a journal named never report nothing while this machine's exporter has builds."""
    empty = tmp_path / "state" / "build-exporter" / "journal"
    empty.mkdir(parents=True)
    monkeypatch.delenv("BUILD_EXPORTER_JOURNAL", raising=False)
    monkeypatch.setattr(query_source, "DEFAULT_EXPORTER", exporter)
    for command in ("explain", "status"):
        known = main.get_command(click.Context(main), command)
        assert known is not None
        (option,) = (each for each in known.params if each.name == "journal")
        monkeypatch.setattr(option, "default", str(empty))
        for asked in ((), ("--build", "live")):
            done = ask(command, *asked)
            assert done.exit_code != 0
            assert f"{empty} was read; the exporter at {exporter} has another journal, with live" in done.stderr
            assert "nothing has failed" not in done.stdout
        named = ask(command, "--journal", str(empty))
        assert (named.exit_code, named.stderr) == (1, "")
    monkeypatch.setattr(query_source, "DEFAULT_EXPORTER", "http://127.0.0.1:1")
    assert ask("explain").stdout == "nothing has failed\n"
