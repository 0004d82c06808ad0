"""What a sample of process trees leaves out, and how soon that is seen, in a planted process table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import Mock

import pytest

from build_exporter.collectors.host.process import ProcessReader


def test_one_that_wakes_after_long_is_seen_soon(kernel: Any, watch: Any) -> None:
    """What a process uses that did nothing for long is counted within four samples; what its child used, at once."""
    root = kernel.fork()
    sleepers = [kernel.fork(root) for _ in range(4)]
    watch.roots = {"lfs": [root]}
    for _ in range(20):
        watch.sample()
    kernel.use(root, 5)
    for sleeper in sleepers:
        kernel.use(sleeper, 7, written=1)
    shown = [watch.sample() for _ in range(4)]
    assert shown[0]["lfs:cpu"] < 33
    assert (shown[3]["lfs:cpu"], shown[3]["lfs:written"]) == (33, 4)
    for _ in range(20):
        watch.sample()
    child = kernel.fork(sleepers[0])
    watch.sample()
    kernel.use(child, 100, written=2)
    kernel.exit(child)
    after = watch.sample()
    assert (after["lfs:cpu"], after["lfs:written"], after["lfs:processes"]) == (133, 6, 5)


@pytest.fixture
def listings(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes each listing found, on a file system that counts directories as /proc counts processes."""
    if not (kernel.proc / "self/ns/pid").is_symlink():
        pytest.skip("directories here have no count of those in them")
    found: list[int] = []
    pids = ProcessReader.pids

    def counted(reader: ProcessReader) -> set[int]:
        found.append(len(pids(reader)))
        return pids(reader)

    monkeypatch.setattr(ProcessReader, "pids", counted)
    return found


def test_processes_are_listed_while_some_come_or_go(kernel: Any, watch: Any, listings: list[int]) -> None:
    """At rest nothing is listed; what forks or ends is seen in the next sample, also where its pid came before it."""
    stranger, root = kernel.fork(), kernel.fork()
    children = [kernel.fork(root) for _ in range(3)]
    watch.roots = {"lfs": [root]}
    for _ in range(20):
        assert watch.sample()["lfs:processes"] == 4
    assert listings == [5, 5]
    kernel.use(children[0], 7)
    kernel.exit(children[0])
    assert [watch.sample()[f"lfs:{name}"] for name in ("cpu", "processes", "cpu")] == [7, 3, 7]
    assert listings == [5, 5, 4, 4]
    kernel.give_out_pid()
    assert watch.sample()["lfs:processes"] == 3
    kernel.exit(stranger)
    kernel.fork(root, given_out=True)
    assert watch.sample()["lfs:processes"] == 4


def test_a_machine_at_rest_is_listed_now_and_then(kernel: Any, watch: Any, listings: list[int]) -> None:
    """Every thirty seconds processes are listed whatever the kernel's figures, and when another step begins."""
    root, other = kernel.fork(), kernel.fork()
    kernel.fork(other)
    watch.roots = {"lfs": [root]}
    for _ in range(60):
        watch.later(1.0)
        watch.sample()
    assert len(listings) == 3
    watch.roots = {"lfs": [root, other]}
    assert watch.sample()["lfs:processes"] == 3
    assert len(listings) == 4


def test_of_a_still_tree_every_second_sample_is_left_out(kernel: Any, watch: Any) -> None:
    """What begins after ten seconds of stillness is seen within two seconds, and all that follows within one."""
    root = kernel.fork()
    watch.roots = {"lfs": [root]}
    for _ in range(12):
        watch.sample()
    child = kernel.fork(root)
    assert [watch.sample()["lfs:processes"] for _ in range(2)] == [1, 2]
    kernel.fork(child)
    assert watch.sample()["lfs:processes"] == 3


def test_a_sample_that_fails_is_not_followed_by_an_old_one(
    kernel: Any, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the processes of a still tree can't be listed each sample fails, and the first one after that is new."""
    root = kernel.fork()
    watch.roots = {"lfs": [root]}
    for _ in range(13):
        watch.sample()
    with monkeypatch.context() as broken:
        broken.setattr(ProcessReader, "pids", Mock(side_effect=OSError("too many open files")))
        for _ in range(3):
            with pytest.raises(OSError, match="too many"):
                watch.sample()
    kernel.fork(root)
    assert watch.sample()["lfs:processes"] == 2


@pytest.mark.parametrize("missing", ["self/ns/pid", "sys/kernel/ns_last_pid"])
def test_in_a_container_processes_are_always_listed(
    kernel: Any, watch_over: Callable[[Any], AbstractContextManager[Any]], listings: list[int], missing: str
) -> None:
    """Where the kernel's figures are of another set of processes, or absent, each sample has a listing."""
    root = kernel.fork()
    (kernel.proc / missing).unlink()
    with watch_over(kernel) as watch:
        watch.roots = {"lfs": [root]}
        for _ in range(5):
            watch.sample()
    assert listings == [1] * 5
