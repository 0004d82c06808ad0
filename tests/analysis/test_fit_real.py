"""Will it fit, on a real file system of a known size."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, subprocess, sys, time
from build_exporter.collectors.analysis import fits
from build_exporter.model import events as e
from build_exporter.tracker import Run, apply_all, summarise

MIB, root, size = 1 << 20, sys.argv[1], sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", root], check=True)
# each step needs so much while it runs, and leaves so much behind
STEPS = (("a", 4, 2), ("b", 6, 2), ("c", 16, 1))

def used():
    found = os.statvfs(root)
    return (found.f_blocks - found.f_bfree) * found.f_frsize

def run(name, measured):
    found = Run("t", name)
    plan = [e.PlannedStep(phase="p", step=step) for step, _, _ in STEPS]
    apply_all(found, [e.BuildStarted(time=1.0, build="t"), e.Plan(time=1.0, build="t", steps=plan)])
    for number, (step, peak, stays) in enumerate(STEPS):
        now, log = 10.0 * number + 2, f"{root}/log"
        open(log, "w").close()
        apply_all(found, [e.StepStarted(time=now, build="t", phase="p", step=step, log=log)])
        if not measured:
            short = [each.step for each in fits(found, [HISTORY], "/", now)[0].shortages]
            if short:
                print(step, "warns of", *short)
        before = used()
        try:
            with open(f"{root}/work", "wb") as file:
                file.write(bytes(peak * MIB))
        except OSError as error:
            print(step, "fails:", error.strerror)
            return found
        os.unlink(f"{root}/work")
        with open(f"{root}/stays-{step}", "wb") as file:
            file.write(bytes(stays * MIB))
        apply_all(found, [e.StepFinished(time=now + 9, build="t", phase="p", step=step, status="succeeded",
                                         disk_bytes=peak * MIB, disk_before_bytes=before)])
    return found

subprocess.run(["mount", "-o", "remount,size=64m", root], check=True)
HISTORY = summarise(run("20260101T000000Z", True))
for name in os.listdir(root):
    os.unlink(f"{root}/{name}")
subprocess.run(["mount", "-o", f"remount,size={size}m", root], check=True)
run("20260102T000000Z", False)
"""


@pytest.mark.parametrize(
    ("mebibytes", "reports"), [(18, ["a warns of c", "b warns of c", "c fails: No space left on device"]), (22, [])]
)
def test_a_real_disk_too_small_is_reported_steps_before_it_is_full(
    tmp_path_factory: pytest.TempPathFactory, mebibytes: int, reports: list[str]
) -> None:
    """20 MiB are needed: of 18 the third step's failure is reported from the first on, of 22 nothing is."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace may be made here")
    root = tmp_path_factory.mktemp("disk")
    command = ["unshare", "-rm", sys.executable, "-c", SCRIPT, str(root), str(mebibytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("c warns")]
    assert lines == reports
