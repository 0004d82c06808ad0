"""A real build's tree written at speed under a served exporter, and imported into the history of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Replay

RECORD = "jhalfs/alfs-sysroot/20240330.sysv"


def test_watched_while_it_grows(
    records: Path, replay: Callable[..., Replay], serve: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """`serve --watch` from before the first file, killed half way and started again, ends in the import's state."""
    again = replay(records / RECORD, stamps=True)
    flags = ("--watch", f"jhalfs={again.tree}")
    exporter = serve(*flags)
    half = len(again.pieces) // 2
    again.write(0, half)
    poll(lambda: (exporter.value("build_steps", build="lfs-trunk", state="succeeded") or 0) > 60, what="half of it")
    exporter.kill()
    again.write(half, half + 50)
    exporter = serve(*flags)
    again.write(half + 50, len(again.pieces))
    poll(lambda: exporter.value("build_state", build="lfs-trunk", state="succeeded") == 1, 30, what="the end")
    assert exporter.value("build_steps", build="lfs-trunk", state="succeeded") == 154
    assert exporter.value("build_step_duration_seconds", build="lfs-trunk", step="502-gcc-pass1") == 625
    assert exporter.value("build_runs_total", build="lfs-trunk", result="succeeded") == 1
    attempts = {v for (n, _), v in exporter.samples().items() if n == "build_step_attempts"}
    assert attempts <= {1.0}
    (run,) = (tmp_path / "journal/lfs-trunk").iterdir()
    events = [json.loads(line) for line in run.read_text().splitlines()]
    ends = [(e["step"], e["time"]) for e in events if e["event"] == "step_finished"]
    assert len(ends) == len(set(ends)) == 154


def test_imported_twice_is_imported_once(records: Path, command: Callable[..., Any], journal: Path) -> None:
    """`import jhalfs` tells a tree's events; the same tree again has nothing new, by its own path or its parent's."""
    arguments = ("--journal", str(journal), "--build", "lfs")
    first = command("import", "jhalfs", str(records / RECORD), *arguments)
    assert (first.returncode, first.stdout.split(": ")[1].split()[0]) == (0, "310")
    again = command("import", "auto", str(records / RECORD / "Makefile"), *arguments)
    assert "nothing new" in again.stdout
    assert len(list((journal / "lfs").iterdir())) == 1


def test_import_of_nothing(command: Callable[..., Any], journal: Path, tmp_path: Path) -> None:
    """A directory that is no tree of jhalfs is told in one line, with exit code 1."""
    done = command("import", "jhalfs", str(tmp_path), "--journal", str(journal))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no Makefile of jhalfs" in done.stderr
