"""What is shown of a build that waits, and a tree imported into the history of an exporter."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = "jhalfs/alfs-sysroot/20240330.sysv"


def test_waiting_for_a_password_is_shown(
    run_file: Callable[..., Any],
    serve: Callable[..., Any],
    poll: Callable[..., None],
    command: Callable[..., Any],
    journal: Path,
) -> None:
    """That sudo asks between two steps shows in metric, page and `status`, until the next step begins."""
    lfs = run_file()
    lfs.add("build_started")
    lfs.step("chapter-4", "402-environment")
    words = "sudo asks for a password before 701-changingowner"
    lfs.add("note", after=0, message=f"waiting-for-input: {words}", level="warning")
    exporter = serve()
    assert exporter.value("build_waiting_for_input", build="lfs") == 1
    assert words.encode() in exporter.get("/")[2]
    assert words in command("status", "--journal", str(journal)).stdout
    lfs.add("step_started", phase="chapter-7", step="701-changingowner")
    poll(lambda: exporter.value("build_waiting_for_input", build="lfs") == 0, what="it goes on")
    assert words.encode() not in exporter.get("/")[2]


def test_imported_twice_is_imported_once(records: Path, command: Callable[..., Any], journal: Path) -> None:
    """`import jhalfs` shows a tree's events; the same tree again has nothing new, by its own path or its parent's."""
    arguments = ("--journal", str(journal), "--build", "lfs")
    first = command("import", "jhalfs", str(records / RECORD), *arguments)
    # beginning and end of each step, the plan, and what its logs say
    assert first.returncode == 0
    assert int(first.stdout.split(": ")[1].split()[0]) >= 2 * 154 + 2
    again = command("import", "auto", str(records / RECORD / "Makefile"), *arguments)
    assert "nothing new" in again.stdout
    assert len(list((journal / "lfs").iterdir())) == 1


def test_import_of_nothing(command: Callable[..., Any], journal: Path, tmp_path: Path) -> None:
    """A directory that is no tree of jhalfs is reported in one line, with exit code 1."""
    done = command("import", "jhalfs", str(tmp_path), "--journal", str(journal))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no Makefile of jhalfs" in done.stderr


def test_where_no_time_zones_are_known(records: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    """On a system without zone data, as a new one is, the dates in the new zone are understood all the same."""
    reported: dict[str, list[dict[str, Any]]] = {}
    for name, environment in (("with", {}), ("without", {"PYTHONTZPATH": ""})):
        arguments = ("import", "jhalfs", str(records / RECORD), "--journal", str(tmp_path / name), "--build", "lfs")
        assert command(*arguments, env={**os.environ, **environment}).returncode == 0
        (run,) = (tmp_path / name / "lfs").iterdir()
        reported[name] = [json.loads(line) for line in run.read_text().splitlines()]
    assert reported["without"] == reported["with"]
