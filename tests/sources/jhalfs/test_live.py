"""Trees imported by the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree


def test_import_of_nothing(command: Callable[..., Any], journal: Path, tmp_path: Path) -> None:
    """A directory that is no tree of jhalfs is reported in one line, with exit code 1."""
    done = command("import", "jhalfs", str(tmp_path), "--journal", str(journal))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no Makefile of jhalfs" in done.stderr


def test_where_no_time_zones_are_known(tree: Tree, command: Callable[..., Any], tmp_path: Path) -> None:
    """On a system without zone data, as a new one is, the new zone's dates are understood all the same."""
    for step in tree.steps:
        if step.target == "701-entering":
            tree.zone = timezone(timedelta(hours=8), "CST")
        tree.step(step.target)
    reported: dict[str, list[dict[str, Any]]] = {}
    for name, environment in (("with", {}), ("without", {"PYTHONTZPATH": ""})):
        arguments = ("import", "jhalfs", str(tree.path), "--journal", str(tmp_path / name), "--build", "lfs")
        assert command(*arguments, env={**os.environ, **environment}).returncode == 0
        (run,) = (tmp_path / name / "lfs").iterdir()
        reported[name] = [json.loads(line) for line in run.read_text().splitlines()]
    assert reported["without"] == reported["with"]
    times = [each["time"] for each in reported["with"] if each["event"] == "step_started"]
    assert all(0 < later - before < 20 for before, later in pairwise(times))
