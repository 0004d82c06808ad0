"""Failure rules of installed packages: taken in isolation, and never at the cost of the shipped ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from build_exporter.cli.failure_plugins import GROUP, rules_of
from build_exporter.sources.isolation import PluginError

MODULE = """
from build_exporter.plugin import FailureRule

def good():
    return [FailureRule("dependency-unsatisfied", r"frobnicator \\d+ is not licensed", "Renew the licence.")]

def wrong_class():
    return [FailureRule("no-such-class", "x", "")]

def everything():
    return [FailureRule("other", "x*", "")]

def raises():
    raise RuntimeError("boom")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with rules."""
    (tmp_path / "frob_rules.py").write_text(MODULE)
    info = tmp_path / "frob_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frob-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nfrob = frob_rules:good\nbad = frob_rules:raises\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("function", "reason"),
    [("wrong_class", "no-such-class"), ("everything", "every line matches"), ("raises", "boom"), ("none", "none")],
)
def test_rules_that_cannot_be_used_are_refused_with_the_reason(package: Path, function: str, reason: str) -> None:
    """A class there is not, a pattern that matches everything, and a function that raises cost nobody else."""
    with pytest.raises(PluginError, match=reason):
        rules_of(EntryPoint("x", f"frob_rules:{function}", GROUP))


def test_a_failure_is_explained_by_the_rule_of_a_package(
    package: Path, journal: Path, run_file: Callable[..., Any], tmp_path: Path
) -> None:
    """`explain` names class, reason and hint of the plug-in's rule; `plugins` lists the package and the broken one."""
    log = tmp_path / "frob.log"
    log.write_text("working\nERROR 7: frobnicator 12 is not licensed\nmake: *** [all] Error 1\n")
    run = run_file()
    run.add("step_started", phase="p", step="frob", log=str(log))
    run.add("step_finished", phase="p", step="frob", status="failed", exit_code=2)
    environment = os.environ | {"PYTHONPATH": str(package)}

    def call(*arguments: str) -> str:
        command = [sys.executable, "-m", "build_exporter", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60).stdout

    explained = call("explain", "--journal", str(journal), "--build", "lfs", "frob")
    assert "dependency-unsatisfied" in explained
    assert "frobnicator 12 is not licensed" in explained
    assert "Renew the licence." in explained
    listed = call("plugins", "--output", "csv")
    assert "rules on failures,frob,frob-rules,1.0,true" in listed.lower()
    assert "boom" in listed
