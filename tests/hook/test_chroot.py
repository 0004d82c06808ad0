"""The hook where a build from source begins: a root directory with next to nothing in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """. /build-events.sh
set -eu
be_start lfs --target x86_64-lfs-linux-gnu
be_step chapter-7 'gettext "1"' true
be_step chapter-7 perl /bin/busybox sh -c 'exit 3' || be_note "status $?"
/bin/busybox sh -c '. /build-events.sh; be_step chapter-7 child true'
work() { be_step_start chapter-7 inner; be_step_progress chapter-7 inner 0.5 'é'; false; }
trap 'be_exit $?' EXIT
be_step chapter-7 function work
"""


@pytest.fixture(params=["busybox alone", "busybox with links"])
def root(request: pytest.FixtureRequest, tmp_path: Path, hook: Any) -> Path:
    """A root directory of busybox and the hook, without /proc and /dev."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("busybox is not installed")
    if os.geteuid() != 0:
        pytest.skip("only root may change the root directory")
    if b"statically linked" not in subprocess.run(["file", "-L", busybox], capture_output=True, check=True).stdout:
        pytest.skip("this busybox needs libraries")
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    shutil.copy(hook.path, root)
    if "links" in request.param:
        for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                (root / "bin" / name).symlink_to("busybox")
    return root


@pytest.mark.parametrize("hook", ["busybox"], indirect=True)
def test_a_build_in_a_root_of_busybox(hook: Any, root: Path, read_run: Any) -> None:
    """In a chroot of busybox without /proc and /dev every event arrives, and nothing but the journal is made there."""
    before = set(root.rglob("*"))
    chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin") or "chroot"
    done = subprocess.run(
        [chroot, str(root), "/bin/busybox", "sh", "-c", SCRIPT],
        env={"PATH": "/bin"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    run = next(root.glob("var/lib/build-exporter/journal/lfs/*.jsonl"))
    made = {path for path in set(root.rglob("*")) - before if path.is_file()}
    assert made == {run}
    finished = [(e["step"], e["status"]) for e in read_run(run) if e["event"] == "step_finished"]
    assert finished == [
        ('gettext "1"', "succeeded"), ("perl", "failed"), ("child", "succeeded"),
        ("inner", "failed"), ("function", "failed"),
    ]  # fmt: skip
    assert read_run(run)[-1]["event"] == "build_finished"
