"""The exporter listens whatever the paths it is given do: a record, or the journal, whose file system never answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dead_mount
import pytest

Serve = Callable[..., Any]


@pytest.fixture
def dead(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A directory on which every call blocks, and what starts a command that sees it so."""
    place = tmp_path / "dead"
    place.mkdir()
    space = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
    prefix = (*space, sys.executable, dead_mount.__file__, str(place))
    tried = (
        subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
        if shutil.which("unshare")
        else None
    )
    if tried is None or tried.returncode != 0:
        pytest.skip(f"cannot mount FUSE here ({tried.stderr.strip()[-60:] if tried else 'no unshare'})")
    return place, prefix


def test_records_that_block_keep_nobody_from_asking(
    serve: Serve, poll: Callable[..., None], dead: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    """With records on a dead mount, a FIFO, and `auto`, the port is open within seconds and the others are read."""
    place, prefix = dead
    fifo, good = tmp_path / "pipe.log", tmp_path / "good.log"
    os.mkfifo(fifo)
    good.write_text("STARTED own-step\n")
    began = time.monotonic()
    records = (f"auto={place}/one", f"jhalfs={place}", f"log={place}/two.log", f"log={fifo}", f"log={good}")
    served = serve(*(flag for record in records for flag in ("--watch", record)), prefix=prefix)
    assert time.monotonic() - began < 15
    poll(lambda: served.value("build_step_status", step="own-step") == 1, what="the good record is read")
    assert served.value("build_exporter_source_up", source="log/pipe") == 0
    assert served.stop() == 0


def test_a_journal_that_blocks_leaves_an_exporter_that_says_so(
    serve: Serve, dead: tuple[Path, tuple[str, ...]]
) -> None:
    """With the journal on a dead mount the exporter answers that it is alive and not ready, and ends when asked."""
    place, prefix = dead
    served = serve(journal=place / "journal", prefix=prefix, ready=False)
    assert served.get("/-/healthy")[0] == 200
    assert served.get("/-/ready")[0] == 503
    assert "file system does not answer" in served.log.read_text()
    assert served.stop() == 0
