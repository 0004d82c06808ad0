"""The schedule of probes: nobody waits for another, no more run at a time than may, and settings change at run time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from behaving import Listen, answering
from ports import free_port

from build_exporter.config.probes import Probe
from build_exporter.probes.prober import Prober

Poll = Callable[..., None]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def prober() -> Iterator[Callable[..., Prober]]:
    """Make probers, which end with the test."""
    made: list[Prober] = []

    def make(*probes: Probe, **options: Any) -> Prober:
        made.append(Prober(spread=0.0, **options))
        made[-1].configure(probes)
        return made[-1]

    yield make
    for each in made:
        each.stop()


def probe(name: str, target: str, kind: str = "tcp", **settings: Any) -> Probe:
    """Return a probe that is tried each second."""
    return Probe(name=name, kind=kind, target=target, **{"interval": 1.0, "timeout": 0.2, **settings})  # type: ignore[arg-type]


def test_one_that_hangs_costs_only_itself(prober: Callable[..., Prober], listen: Listen, poll: Poll) -> None:
    """With one try at a time a server that never answers still leaves the others their turn, again and again."""
    port = listen(lambda link: link.recv(1 << 20) and link.recv(1))
    hangs = probe("hangs", f"http://127.0.0.1:{port}/", "http")
    hanging, good = prober(hangs, probe("good", f"127.0.0.1:{port}"), parallel=1).states()
    poll(lambda: len(good.results) >= 2 and len(hanging.results) >= 2, 30)
    assert (set(good.outcomes), set(hanging.outcomes)) == ({"up"}, {"timeout"})
    first, second = list(good.results)[:2]
    # the interval, a tenth of it by chance, and a busy machine
    assert 0.9 <= second.at - first.at < 5


def test_a_try_that_cannot_be_woken_is_counted_and_not_repeated(
    prober: Callable[..., Prober], tmp_path: Path, listen: Listen, poll: Poll
) -> None:
    """What hangs in the kernel is a timeout at each interval, takes one thread, and is tried again once it ends."""
    pipe = tmp_path / "token"
    os.mkfifo(pipe)  # whoever opens it to read hangs until somebody writes
    url = f"http://127.0.0.1:{listen(answering(OK))}/"
    (state,) = prober(probe("a", url, "http", credentials_file=str(pipe))).states()
    poll(lambda: state.outcomes["timeout"] >= 2, 30)
    assert state.newest is not None
    assert state.newest.detail == "the try before still hangs"
    assert sum(each.name == "probe a" for each in threading.enumerate()) == 1
    with pipe.open("w"):  # the hanging one goes on, and the next finds a file
        pipe.unlink()
        pipe.write_text("token")
    poll(lambda: state.outcomes["up"] >= 1, 30, "it is tried again")


def test_no_more_run_at_a_time_than_may(prober: Callable[..., Prober], poll: Poll) -> None:
    """Five commands, two at a time: never do three overlap, and all have their turn."""
    probes = [probe(f"c{n}", "sleep 0.2", "command", interval=60.0, timeout=20.0) for n in range(5)]
    states = prober(*probes, parallel=2).states()
    poll(lambda: all(state.results for state in states), 30)
    times = [(state.results[0].at, state.results[0].at + state.results[0].seconds) for state in states]
    # 10 ms: the wall clock of the begin and the monotonic one of the duration are read one after the other
    assert max(sum(begin < at + 0.01 < end for begin, end in times) for at, _ in times) <= 2


def test_settings_change_at_run_time(prober: Callable[..., Prober], listen: Listen, poll: Poll) -> None:
    """A reload keeps the results of what stays, begins what is new, ends what is gone; the last one ends the thread."""
    stays, goes = probe("stays", f"127.0.0.1:{listen(lambda link: None)}"), probe("goes", f"127.0.0.1:{free_port()}")
    tries = prober(stays, goes)
    kept, gone = tries.states()
    poll(lambda: bool(kept.results and gone.results), 30)
    came = probe("came", f"127.0.0.1:{free_port()}")
    tries.configure([came, stays])
    assert tries.states()[1] is kept
    poll(lambda: tries.states()[0].newest is not None, 30)
    tries.configure([])
    poll(lambda: not any(each.name == "probes" for each in threading.enumerate()), what="the schedule's thread ends")
    assert tries.states() == []


def test_kinds_are_loaded_when_they_are_used() -> None:
    """An exporter without probes loads no kind and no client library, and so is as small as before."""
    loaded = "import build_exporter.cli.exporter, sys; print(*sorted(m for m in sys.modules if m.startswith({!r})))"
    names = ("build_exporter.probes.", "psycopg", "pymysql", "dns.", "sqlite3")
    command = [sys.executable, "-c", loaded.format(names)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert found == [f"build_exporter.probes.{name}" for name in ("attempt", "prober", "state")]
