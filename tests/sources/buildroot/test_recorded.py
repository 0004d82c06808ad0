"""A build of Buildroot 2026.08-rc1 for aarch64 that failed seven times on its way, recorded by this project.

Recorded are build-time.log, the titles and errors of `br.log` from the third call of make on, and what the plan is made
of. Toolchain and sources were a distribution's, which most attempts failed by; a hash was made wrong by hand.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.buildroot.log import NOT_ENDED
from build_exporter.tracker import Run

RECORDED = Path(__file__).parent / "recorded"
CONFIGURE_TOOLCHAIN = ("configure", "toolchain-external-custom")
FAILURES = [
    (CONFIGURE_TOOLCHAIN, None, "other", NOT_ENDED),
    (CONFIGURE_TOOLCHAIN, None, "other", NOT_ENDED),
    (CONFIGURE_TOOLCHAIN, 1, "other", "RPC support not available in C library, please disable "),
    (("download", "libzlib"), 1, "checksum-mismatch", "ERROR: zlib-1.3.2.tar.xz has wrong sha256 hash:"),
    (("patch", "host-patchelf"), 1, "patch-failed", "Hunk #3 FAILED at 244."),
    (("configure", "host-patchelf"), 127, "missing-program", "/bin/bash: line 1: ./configure: No such file"),
    (("build", "host-patchelf"), 2, "compiler-error", "patchelf.cc:1928:37: error: "),
]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The output directory as it was; `br.log` has local time."""
    output = tmp_path / "output"
    (output / "build").mkdir(parents=True)
    shutil.copy(RECORDED / "build-time.log", output / "build")
    shutil.copy(RECORDED / "br.log", output)
    shutil.copy(RECORDED / "show-info.json", output)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield output
    monkeypatch.undo()
    time.tzset()


def test_a_recorded_build(
    recorded: Path, tmp_path: Path, attach: Callable[..., Attachment], runs_of: Callable[..., list[Run]]
) -> None:
    """Each step lasts as long as Buildroot's log says, each failed attempt has its reason, and the plan fits."""
    attach(recorded).poll(time.time(), over=True)
    (run,) = runs_of()
    begun: dict[tuple[str, str], float] = {}
    wanted: dict[tuple[str, str], float] = {}
    for line in (recorded / "build/build-time.log").read_text().splitlines():
        when, what, phase, step = (each.strip() for each in line.split(":"))
        if what == "start":
            begun[phase, step] = float(when)
        else:
            wanted[phase, step] = float(when) - begun[phase, step]
    took = {key: step.seconds for key, step in run.steps.items()}
    assert took == {key: pytest.approx(seconds, abs=0.002) for key, seconds in wanted.items()}
    assert str(run.state) == "succeeded"

    (journal,) = (tmp_path / "journal").rglob("*.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    failed = [each for each in events if each["event"] == "step_finished" and each["status"] != "succeeded"]
    for event, (key, code, kind, reason) in zip(failed, FAILURES, strict=True):
        assert ((event["phase"], event["step"]), event.get("exit_code"), event["error_class"]) == (key, code, kind)
        assert event["message"].startswith(reason)
    dated = {tuple(key): event["time"] for event, (key, *_) in zip(failed, FAILURES, strict=True)}
    assert dated["download", "libzlib"] == 1_796_046_647.0, "13:50:47 by br.log, one second after it began"
    assert dated["build", "host-patchelf"] == 1_796_047_707.0
