"""What the command line and the configuration give a source beside its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_jhalfs_tree_is_weighed_by_its_book(command: Callable[..., Any], journal: Path, records: Path) -> None:
    """With the LFS book at hand an imported build has the book's SBU, and so progress by time."""
    tree = records / "jhalfs" / "alfs-sysroot" / "20240330.sysv"
    book = records / "lfs-book"
    done = command("import", "jhalfs", str(tree), "--build", "lfs", "--journal", str(journal), "--book", str(book))
    assert done.returncode == 0, done.stderr
    (file,) = (journal / "lfs").glob("*.jsonl")
    assert file.read_text().count('"sbu":') > 100


def test_patterns_of_the_configuration_reach_the_log_source(
    serve: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """A log in a tool's own words is followed by the patterns the configuration gives."""
    log = tmp_path / "builder.log"
    log.write_text("==> Making gcc\n")
    config = tmp_path / "config.yml"
    config.write_text(
        "sources:\n  - kind: log\n    path: builder.log\n    build: mine\n"
        "    patterns:\n      started: '^==> Making (?P<step>\\S+)'\n"
    )
    served = serve("--config", str(config))
    poll(lambda: served.value("build_step_status", build="mine", step="gcc") == 1, what="the step runs")


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        ("nothing", "KIND=PATH"),
        ("nosuch=/tmp", "there is no kind 'nosuch'"),
        ("auto=/dev/null", "looks like no record"),
    ],
)
def test_what_cannot_be_watched_is_told(command: Callable[..., Any], journal: Path, watch: str, told: str) -> None:
    """A wrong --watch is one clear line and code 2."""
    done = command("serve", "--journal", str(journal), "--web.listen-address", "127.0.0.1:0", "--watch", watch)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
