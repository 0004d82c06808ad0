"""A journal on real mounts that go away, become read-only or report no changes: nothing is lost, nobody is held up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.client import Operation

HOOK = Path(__file__).parents[2] / "exporter/build_exporter/shell/build-events.sh"
Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Call `mount` with arguments, the last one a place in the test's directory; all are gone with the test."""
    places: list[str] = []

    def call(*arguments: str | Path) -> None:
        done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
        places.append(str(arguments[-1]))

    yield call
    for place in reversed(places):
        subprocess.run(["umount", "-l", place], capture_output=True, check=False)


@pytest.fixture
def script(journal: Path, tmp_path: Path) -> Callable[[str], None]:
    """Run lines of a build's script, each time in a new shell that joins its run; it must not fail or complain."""
    environment = os.environ | {"BUILD_EXPORTER_JOURNAL": str(journal), "XDG_RUNTIME_DIR": str(tmp_path)}
    environment["BUILD_EXPORTER_RUN_FILE"] = str(journal / "lfs" / "20260101T000000Z.jsonl")

    def run(lines: str) -> None:
        done = subprocess.run(
            ["sh", "-ec", f". {HOOK}\n{lines}"], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""

    return run


def notes(served: Any) -> int:
    """Return how many notes the exporter has read."""
    return int(served.value("build_exporter_events_total", event="note") or 0)


def test_a_journal_that_is_unmounted_and_mounted_again(
    serve: Callable[..., Any], journal: Path, tmp_path: Path, mount: Callable[..., None], script: Any, poll: Any
) -> None:
    """The exporter shows no build while the file system is away, and all of it when it is back, what followed too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("--bind", disk, journal)
    script("be_step_start p s; be_note one")
    served = serve()
    assert served.value("build_state", build="lfs", state="running") == 1
    subprocess.run(["umount", "-l", journal], check=True)
    poll(lambda: served.value("build_state", build="lfs", state="running") is None, 30, "the build is away")
    script("be_note meanwhile")
    poll(lambda: notes(served) == 2, 30, "what is written meanwhile is shown, too")
    below = (journal / "lfs" / "20260101T000000Z.jsonl").read_text()
    assert below.count("\n") == 1, "it is in the directory that the mount covers"
    mount("--bind", disk, journal)
    script("be_step p t true")
    poll(lambda: served.value("build_step_status", step="t") == 2, 30, "the build is back, with its next step")
    assert served.value("build_step_status", step="s") == 1
    assert served.get("/-/healthy")[0] == 200


def test_a_journal_that_becomes_read_only(
    serve: Callable[..., Any],
    journal: Path,
    tmp_path: Path,
    mount: Callable[..., None],
    script: Any,
    poll: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hook and program go on, and what they could not write is in the journal soon after it can be written again."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    mount("-t", "tmpfs", "none", journal)
    script("be_step_start p s")
    served = serve(environment={"XDG_RUNTIME_DIR": str(tmp_path)})
    subprocess.run(["mount", "-o", "remount,ro", journal], check=True)
    script("be_step p t sh -c 'exit 2' || be_note note")
    operation = Operation("op", journal=str(journal))
    operation.start()
    operation.complete("done")
    assert served.value("build_step_status", step="t") is None
    subprocess.run(["mount", "-o", "remount,rw", journal], check=True)
    poll(lambda: served.value("build_step_status", step="t") == 3, 30, "the step's end has come")
    poll(lambda: served.value("build_runs_total", build="op", result="succeeded") == 1, 30, "so has the program's run")
    assert notes(served) == 2
    assert served.value("build_exporter_events_lost_total") == 0


def test_a_file_system_that_reports_no_changes(
    serve: Callable[..., Any], tmp_path: Path, mount: Callable[..., None], poll: Any
) -> None:
    """Below an overlay the kernel reports nothing of what is written beneath it: events are seen within a second."""
    mount("-t", "tmpfs", "none", tmp_path)
    lower, upper, work, merged = (tmp_path / name for name in ("lower", "upper", "work", "merged"))
    for each in (lower, upper, work, merged):
        each.mkdir()
    mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", merged)
    served = serve(journal=merged)
    with Operation("op", journal=str(upper)) as operation:
        for number in range(5):
            operation.update(f"step-{number}")
            poll(lambda number=number: served.value("build_step_status", step=f"step-{number}") == 1, 30)
    poll(lambda: served.value("build_runs_total", build="op", result="succeeded") == 1, 30)
