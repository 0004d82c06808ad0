"""The measurement of how well a step's bar follows its time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKS = "for n in 1 2 3 4; do echo checking for $n; sleep 0.3; done; "
SCRIPT = CHECKS + "for n in 1 2 3; do echo '  CC  a.o'; sleep 0.5; done"


def measure(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the measurement."""
    command = [sys.executable, str(repository / "bench" / "step_progress.py"), *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=60)


def test_a_build_is_measured_by_an_earlier_one(repository: Path, tmp_path: Path) -> None:
    """Two recordings give a row in which the curve of the first is nearer to the second's time than nothing at all."""
    for name in ("earlier", "later"):
        assert measure(repository, "record", str(tmp_path / name), "--", "sh", "-c", SCRIPT).returncode == 0
    document = json.loads((tmp_path / "later.json").read_text())
    assert document["seconds"] >= 2.7
    assert document["points"][-1][1] == (tmp_path / "later.log").stat().st_size
    reported = measure(repository, "compare", str(tmp_path / "earlier"), str(tmp_path / "later"))
    assert reported.returncode == 0, reported.stderr
    names, _, row = ([cell.strip() for cell in line.strip("|").split("|")] for line in reported.stdout.splitlines())
    figures = dict(zip(names, row, strict=True))
    assert figures["tasks"] == "3"
    assert figures["counter"] == "none"
    assert float(figures["curve"]) < 50.0


def test_the_exit_code_is_the_commands_own(repository: Path, tmp_path: Path) -> None:
    """A build that failed is seen to have failed."""
    assert measure(repository, "record", str(tmp_path / "a"), "--", "sh", "-c", "exit 3").returncode == 3
