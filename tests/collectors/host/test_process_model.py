"""Process trees against a model of the kernel: any order of forks, use and ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st


class Kernel(Protocol):
    proc: Path
    uptime: float

    def fork(self, parent: int = 1, pid: int | None = None) -> int: ...
    def use(self, pid: int, ticks: int = 0, written: int = 0, pages: int | None = None) -> None: ...
    def exit(self, pid: int) -> None: ...


class Watch(Protocol):
    roots: Mapping[str, Collection[int]]
    now: float

    def later(self, seconds: float) -> None: ...
    def sample(self) -> dict[str, float]: ...


QUIET_INTERVAL = 4

OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["fork", "use", "use", "exit", "sample", "sample"]), st.integers(0, 50)), max_size=60
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
@example(operations=[("fork", 0)] * 11 + [("use", 1)])
def test_the_sum_is_exact_whoever_forks_uses_and_ends(
    kernels: Callable[[], Kernel],
    watch_over: Callable[[Kernel], AbstractContextManager[Watch]],
    operations: list[tuple[str, int]],
) -> None:
    """Looked at after each change, the counters hold every tick and byte, at the latest in the fourth sample."""
    kernel = kernels()
    with watch_over(kernel) as watch:
        change_and_compare_each_time(kernel, watch, operations)


def change_and_compare_each_time(kernel: Kernel, watch: Watch, operations: list[tuple[str, int]]) -> None:
    """Compare after each operation what is shown with what was used."""
    kernel.fork()
    root = kernel.fork()
    members, used = [root], 0
    watch.roots = {"lfs": [root]}
    for operation, number in operations:
        chosen = members[number % len(members)] if members else 0
        if operation == "fork" and chosen:
            members.append(kernel.fork(chosen))
        elif operation == "use" and chosen:
            kernel.use(chosen, number, written=number)
            used += number
        elif operation == "exit" and chosen:
            kernel.exit(chosen)
            members.remove(chosen)
        shown = watch.sample() if members or used else {}
        for _ in range(QUIET_INTERVAL - 1):
            # a process that has done nothing in ten samples is read in every fourth one
            if not shown or shown["lfs:cpu"] == used:
                break
            assert shown["lfs:cpu"] <= used
            shown = watch.sample()
        if shown:
            assert (shown["lfs:cpu"], shown["lfs:written"], shown["lfs:processes"]) == (used, used, len(members))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_the_sum_never_falls_and_never_exceeds_what_was_used(
    kernels: Callable[[], Kernel],
    watch_over: Callable[[Kernel], AbstractContextManager[Watch]],
    operations: list[tuple[str, int]],
) -> None:
    """With any number of changes between two samples nothing is counted twice and no counter goes back."""
    kernel = kernels()
    with watch_over(kernel) as watch:
        change_and_compare_at_times(kernel, watch, operations)


def change_and_compare_at_times(kernel: Kernel, watch: Watch, operations: list[tuple[str, int]]) -> None:
    """Compare what is shown with the bounds it must keep, where the operations hold a sample."""
    root = kernel.fork()
    members, used, last = [root], 0, 0.0
    watch.roots = {"lfs": [root]}
    watch.sample()
    for operation, number in operations:
        chosen = members[number % len(members)] if members else 0
        if operation == "sample":
            shown = watch.sample()["lfs:cpu"]
            assert last <= shown <= used
            last = shown
        elif operation == "fork" and chosen:
            members.append(kernel.fork(chosen))
        elif operation == "use" and chosen:
            kernel.use(chosen, number)
            used += number
        elif operation == "exit" and chosen:
            kernel.exit(chosen)
            members.remove(chosen)
