"""Process trees of a planted process table, where every end and every reuse can be had at will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from build_exporter.collectors.host.process_tree import LINGER_SECONDS


class Kernel(Protocol):
    proc: Path
    uptime: float
    alive: dict[int, dict[str, int]]

    def fork(self, parent: int = 1, pid: int | None = None, *, given_out: bool = False) -> int: ...
    def use(self, pid: int, ticks: int = 0, written: int = 0, pages: int | None = None) -> None: ...
    def exit(self, pid: int) -> None: ...
    def give_out_pid(self) -> None: ...


class Watch(Protocol):
    roots: Mapping[str, Collection[int]]
    now: float

    def later(self, seconds: float) -> None: ...
    def sample(self) -> dict[str, float]: ...


def test_a_tree_is_the_root_and_all_that_descends_from_it(kernel: Kernel, watch: Watch) -> None:
    """What else runs on the machine is not charged to the build."""
    stranger, root = kernel.fork(), kernel.fork()
    child = kernel.fork(root)
    grandchild = kernel.fork(child)
    kernel.fork(stranger)
    for pid, ticks in ((stranger, 1000), (root, 1), (child, 20), (grandchild, 300)):
        kernel.use(pid, ticks, written=ticks * 10, pages=ticks)
    watch.roots = {"lfs": [root]}
    assert watch.sample() == {
        "lfs:cpu": 321, "lfs:memory": 321, "lfs:peak": 321, "lfs:read": 6420, "lfs:written": 3210, "lfs:processes": 3,
    }  # fmt: skip


def test_children_that_end_take_nothing_with_them(kernel: Kernel, watch: Watch) -> None:
    """CPU and I/O of a thousand short compilers add up though none of them lives when it is checked."""
    root = kernel.fork()
    watch.roots = {"lfs": [root]}
    for count in range(1, 6):
        child = kernel.fork(root)
        if count % 2:
            watch.sample()
        kernel.use(child, 10, written=5)
        kernel.exit(child)
        shown = watch.sample()
        assert (shown["lfs:cpu"], shown["lfs:written"], shown["lfs:processes"]) == (10 * count, 5 * count, 1)


def test_what_no_parent_waits_for_is_kept(kernel: Kernel, watch: Watch) -> None:
    """A process whose parent was killed stays the build's, and so does what it used when it ends."""
    root = kernel.fork()
    make = kernel.fork(root)
    compiler = kernel.fork(make)
    kernel.use(make, 3)
    kernel.use(compiler, 50)
    watch.roots = {"lfs": [root]}
    watch.sample()
    kernel.exit(make)
    kernel.use(compiler, 50)
    helper = kernel.fork(compiler)
    kernel.use(helper, 7)
    assert (watch.sample()["lfs:cpu"], watch.sample()["lfs:processes"]) == (110, 3)
    kernel.exit(helper)
    kernel.exit(compiler)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"]) == (110, 1)
    kernel.use(root, 1)
    assert watch.sample()["lfs:cpu"] == 111


def test_a_counter_is_held_where_less_can_be_seen_than_before(kernel: Kernel, watch: Watch) -> None:
    """What a process used whose parent was killed just before it is lost to everyone, and no counter goes back."""
    root = kernel.fork()
    make = kernel.fork(root)
    compiler = kernel.fork(make)
    kernel.use(compiler, 50, written=500)
    watch.roots = {"lfs": [root]}
    watch.sample()
    kernel.exit(make)
    kernel.exit(compiler)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:written"], shown["lfs:read"], shown["lfs:processes"]) == (50, 500, 1000, 1)


@pytest.mark.parametrize("seen_gone", [True, False])
def test_a_strangers_pid_given_to_a_compiler_is_the_builds(kernel: Kernel, watch: Watch, seen_gone: bool) -> None:
    """Pids go round: one passed over as a stranger's is checked again after thirty seconds."""
    stranger, root = kernel.fork(), kernel.fork()
    watch.roots = {"lfs": [root]}
    assert watch.sample()["lfs:processes"] == 1
    kernel.exit(stranger)
    if seen_gone:
        watch.sample()
    kernel.fork(root, pid=stranger)
    watch.later(29.0)
    assert watch.sample()["lfs:processes"] == (2 if seen_gone else 1)
    watch.later(1.0)
    assert watch.sample()["lfs:processes"] == 2


def test_the_counter_continues_with_the_next_step(kernel: Kernel, watch: Watch) -> None:
    """A build's CPU time rises over its steps; the peak of memory is each step's own."""
    first = kernel.fork()
    kernel.use(first, 100, pages=500)
    watch.roots = {"lfs": [first]}
    watch.sample()
    kernel.use(first, 0, pages=10)
    assert (watch.sample()["lfs:memory"], watch.sample()["lfs:peak"]) == (10, 500)
    kernel.exit(first)
    second = kernel.fork()
    kernel.use(second, 5, pages=20)
    watch.roots = {"lfs": [second]}
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:peak"], shown["lfs:processes"]) == (105, 20, 1)


def test_a_shell_that_runs_step_after_step_is_not_counted_anew(kernel: Kernel, watch: Watch) -> None:
    """With the shell hook each step's root is the same shell, and its past steps are in its share."""
    shell = kernel.fork()
    for step in range(3):
        watch.roots = {"lfs": {shell: watch.now}}
        watch.sample()
        child = kernel.fork(shell)
        kernel.use(child, 40)
        kernel.exit(child)
        assert watch.sample()["lfs:cpu"] == 40 * (step + 1)
        watch.roots = {"lfs": {}}
        shown = watch.sample()
        assert (shown["lfs:cpu"], shown["lfs:processes"]) == (40 * (step + 1), 0)
        watch.later(10)


def test_what_a_root_did_long_before_its_step_is_not_the_builds(kernel: Kernel, watch: Watch) -> None:
    """A login shell that has used hours of CPU before it starts a build adds none of them."""
    shell = kernel.fork()
    kernel.use(shell, 10_000)
    watch.later(3600)
    watch.roots = {"lfs": {shell: watch.now}}
    assert watch.sample()["lfs:cpu"] == 0
    kernel.use(shell, 9)
    assert watch.sample()["lfs:cpu"] == 9


def test_a_step_attached_to_late_is_counted_whole(kernel: Kernel, watch: Watch) -> None:
    """The exporter restarted in the middle of a step still shows all the CPU the step's own process used."""
    root = kernel.fork()
    began = watch.now + 0.1
    kernel.use(root, 5000)
    watch.later(7200)
    watch.roots = {"lfs": {root: began}}
    assert watch.sample()["lfs:cpu"] == 5000


def test_a_reused_pid_is_another_process(kernel: Kernel, watch: Watch) -> None:
    """When the root has ended and its pid is given to a stranger, the stranger is not the build's."""
    root = kernel.fork()
    kernel.use(root, 30)
    watch.roots = {"lfs": [root]}
    watch.sample()
    kernel.exit(root)
    watch.later(1)
    kernel.fork(pid=root)
    kernel.use(root, 7000, pages=7000)
    kernel.use(kernel.fork(root), 7000)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"], shown["lfs:memory"]) == (30, 0, 0)


def test_a_childs_pid_reused_by_a_stranger_is_let_go(kernel: Kernel, watch: Watch) -> None:
    """A compiler that ended and whose pid another user's process got meanwhile is counted once and no longer."""
    root = kernel.fork()
    child = kernel.fork(root)
    watch.roots = {"lfs": [root]}
    watch.sample()
    kernel.use(child, 10)
    kernel.exit(child)
    watch.later(1)
    kernel.fork(pid=child)
    kernel.use(child, 5000)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"]) == (10, 1)


def test_a_pid_from_an_old_record_is_not_believed(kernel: Kernel, watch: Watch) -> None:
    """A build killed last week without a word names a pid that belongs to someone else today."""
    stranger = kernel.fork()
    watch.roots = {"lfs": {stranger: watch.now - 7 * 86400}}
    assert watch.sample() == {}
    watch.roots = {"lfs": {999_999: watch.now}}
    assert watch.sample() == {}


@pytest.mark.parametrize("on_the_host", [True, False])
def test_init_is_no_step_where_the_whole_machine_is_seen(
    kernel: Kernel, watch_over: Callable[[Kernel], AbstractContextManager[Watch]], on_the_host: bool
) -> None:
    """A step in a container shows pid 1: seen from the host that is the whole machine, in the container the build."""
    kernel.fork(0, pid=1)
    second = kernel.fork(0, pid=2)
    if on_the_host:
        stat = kernel.proc / "2/stat"
        stat.write_text(stat.read_text().replace("(2) odd (name", "kthreadd"))
    thread = kernel.fork(second)
    with watch_over(kernel) as watch:
        watch.roots = {"lfs": [1], "blfs": [thread]}
        counts = {series: value for series, value in watch.sample().items() if "processes" in series}
    assert counts == ({} if on_the_host else {"lfs:processes": 1, "blfs:processes": 1})


def test_a_stranger_passed_over_becomes_a_root_when_its_step_is_reported(kernel: Kernel, watch: Watch) -> None:
    """The step's event comes after its process was seen: the process and its children are taken in then."""
    first, second = kernel.fork(), kernel.fork()
    child = kernel.fork(second)
    watch.roots = {"lfs": [first]}
    watch.sample()
    kernel.use(child, 8)
    watch.roots = {"lfs": [first, second]}
    shown = watch.sample()
    assert (shown["lfs:processes"], shown["lfs:cpu"]) == (3, 8)


@pytest.mark.parametrize("together", [True, False])
def test_a_step_within_a_step_is_not_counted_twice(kernel: Kernel, watch: Watch, together: bool) -> None:
    """Where one step's process started another's, the build's figures hold each process once."""
    outer = kernel.fork()
    inner = kernel.fork(outer)
    kernel.use(outer, 1)
    kernel.use(inner, 20)
    if not together:
        watch.roots = {"lfs": [inner]}
        watch.sample()
    watch.roots = {"lfs": [inner, outer]}
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"]) == (21, 2)
    kernel.exit(inner)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"]) == (21, 1)


def test_a_build_within_a_build_is_in_both(kernel: Kernel, watch: Watch) -> None:
    """A build started by another's step is a part of that step as well."""
    outer = kernel.fork()
    inner = kernel.fork(outer)
    compiler = kernel.fork(inner)
    kernel.use(compiler, 6)
    watch.roots = {"lfs": [outer], "blfs": [inner]}
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["lfs:processes"]) == (6, 3)
    assert (shown["blfs:cpu"], shown["blfs:processes"]) == (6, 2)
    kernel.exit(compiler)
    watch.roots = {"lfs": [outer]}
    kernel.use(inner, 1)
    shown = watch.sample()
    assert (shown["lfs:cpu"], shown["blfs:cpu"], shown["blfs:processes"]) == (7, 6, 0)


def test_a_build_at_rest_is_forgotten(kernel: Kernel, watch: Watch) -> None:
    """Between two steps the figures stay; some minutes after the last they go, and memory with them."""
    root = kernel.fork()
    kernel.use(root, 4)
    watch.roots = {"lfs": [root]}
    watch.sample()
    kernel.exit(root)
    watch.roots = {}
    watch.later(LINGER_SECONDS - 1)
    assert watch.sample()["lfs:cpu"] == 4
    watch.later(2)
    assert watch.sample() == {}


def test_figures_that_may_not_be_read_are_absent(kernel: Kernel, watch: Watch) -> None:
    """Without I/O accounts CPU and memory are still shown, and no zero is made up."""
    root = kernel.fork()
    (kernel.proc / str(root) / "io").unlink()
    watch.roots = {"lfs": [root]}
    assert sorted(watch.sample()) == ["lfs:cpu", "lfs:memory", "lfs:peak", "lfs:processes"]


def test_a_process_that_ends_while_it_is_read_is_no_failure(kernel: Kernel, watch: Watch) -> None:
    """Directories without files, empty and cut off files are what a process table shows of those just ending."""
    root = kernel.fork()
    kernel.use(root, 2)
    watch.roots = {"lfs": [root]}
    for name, content in (("501", None), ("502", ""), ("503", "503 (cut"), ("504", "504 (cut) S 1")):
        (kernel.proc / name).mkdir()
        if content is not None:
            (kernel.proc / name / "stat").write_text(content)
    assert watch.sample()["lfs:processes"] == 1
