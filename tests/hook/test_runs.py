"""Which run file a script writes: a new one, the one before, or its parent's."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from build_exporter.journal.layout import default_journal
from build_exporter.model.names import is_run_name, run_start


@pytest.mark.parametrize(("ending", "goes_on"), [
    ("", True), ("be_end failed", True), ("be_end interrupted", True), ("be_end succeeded", False),
    ("be_end failed; be_end succeeded", False), ("be_end succeeded; be_start b; be_step p s true", True),
])  # fmt: skip
def test_the_next_start_continues_unless_the_run_succeeded(hook: Any, ending: str, goes_on: bool) -> None:
    """make run again after a failure is the same run; after success a new one begins."""
    hook.run(f'. "$HOOK"; be_start b; be_step p s true; {ending}')
    files = set(hook.journal.glob("b/*.jsonl"))
    newest = max(files)
    hook.run('. "$HOOK"; be_start b; be_step p s true')
    assert (set(hook.journal.glob("b/*.jsonl")) == files) == goes_on
    last = [e for e in hook.events() if e["event"] == "build_started"][-1]
    assert (last["run"] == newest.stem) == goes_on


def test_runs_are_found_without_globbing(hook: Any, run_file: Any) -> None:
    """A script under set -f continues with its run like any other."""
    run_file("b").add("build_started")
    hook.run('set -f; . "$HOOK"; be_start b; be_step p s true')
    assert len(list(hook.journal.glob("b/*.jsonl"))) == 1


def test_new_begins_a_new_run_at_once(hook: Any) -> None:
    """--new makes a run of its own each time, also several in one second, named in their order."""
    hook.run('. "$HOOK"; be_start b; for i in 1 2 3; do be_start b --new --jobs $i; be_step p s true; done')
    runs = sorted(hook.journal.glob("b/*.jsonl"))
    assert [hook_events[0].get("jobs") for hook_events in map(_lines, runs)] == [None, 1, 2, 3]
    assert all(is_run_name(run.stem) for run in runs)
    assert abs(run_start(runs[0].stem) - time.time()) < 60


def _lines(path: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_of_other_writers_are_understood(hook: Any, run_file: Any) -> None:
    """The end of a run is seen however its writer spaces JSON, and a message that quotes one is not taken for it."""
    run = run_file("b", "20260102T030405Z")
    run.add("build_finished", status="succeeded")
    run.add("note", message='"event": "build_started"')
    hook.run('. "$HOOK"; be_start b')
    assert len(list(hook.journal.glob("b/*.jsonl"))) == 2
    other_order = run_file("d", "20260102T030405Z")
    other_order.raw(b'{"status":"succeeded","event":"build_finished","build":"d","time":1}\n')
    hook.run('. "$HOOK"; be_start d')
    assert len(list(hook.journal.glob("d/*.jsonl"))) == 2
    failed = run_file("c", "20260102T030405Z")
    failed.add("build_finished", status="failed")
    failed.add("note", message='{"event": "build_finished", "status": "succeeded"}')
    hook.run('. "$HOOK"; be_start c')
    assert len(list(hook.journal.glob("c/*.jsonl"))) == 1


def test_files_that_are_no_runs_are_passed_over(hook: Any) -> None:
    """Other files beside the runs are neither continued nor touched."""
    directory = hook.journal / "b"
    directory.mkdir()
    for name in ("notes.jsonl", "99999999T999999Z.jsonl.gz", "x9999999T999999Z.jsonl"):
        (directory / name).write_text("kept\n")
    hook.run('. "$HOOK"; be_start b')
    assert sum(path.read_text() == "kept\n" for path in directory.iterdir()) == 3
    assert [path.name[0] for path in directory.iterdir() if path.read_text() != "kept\n"] == ["2"]


@pytest.mark.parametrize("hook", ["bash"], indirect=True)
def test_globbing_options_of_bash_do_not_matter(hook: Any) -> None:
    """A script with failglob or nullglob finds its runs like any other."""
    for option in ("failglob", "nullglob", "nocasematch", "extglob"):
        hook.run(
            f'shopt -s {option}; . "$HOOK"; be_start {option}; be_step p s true; shopt -q {option} && be_end failed'
        )
        hook.run(f'shopt -s {option}; . "$HOOK"; be_start {option}')
        assert len(list(hook.journal.glob(f"{option}/*.jsonl"))) == 1
        assert len(hook.events(option)) == 5


def test_children_join_without_be_start(hook: Any) -> None:
    """A script started by a step writes into the run of its parent, whichever shell it is."""
    hook.run(""". "$HOOK"; be_start b; run=$BUILD_EXPORTER_RUN_FILE
        for shell in sh bash dash; do
            if command -v $shell >/dev/null; then $shell -c '. "$HOOK"; be_step child $0 true' $shell; fi
        done
        env -i PATH="$PATH" HOOK="$HOOK" BUILD_EXPORTER_RUN_FILE="$run" sh -c '. "$HOOK"; be_note hi'""")
    assert [e["event"] for e in hook.events()][-1] == "note"
    assert "sh" in hook.finished()


def test_sourcing_again_keeps_what_is_open(hook: Any) -> None:
    """Sourcing the hook twice in one shell loses no open step."""
    hook.run('. "$HOOK"; be_start b; be_step_start p s; . "$HOOK"; be_step_end succeeded')
    assert hook.finished() == {"s": "succeeded"}


# busybox prefers its own id and date to those that these tests put before them
@pytest.mark.parametrize("hook", ["bash", "posix", "dash"], indirect=True)
@pytest.mark.parametrize("state", [True, False])
def test_default_journal(hook: Any, state: bool, monkeypatch: Any, tmp_path: Any) -> None:
    """Without BUILD_EXPORTER_JOURNAL the hook writes where the exporter reads."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "id").write_text("#!/bin/sh\necho 1000\n")
    (fake / "id").chmod(0o755)
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state") if state else ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BUILD_EXPORTER_JOURNAL", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    path = f"{fake}:{hook.environment['PATH']}"
    done = hook.run(
        '. "$HOOK"; unset BUILD_EXPORTER_JOURNAL; be_start b; echo "$BUILD_EXPORTER_RUN_FILE"', PATH=path, **environment
    )
    assert done.stdout.startswith(f"{default_journal()}/b/2")


def test_a_relative_journal_stays_where_it_is(hook: Any, tmp_path: Any) -> None:
    """A journal named relative to the starting directory does not wander when steps change directory."""
    hook.run('cd "$HOME"; . "$HOOK"; BUILD_EXPORTER_JOURNAL=here; be_start b; cd /; be_note far')
    assert len(list((tmp_path / "here" / "b").glob("*.jsonl"))) == 1


def test_times_are_the_clocks(hook: Any) -> None:
    """Event times are Unix seconds of the machine's clock, and never go back within a script."""
    before = time.time()
    hook.run('. "$HOOK"; be_start b; i=0; while [ $i -lt 40 ]; do be_note $i; i=$((i+1)); done')
    times = [e["time"] for e in hook.events()]
    assert times == sorted(times)
    # busybox' date shows whole seconds: the hook is then behind by less than one
    early = 1.02 if hook.name == "busybox" else 0.05
    assert before - early < times[0] <= times[-1] < time.time() + 0.05


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "de_DE.UTF-8"])
def test_times_in_any_locale(hook: Any, locale: str) -> None:
    """A locale with a decimal comma makes no line invalid."""
    script = (
        '. "$HOOK"; be_start b; EPOCHREALTIME=1790000000,5; unset EPOCHREALTIME; EPOCHREALTIME=1790000000,5; be_note x'
    )
    hook.run(script, LC_ALL=locale)
    assert hook.events()[-1]["time"] == (
        1790000000.5 if hook.name in ("bash", "posix") else pytest.approx(time.time(), abs=2)
    )


@pytest.mark.parametrize("hook", ["dash"], indirect=True)
def test_a_clock_that_is_set_is_followed(hook: Any, tmp_path: Any) -> None:
    """Shells that add the uptime to a time got once notice within half a minute that the clock was set."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "date").write_text('#!/bin/sh\nexec /bin/date -d "${SHIFT:-0} seconds" "$@"\n')
    (fake / "date").chmod(0o755)
    script = """. "$HOOK"; be_start b; export SHIFT=7200; be_note 'not yet'
        _be_checked=$((_be_checked - 31)); be_note shifted; export SHIFT=0
        sh -c '. "$HOOK"; be_note child'; _be_checked=$((_be_checked - 31)); be_note back"""
    hook.run(script, PATH=f"{fake}:{hook.environment['PATH']}")
    start, not_yet, shifted, child, back = (e["time"] for e in hook.events())
    assert not_yet - start < 5
    assert shifted - start == pytest.approx(7200, abs=5)
    assert child == pytest.approx(shifted, abs=5)
    assert back - start < 5


@pytest.mark.parametrize("hook", ["dash"], indirect=True)
def test_a_date_without_fractions_moves_the_clock_no_further_than_it_must(hook: Any, tmp_path: Any) -> None:
    """Where date shows whole seconds only, comparing again within the same second leaves the times as they were."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "date").write_text('#!/bin/sh\necho "$NOW.%N"\n')
    (fake / "date").chmod(0o755)
    script = """. "$HOOK"; export NOW=1790000000; be_start b
        for NOW in 1790000000 1790000009 1790000005; do _be_checked=$((_be_checked - 31)); be_note x; done"""
    hook.run(script, PATH=f"{fake}:{hook.environment['PATH']}")
    first, same, ahead, behind = (e["time"] for e in hook.events())
    assert 1790000000 <= first <= same < 1790000001
    assert 1790000009 <= ahead < 1790000009.5
    assert 1790000005.9 < behind < 1790000006.5
