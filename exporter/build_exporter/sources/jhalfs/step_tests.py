"""Logs of a step's tests, and whether the step runs any."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from build_exporter.sources.files import read_ends

SCRIPT_BYTES: Final = 256 * 1024

_KEPT: Final = re.compile(r"^[^#\n]*>>? *\"?\$\{?TEST_LOG\b", re.MULTILINE)


def test_log(log: Path) -> Path | None:
    """Return where the output of a step's tests is, or would be; None where its log is in no tree of jhalfs."""
    return log.parent.parent / "test-logs" / log.name if log.parent.name == "logs" else None


def script_of(log: Path, target: str) -> Path | None:
    """Return the script of a step by its log and its target, None where there is none."""
    if log.parent.name != "logs" or "/" in target or target.startswith("."):
        return None
    try:
        with os.scandir(log.parent.parent / "lfs-commands") as chapters:
            scripts = [Path(chapter.path, target) for chapter in chapters]
    except OSError:
        return None
    return next((script for script in scripts if script.exists()), None)


def runs_tests(script: Path) -> bool:
    """Return whether a script sends what tests print to the test log.

    Without tests in jhalfs' settings the scripts have none, or each in a comment; the test log has a date all the same.

    Raises:
        OSError: it can't be read or is no regular file.
    """
    return _KEPT.search(read_ends(script, SCRIPT_BYTES, 0, follow_links=False).head) is not None
