"""Two users and one run: in LFS the user lfs begins what root ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


@pytest.fixture
def shared(hook: Any) -> Iterator[Path]:
    """A journal that belongs to another user, where that user may reach it, with the hook beside it."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    place = Path(tempfile.mkdtemp(prefix="hook-users-"))
    place.chmod(0o755)
    shutil.copy(hook.path, place)
    hook.journal = place / "journal"
    hook.journal.mkdir()
    os.chown(hook.journal, NOBODY, NOBODY)
    yield place
    shutil.rmtree(place)


def run_as(user: int, hook: Any, place: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a user."""
    environment = {
        **hook.environment,
        "BUILD_EXPORTER_JOURNAL": str(hook.journal),
        "HOOK": str(place / "build-events.sh"),
        "HOME": str(place),
    }
    return subprocess.run(
        hook.command(script), env=environment, user=user, cwd=place, capture_output=True, text=True, check=True
    )


def test_root_continues_with_the_run_of_a_user(hook: Any, shared: Path) -> None:
    """Root appends to the run that the user began, and the user's file stays the user's."""
    script = '. "$HOOK"; be_start lfs; be_step p "by $(id -u)" true; be_end failed'
    for user in (NOBODY, 0):
        assert run_as(user, hook, shared, script).stderr == ""
    run = next(hook.journal.glob("lfs/*.jsonl"))
    assert hook.finished() == {f"by {NOBODY}": "succeeded", "by 0": "succeeded"}
    assert (run.stat().st_uid, len(list(run.parent.iterdir()))) == (NOBODY, 1)


def test_a_user_meets_a_run_of_root(hook: Any, shared: Path) -> None:
    """A user who may not write root's run builds on, reported once."""
    run_as(0, hook, shared, '. "$HOOK"; be_start lfs')
    done = run_as(NOBODY, hook, shared, 'set -e; . "$HOOK"; be_start lfs; be_step p s echo ran; be_end failed; echo on')
    assert done.stdout == "ran\non\n"
    assert done.stderr.count("\n") == 1
    assert len(hook.events()) == 1
