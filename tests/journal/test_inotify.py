"""Changes of the journal are noticed by inotify, by polling without it, and while older runs are read."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from build_exporter import monitor as monitor_module
from build_exporter.journal.inotify import Watcher
from build_exporter.model.events import Event
from build_exporter.monitor import Monitor
from build_exporter.tracker import apply_all

RunFiles = Callable[..., Any]


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    """A watcher of nothing yet."""
    watcher = Watcher()
    if watcher.descriptor < 0:
        pytest.skip("no inotify here")
    yield watcher
    watcher.close()


def test_changes_in_a_directory_are_reported(watcher: Watcher, tmp_path: Path) -> None:
    """A file made, appended to, renamed or removed is reported once, by its directory, and nothing else is."""
    path = tmp_path / "run"
    assert watcher.add(str(tmp_path))
    assert watcher.read() == set()
    for change in (path.touch, lambda: path.write_bytes(b"x"), lambda: path.rename(tmp_path / "other")):
        change()
        assert watcher.read() == {str(tmp_path)}
        assert watcher.read() == set()
    (tmp_path / "other").unlink()
    assert watcher.read() == {str(tmp_path)}


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_directory_that_is_gone_is_watched_no_longer(watcher: Watcher, tmp_path: Path, how: str) -> None:
    """A removed or renamed directory is reported, and a new one of its name can be watched."""
    path = tmp_path / "lfs"
    path.mkdir()
    watcher.add(str(path))
    if how == "removed":
        path.rmdir()
    else:
        path.rename(tmp_path / "away")
    assert watcher.read() == {str(path)}
    assert not watcher.is_watched(str(path))
    path.mkdir()
    assert watcher.add(str(path))
    (path / "run").touch()
    assert watcher.read() == {str(path)}
    if how == "renamed":
        (tmp_path / "away" / "run").touch()
        assert select.select([watcher.descriptor], [], [], 0)[0] == []


def test_a_count_the_kernel_lost_changes_everything(watcher: Watcher, tmp_path: Path) -> None:
    """After more changes than the kernel keeps, every watched directory is reported as changed."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for name in ("quiet", "busy"):
        (tmp_path / name).mkdir()
        watcher.add(str(tmp_path / name))
    descriptors = [os.open(tmp_path / "busy" / str(n), os.O_WRONLY | os.O_CREAT | os.O_APPEND) for n in range(2)]
    # one of two files each time: the kernel keeps equal changes that follow each other as one
    for number in range(limit + 10):
        os.write(descriptors[number % 2], b"x")
    for descriptor in descriptors:
        os.close(descriptor)
    assert watcher.read() == {str(tmp_path / "quiet"), str(tmp_path / "busy")}


def test_what_cannot_be_watched_is_no_error(watcher: Watcher, tmp_path: Path) -> None:
    """A directory that is not there, or a file, is not watched, and that is all."""
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        assert not watcher.add(str(tmp_path / name))
        assert not watcher.is_watched(str(tmp_path / name))


def test_without_inotify_nothing_is_reported(watcher: Watcher, tmp_path: Path) -> None:
    """A closed watcher, or one the kernel refused, says it watches nothing."""
    watcher.close()
    assert watcher.descriptor == -1
    assert not watcher.add(str(tmp_path))
    assert watcher.read() == set()


class Live:
    """A monitor that follows in the running event loop."""

    def __init__(self, journal: Path) -> None:
        self.monitor = Monitor(str(journal))
        self.applied = 0

    async def until(self, check: Callable[[], object], seconds: float = 10.0) -> float:
        """Wait until `check` holds without looking at the journal; return how long that took, in seconds."""
        began = time.monotonic()
        while not check():
            assert time.monotonic() - began < seconds, "the monitor did not notice"
            await asyncio.sleep(0.001)
        return time.monotonic() - began

    def notes(self, build: str = "lfs") -> list[str]:
        """Return the messages of the build's newest run."""
        known = self.monitor.tracker.builds.get(build)
        return [message for _, message in known.current.notes] if known and known.current else []


@pytest.fixture
def live(journal: Path) -> Callable[[Callable[[Live], Coroutine[Any, Any, None]]], None]:
    """Run a test's coroutine with a monitor that follows the journal."""

    def run(test: Callable[[Live], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            live = Live(journal)
            live.monitor.start()
            try:
                await test(live)
            finally:
                await live.monitor.stop()

        asyncio.run(main())

    return run


@pytest.fixture
def only_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll the journal only when asked."""
    for name in ("WATCHED_POLL_SECONDS", "UNWATCHED_POLL_SECONDS", "HISTORY_RECHECK_SECONDS"):
        monkeypatch.setattr(monitor_module, name, 3600.0)


@pytest.mark.usefixtures("only_reported")
def test_the_kernel_shows_of_builds_runs_and_events(journal: Path, run_file: RunFiles, live: Any) -> None:
    """A new build, a new run and each event are seen because the kernel reported them, not at the next poll."""
    journal.joinpath("other").mkdir()

    async def test(seen: Live) -> None:
        lfs = run_file("lfs", "20260101T000000Z")
        lfs.add("note", message="one")
        await seen.until(lambda: seen.notes() == ["one"])
        lfs.add("note", message="two")
        await seen.until(lambda: seen.notes() == ["one", "two"])
        run_file("lfs", "20260102T000000Z").add("note", message="next run")
        await seen.until(lambda: seen.notes() == ["next run"])
        run_file("other").add("note", message="another build")
        await seen.until(lambda: seen.notes("other") == ["another build"])

    live(test)


@pytest.mark.usefixtures("only_reported")
def test_builds_removed_and_made_anew_are_reported_too(journal: Path, run_file: RunFiles, live: Any) -> None:
    """A directory of the same name as one that was removed or renamed is watched like the first."""
    run_file("lfs").add("note", message="first")

    async def test(seen: Live) -> None:
        for number in range(5):
            if number % 2:
                shutil.rmtree(journal / "lfs")
            else:
                (journal / "lfs").rename(journal.parent / f"away-{number}")
            await seen.until(lambda: "lfs" not in seen.monitor.tracker.builds)
            file = run_file("lfs")
            file.raw(b"")
            await seen.until(lambda: "lfs" in seen.monitor.tracker.builds)
            file.add("note", message=f"made {number}")
            await seen.until(lambda: len(seen.notes()) == 1)
            assert seen.notes() == [f"made {number}"]

    live(test)


@pytest.mark.parametrize("what", ["journal", "build"])
def test_what_is_made_anew_within_one_look_is_watched_again(
    journal: Path, run_file: RunFiles, live: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where a scrape looked between removal and return, the kernel's word still comes through afterwards."""
    for name in ("_MTIME_GRAIN_NS", "_COARSE_GRAIN_NS"):
        monkeypatch.setattr(f"build_exporter.journal.follow.{name}", 0)
    run_file("lfs").add("note", message="first")
    path = {"journal": journal, "build": journal / "lfs"}[what]

    async def test(seen: Live) -> None:
        shutil.rmtree(path)
        file = run_file("lfs")
        # as a scrape does, before the watcher was asked
        seen.monitor.poll()
        watcher = seen.monitor.follower.watcher
        assert watcher.read()
        seen.monitor.poll()
        assert watcher.is_watched(str(path))
        watcher.read()
        (file.add if what == "build" else run_file)("note" if what == "build" else "other")
        assert str(path) in watcher.read()

    live(test)


@pytest.mark.parametrize("why", ["no inotify", "a silent file system"])
def test_without_inotify_it_polls(run_file: RunFiles, live: Any, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Where the kernel has no inotify, or another machine's file system shows nothing, events come all the same."""

    def deaf(watcher: Watcher, path: str) -> bool:
        watcher._watches[path] = len(watcher._watches)
        return True

    def none(watcher: Watcher) -> None:
        watcher.descriptor = -1
        watcher._paths, watcher._watches = {}, {}

    if why == "no inotify":
        monkeypatch.setattr(Watcher, "__init__", none)
    else:
        monkeypatch.setattr(Watcher, "add", deaf)

    async def test(seen: Live) -> None:
        assert seen.monitor.is_watched == (why != "no inotify")
        lfs = run_file("lfs")
        reported: list[str] = []
        for number in range(5):
            reported.append(str(number))
            lfs.add("note", message=str(number))
            await seen.until(lambda: seen.notes() and seen.notes()[-1] == reported[-1])
        # having found unannounced events, it polls often
        assert not seen.monitor.is_watched
        lfs.add("note", message="quick")
        assert await seen.until(lambda: "quick" in seen.notes()) < monitor_module.WATCHED_POLL_SECONDS

    live(test)


def test_what_was_reported_is_not_taken_for_untold(run_file: RunFiles, live: Any) -> None:
    """A change the kernel reported while a poll was under way does not make it distrust the kernel."""

    async def test(seen: Live) -> None:
        lfs = run_file("lfs")
        for number in range(50):
            lfs.add("note", message=str(number))
            # a poll of its own accord, before the loop could hear the kernel
            seen.monitor._check_directories()
            assert seen.notes()[-1] == str(number)
            assert seen.monitor.is_watched
            await asyncio.sleep(0)

    live(test)


def test_older_runs_are_read_beside(run_file: RunFiles, live: Any) -> None:
    """Counts over runs appear once every older run was read, and a run that ended late is corrected."""
    runs = [run_file("lfs", f"2026010{number}T000000Z") for number in range(1, 6)]
    for number, run in enumerate(runs):
        run.add("build_finished", status="failed" if number % 2 else "succeeded")

    async def test(seen: Live) -> None:
        build = seen.monitor.tracker.builds["lfs"]
        assert not build.history_complete
        await seen.until(lambda: build.history_complete)
        assert build.runs_by_result() == {"succeeded": 3, "failed": 2}

    live(test)


def test_live_events_come_while_history_is_read(run_file: RunFiles, live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the older runs take to read, what happens now is seen at once."""
    for number in range(1, 4):
        run_file("lfs", f"2026010{number}T000000Z").add("note", message="old")
    now = run_file("lfs", "20260201T000000Z")
    now.add("note", message="now")
    endless = asyncio.Event()

    def slow(follower: object, build: str, run: str) -> Iterator[list[Event]]:
        while not endless.is_set():
            yield []

    monkeypatch.setattr("build_exporter.journal.follow.Follower.read_older", slow)

    async def test(seen: Live) -> None:
        await asyncio.sleep(0)
        now.add("note", message="live")
        await seen.until(lambda: seen.notes() == ["now", "live"])
        assert not seen.monitor.tracker.builds["lfs"].history_complete
        endless.set()

    live(test)


@pytest.mark.parametrize("where", ["history", "now"])
def test_following_survives_an_error_of_its_own(
    run_file: RunFiles, live: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """An event that the exporter cannot cope with is reported in the log, and what comes after it is seen."""
    for number in range(1, 3):
        run_file("lfs", f"2026010{number}T000000Z").add("note", message="old")
    run = run_file("lfs", "20260201T000000Z")
    failing = {"apply_all": where == "history", "feed": where == "now"}

    def fails_once(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if failing[name]:
                failing[name] = False
                raise ArithmeticError("of its own")
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(monitor_module, "apply_all", fails_once("apply_all", apply_all))

    async def test(seen: Live) -> None:
        monkeypatch.setattr(seen.monitor.tracker, "feed", fails_once("feed", seen.monitor.tracker.feed))
        run.add("note", message="lost" if where == "now" else "kept")
        await seen.until(lambda: any("reading" in record.message for record in caplog.records))
        run.add("note", message="after")
        await seen.until(lambda: "after" in seen.notes())
        await seen.until(lambda: seen.monitor.tracker.builds["lfs"].history_complete)

    live(test)
    assert sum(record.exc_info is not None for record in caplog.records) == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("turns", range(6))
def test_it_ends_though_an_event_comes_at_the_same_moment(journal: Path, turns: int) -> None:
    """Ending the exporter while a change is being heard ends it: neither the end nor the loop is lost."""

    async def main() -> None:
        monitor = Monitor(str(journal))
        monitor.start()
        for _ in range(50):
            await asyncio.sleep(0)
        monitor._on_change()
        for _ in range(turns):
            await asyncio.sleep(0)
        await monitor.stop()

    asyncio.run(main())


def test_lag_is_reported_of_live_events_alone(journal: Path, live: Any) -> None:
    """Events from before the start do not count for the speed of reading; each live batch is one observation."""
    path = journal / "lfs" / "20260101T000000Z.jsonl"
    path.parent.mkdir()

    def add(at: float) -> None:
        with path.open("a") as file:
            file.write(f'{{"time":{at},"event":"note","build":"lfs","message":"m"}}\n')

    add(1000.0)

    async def test(seen: Live) -> None:
        assert sum(seen.monitor.lag_counts) == 0
        add(time.time() - 30)
        await seen.until(lambda: sum(seen.monitor.lag_counts) == 1)
        assert seen.monitor.lag_counts[-2] == 1
        assert 30 <= seen.monitor.lag_sum < 40

    live(test)
