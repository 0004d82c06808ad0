"""Writers on a full disk: what they could not write comes later, and what is lost is counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter.client import Operation
from build_exporter.client.events import MAX_PENDING
from build_exporter.journal import spool
from build_exporter.journal.spool import has_kept, keep, recover
from build_exporter.monitor import Monitor

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A journal on a file system of 256 KiB."""
    point = tmp_path / "small"
    point.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(point)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield point
    subprocess.run(["umount", point], check=True)


FILL = """
for file in "$1"/*/*.jsonl; do [ ! -e "$file" ] || head -c 4096 /dev/zero | tr '\\0' '\\n' >> "$file"; done
cat /dev/zero > "$1/ballast" 2>/dev/null
for file in "$1"/*/*.jsonl; do [ ! -e "$file" ] || head -c 4096 /dev/zero | tr '\\0' '\\n' >> "$file"; done 2>/dev/null
"""
"""Takes up all the room there is, in the last blocks of the run files as well."""


def fill(directory: Path) -> Path:
    """Return a file that takes up the room."""
    subprocess.run(["sh", "-c", FILL, "sh", str(directory)], check=False, capture_output=True)
    return directory / "ballast"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a runtime directory, as a login has it; ours as well."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}


def events(journal: Path, build: str) -> list[dict[str, Any]]:
    """Return the events of a build's newest run that holds any."""
    newest = max(path for path in (journal / build).glob("*.jsonl") if path.stat().st_size)
    return list(whole_lines(newest))


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole; a full disk cuts one in the middle."""
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def run(journal: Path, environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command through the wrapper, as a whole build."""
    words = [sys.executable, "-m", "build_exporter", "run", "--build", "b", "--journal", str(journal), "--", *command]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_a_build_on_a_full_disk_hides_no_result_and_comes_later(small: Path, environment: dict[str, str]) -> None:
    """While the disk is full the last result stays to be seen; with room again the failed build is there, whole."""
    assert run(small, environment, "true").returncode == 0
    ballast = fill(small)
    done = run(small, environment, "false")
    assert done.returncode == 1
    assert done.stderr.count("No space left on device") == 1
    assert events(small, "b")[-1]["status"] == "succeeded"
    assert len(list((small / "b").glob("*.jsonl"))) == 1, "no empty run"
    assert recover(str(small)) == 0, "there is no room yet"
    ballast.unlink()
    assert recover(str(small)) == 1
    assert recover(str(small)) == 0, "once"
    assert [(event["event"], event.get("status")) for event in events(small, "b")] == [
        ("build_started", None),
        ("step_started", None),
        ("step_finished", "failed"),
        ("build_finished", "failed"),
    ]


def test_a_failure_whose_disk_filled_up_meanwhile_is_not_gone(small: Path, environment: dict[str, str]) -> None:
    """A step that began with room and failed without is shown as failed, with its exit code, once there is room."""
    assert run(small, environment, "sh", "-c", f"{FILL}\nexit 3", "sh", str(small)).returncode == 3
    assert events(small, "b")[-1]["event"] == "step_started"
    (small / "ballast").unlink()
    recover(str(small))
    assert [event.get("exit_code") for event in events(small, "b")][2:] == [3, None]


def test_a_program_writes_again_when_there_is_room(small: Path, environment: dict[str, str]) -> None:
    """The events of a full disk's time are written with the first one that finds room, in their order."""
    operation = Operation("op", journal=str(small))
    operation.start(["a", "b"])
    ballast = fill(small)
    operation.update("a")
    operation.update("b")
    ballast.unlink()
    operation.complete()
    names = [event["event"] for event in events(small, "op") if event["event"] not in ("plan", "step_progress")]
    assert names == ["build_started", *["step_started", "step_finished"] * 2, "build_finished"]


def test_what_a_program_must_drop_is_reported(
    small: Path, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A program that continues for long without room keeps its newest events and reports how many are lost."""
    operation = Operation("op", journal=str(small))
    operation.start()
    ballast = fill(small)
    for number in range(MAX_PENDING + 50):
        operation.update("a", str(number))
    ballast.unlink()
    operation.update("a", "room")
    operation.complete()
    (lost,) = [event["count"] for event in events(small, "op") if event["event"] == "events_lost"]
    messages = sum(event["event"] == "step_progress" for event in events(small, "op"))
    assert len([record for record in caplog.records if "can't be written" in record.message]) == 1
    assert lost + messages + 1 >= MAX_PENDING + 50
    assert lost > 0
    monitor = Monitor(str(small))
    monitor.poll()
    monitor.follower.close()
    assert monitor.events_lost == lost


def full_disk_script(small: Path) -> str:
    """Return a script that goes on over a full disk, of which `room` makes room again."""
    hook = REPOSITORY / "exporter/build_exporter/shell/build-events.sh"
    return f""". {hook}
    be_start b
    be_step_start p s
    set -- {small}
    {FILL}
    for step in 1 2 3; do be_note $(printf '%04000d' $step); done
    """


def test_the_hook_reports_what_it_could_not_write(small: Path, environment: dict[str, str]) -> None:
    """Events of a script that found no room, and no other place to keep them, are counted by the next one that does."""
    script = f"{full_disk_script(small)} rm {small}/ballast; be_note room; be_end succeeded"
    environment = {**environment, "BUILD_EXPORTER_JOURNAL": str(small), "XDG_RUNTIME_DIR": "/nowhere"}
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)
    found = events(small, "b")
    notes = [event for event in found if event["event"] == "note"]
    (lost,) = [event["count"] for event in found if event["event"] == "events_lost"]
    assert lost + len(notes) == 4
    assert lost >= 2


@pytest.mark.parametrize(
    "content", [b"", b"/etc/passwd\nroot::0:0\n", b"JOURNAL/b/../../x.jsonl\n{}\n", b"JOURNAL/b/r.jsonl\n{}"]
)
def test_only_runs_of_the_journal_are_written(
    journal: Path, tmp_path: Path, environment: dict[str, str], content: bytes
) -> None:
    """A file among the kept ones that names another place, or is cut, writes nothing anywhere."""
    directory = tmp_path / "build-exporter"
    directory.mkdir()
    (directory / "1-1.jsonl").write_bytes(content.replace(b"JOURNAL", str(journal).encode()))
    assert recover(str(journal)) == 0
    assert list(journal.iterdir()) == []


def test_root_writes_for_a_user_into_their_own_runs_alone(
    journal: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """What a user kept goes to a run that is theirs, not to one of root's nor to a new one."""
    if os.geteuid() != 0:
        pytest.skip("files of other users are made by root alone")
    (journal / "b").mkdir()
    run = journal / "b/20260101T000000Z.jsonl"
    assert keep(str(run), b"{}\n", 1.0)
    (kept,) = (tmp_path / "build-exporter").iterdir()
    os.chown(kept, 12345, -1)
    assert recover(str(journal)) == 0
    run.write_bytes(b"")
    assert recover(str(journal)) == 0
    os.chown(run, 12345, -1)
    assert (recover(str(journal)), run.read_bytes()) == (1, b"{}\n")


def test_what_cannot_be_kept_leaves_nothing_behind(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory-backed storage is full too, or went with its user's session, nothing is left there or made anew."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(small))
    assert keep(f"{tmp_path}/journal/b/r.jsonl", b"{}\n", 1.0)
    fill(small)
    assert not keep(f"{tmp_path}/journal/b/r.jsonl", b"{}\n" * 5000, 2.0)
    assert [path.name[:8] for path in (small / "build-exporter").iterdir()] == ["1.000000"]
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert not keep(f"{tmp_path}/journal/b/r.jsonl", b"{}\n", 3.0)
    assert not (tmp_path / "gone").exists()


def test_events_of_another_journal_stay(journal: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """An exporter takes what belongs to its own journal and leaves the rest to others."""
    assert keep(f"{tmp_path}/other/b/20260101T000000Z.jsonl", b"{}\n", 1.0)
    assert keep(f"{journal}/b/20260101T000000Z.jsonl", b"{}\n", 2.0)
    assert has_kept(str(journal))
    assert recover(str(journal)) == 1
    assert not has_kept(str(journal)), "what is of others is read once, not every other second"
    assert has_kept(f"{tmp_path}/other")
    assert (journal / "b/20260101T000000Z.jsonl").read_bytes() == b"{}\n"
    (kept,) = (tmp_path / "build-exporter").iterdir()
    kept.unlink()
    assert not has_kept(str(journal))
    assert (str(journal.resolve()), str(kept)) not in spool._foreign, "nothing is remembered of files that are gone"


@pytest.mark.parametrize("shell", ["bash", "dash", "busybox sh"])
def test_what_a_script_could_not_write_comes_later(small: Path, environment: dict[str, str], shell: str) -> None:
    """A script that ends on a full disk, its children and its subshells lose nothing: an exporter appends it later."""
    if not shutil.which(shell.partition(" ")[0]):
        pytest.skip(f"{shell} is not installed")
    script = f"""{full_disk_script(small)}
    (be_note subshell)
    {shell} -c '. {REPOSITORY}/exporter/build_exporter/shell/build-events.sh; be_note child'
    be_step_end failed 3
    be_end failed"""
    environment = {**environment, "BUILD_EXPORTER_JOURNAL": str(small)}
    done = subprocess.run([*shell.split(), "-c", script], env=environment, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert [event["event"] for event in events(small, "b")][:2] == ["build_started", "step_started"]
    recover(str(small))
    (small / "ballast").unlink()
    recover(str(small))
    assert recover(str(small)) == 0
    monitor = Monitor(str(small))
    monitor.poll()
    monitor.follower.close()
    (run,) = monitor.newest_runs()
    assert [len(message) for _, message in run.notes] == [1000, 1000, 1000, len("subshell"), len("child")]
    assert (run.status, run.steps["p", "s"].state.label, run.steps["p", "s"].exit_code) == ("failed", "failed", 3)
    assert monitor.events_lost == 0


def test_events_that_could_not_be_kept_are_counted_by_the_exporter(
    small: Path, environment: dict[str, str], serve: Any, poll: Any
) -> None:
    """`build_exporter_events_lost_total` has what scripts report once there is room, of runs never begun as well."""
    served = serve(journal=small)
    ballast = fill(small)
    # a file in place of the build's directory keeps it from being made, as a full disk does
    (small / "c").touch()
    script = f"""{full_disk_script(small)} be_start c; be_note 1; rm {ballast} {small}/c; _be_retry=0; be_note 2"""
    environment = {**environment, "BUILD_EXPORTER_JOURNAL": str(small), "XDG_RUNTIME_DIR": "/nowhere"}
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)
    (lost,) = [event["count"] for event in events(small, "c") if event["event"] == "events_lost"]
    assert lost == 2
    poll(lambda: served.value("build_exporter_events_lost_total") == lost, 30, "what is lost is counted")


def test_a_program_that_never_found_room_loses_nothing(journal: Path, environment: dict[str, str]) -> None:
    """A program whose run could not even be made leaves its events for the exporter, and how many it had to drop."""
    (journal / "op").touch()
    operation = Operation("op", journal=str(journal))
    operation.start()
    for number in range(MAX_PENDING):
        operation.update("a", str(number))
    operation.complete()
    (journal / "op").unlink()
    assert recover(str(journal)) == 1
    found = [event["event"] for event in events(journal, "op")]
    (lost,) = [event["count"] for event in events(journal, "op") if event["event"] == "events_lost"]
    assert found[-2:] == ["step_finished", "build_finished"]
    assert lost + len(found) - 1 == MAX_PENDING + 4
