"""Ninja's log: runs separated, progress while the real ninja builds, damage survived."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.ninja.plan import needed_outputs
from build_exporter.sources.ninja.source import Ninja
from build_exporter.sources.protocol import SourceError

KEY = ("ninja", "ninja")
BEGAN = 1_750_000_000.0


def row(start: float, end: float, output: str, began: float = BEGAN, command: str = "") -> str:
    """A line as ninja writes it."""
    return f"{start * 1e3:.0f}\t{end * 1e3:.0f}\t{(began + start) * 1e9:.0f}\t{output}\t{command or hash(output):}\n"


def outcome(follower: Any) -> list[tuple[object, ...]]:
    """Return the state of a journal's runs."""
    return [(run.run, run.state.name, run.end, run.steps[KEY].seconds, run.notes) for run in follower.runs()]


def test_real_logs(records: Path, follow: Callable[..., Any]) -> None:
    """LLVM's log, written again in no order, is parted into its 21 runs with every edge in one of them."""
    follower = follow(records / "ninja/NekoSekaiMoe+llvm-build.out.ninja_log")
    follower.poll(over=True)
    found = follower.runs()
    edges = [int(run.notes[0][1].split()[0]) for run in found]
    assert (len(found), sum(edges), max(edges)) == (21, 6533, 1909)
    assert max(run.steps[KEY].seconds for run in found) == pytest.approx(1628, abs=1)
    # no two runs of ninja are at work in one directory at once
    assert all(before.end < after.start for before, after in pairwise(found))
    follower.restart()
    assert follower.poll(over=True) == 0
    small = follow(records / "ninja/NekoSekaiMoe+llvm-build.bolt_rt.ninja_log", "small")
    small.poll(over=True)
    assert [run.notes[0][1].split(" edges")[0] for run in small.runs()] == ["4"]


def test_real_ninja_followed(project: Any, follow: Any, poll: Any) -> None:
    """While ninja builds, progress is that of the edges of build.ninja; the run ends soon after ninja does."""
    made = project(40)
    follower = follow(made.top)
    ninja = made.start("-j2")
    ratios: list[float] = []

    def is_done() -> bool:
        try:
            follower.poll()
        except SourceError:
            assert not ratios
        ratios.extend(run.steps[KEY].ratio or 0.0 for run in follower.runs())
        return ninja.poll() is not None

    poll(is_done, 60)
    assert ninja.returncode == 0
    assert ratios == sorted(ratios)
    assert len({ratio for ratio in ratios if 0 < ratio < 1}) >= 5
    now = time.time()
    for after in (0, 4, 8, 12):
        follower.poll(now + after)
    (run,) = follower.runs()
    assert (run.state.name, run.steps[KEY].ratio) == ("SUCCEEDED", 0.999)
    assert abs(run.start - (run.end - 1)) < 5
    # times in the log are milliseconds added to the run's start, itself known to a part of a second
    assert run.end <= now + 1.0
    assert run.notes[0][1].startswith(f"{made.edges} edges; the slowest: ")


def test_a_second_run_is_a_run_of_its_own(project: Any, follow: Any, next_second: Any) -> None:
    """Building again what has changed is another run; importing, watching and watching again give the same."""
    made = project(6)
    assert made.build() == 0
    follower = follow(made.top)
    follower.poll()
    next_second()
    (made.top / "f1.c").write_text("changed")
    assert made.build() == 0
    follower.poll()
    imported = follow(made.top / ".ninja_log", "imported")
    imported.poll(over=True)
    follower.poll(over=True)
    assert outcome(follower) == outcome(imported)
    assert [run.notes[0][1].split(" edges")[0] for run in imported.runs()] == ["7", "2"]
    follower.restart()
    assert follower.poll(over=True) == 0


def test_going_on_after_a_failure(project: Any, follow: Any, next_second: Any) -> None:
    """What failed leaves no row; the next run is measured against what was never built."""
    made = project(10)
    (made.top / "f9.c.bad").touch()
    assert made.build("-k0") != 0
    follower = follow(made.top)
    follower.poll()
    assert follower.runs()[0].steps[KEY].ratio == pytest.approx(9 / 11)
    follower.poll(over=True)
    (run,) = follower.runs()
    assert run.state.name == "INTERRUPTED"
    assert run.steps[KEY].message.startswith("2 edges of the default targets left: it failed")
    next_second()
    (made.top / "f9.c.bad").unlink()
    assert made.build() == 0
    follower.poll()
    follower.poll(over=True)
    run = follower.runs()[-1]
    assert (run.state.name, run.steps[KEY].ratio) == ("SUCCEEDED", 0.999)


def test_cmake(tmp_path: Path, follow: Any) -> None:
    """A project of CMake is counted to its end: what CMake adds for installing and testing is not awaited."""
    if not (shutil.which("cmake") and shutil.which("ninja") and shutil.which("cc")):
        pytest.skip("needs cmake, ninja and a C compiler")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.10)\nproject(p C)\nadd_library(a a.c b.c)\nadd_executable(m m.c)\n"
        "target_link_libraries(m a)\ninstall(TARGETS m)\n"
    )
    for name, text in {
        "a": "int a(void){return 0;}",
        "b": "int b(void){return 0;}",
        "m": "int main(void){return 0;}",
    }.items():
        (tmp_path / f"{name}.c").write_text(text + "\n")
    subprocess.run(["cmake", "-G", "Ninja", "-B", "build"], cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    assert Ninja.recognises(tmp_path) is False
    subprocess.run(["ninja", "-C", "build"], cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
    assert Ninja.recognises(tmp_path)
    follower = follow(tmp_path)
    follower.poll()
    assert follower.runs()[0].steps[KEY].ratio == pytest.approx(0.999)


def test_a_log_written_anew_shows_no_run_twice(tmp_path: Path, follow: Any) -> None:
    """Ninja writes its log again in another order before it continues: what was reported stays as it was reported."""
    log = tmp_path / ".ninja_log"
    rows = [row(number, number + 0.5, f"o{number}") for number in range(10)]
    later = [row(number, number + 0.4, f"p{number}", BEGAN + 1000) for number in range(5)]
    log.write_text("# ninja log v6\n" + "".join(rows) + later[0])
    follower = follow(log)
    follower.poll(BEGAN + 1001)
    assert len(follower.runs()) == 1
    fresh = tmp_path / "fresh"
    # o3 and o7 were built again since
    fresh.write_text("# ninja log v6\n" + "".join(random.sample([*rows[:3], *rows[4:7], *later], 11)))
    fresh.replace(log)
    follower.poll(BEGAN + 1006)
    with log.open("a") as file:
        file.write(row(0.2, 0.6, "o3", BEGAN + 2000) + row(0.3, 0.9, "o7", BEGAN + 2000))
    follower.poll(BEGAN + 2002)
    follower.poll(BEGAN + 2002, over=True)
    assert [run.start for run in follower.runs()] == [BEGAN + 1000, BEGAN + 2000]
    assert [run.state.name for run in follower.runs()] == ["SUCCEEDED", "SUCCEEDED"]


def test_damage_is_survived(tmp_path: Path, follow: Any) -> None:
    """Torn, garbled and endless lines, and times that can't be, leave the other rows as they are."""
    log = tmp_path / ".ninja_log"
    bad = [b"\0\xff\xfe\t1\n", b"1\t2\n", b"-5\t2\t3\tx\ty\n", b"9" * 400 + b"\t1\t1\tx\ty\n", b"5\t1\t7\tback\tz\n"]
    bad += [b"1\t2\t" + b"9" * 19 + b"\tfuture\tz\n", b"z" * 500_000 + b"\n"]
    good = row(0, 1, "a").encode()
    log.write_bytes(b"# ninja log v6\n" + b"".join(bad) + good + row(1, 2, "torn").encode()[:-9])
    follower = follow(log)
    follower.poll(BEGAN + 5)
    (run,) = follower.runs()
    assert (run.start, run.last_event) == (BEGAN, BEGAN)
    log.write_bytes(b"#!/bin/sh\n" + os.urandom(100_000))
    with pytest.raises(SourceError, match="not a log of ninja's"):
        follower.poll(BEGAN + 6)
    with log.open("wb") as file:
        file.truncate(2 << 30)
    began = time.monotonic()
    follower.poll(BEGAN + 7)
    assert time.monotonic() - began < 10
    log.unlink()
    log.symlink_to(log)
    with pytest.raises(SourceError):
        follower.poll(BEGAN + 8)


def test_edges_are_counted(tmp_path: Path) -> None:
    """Outputs with spaces, lines that continue, files that include others and themselves: each edge counts once."""
    (tmp_path / "build.ninja").write_text(
        "rule r\n  command = true\nbuild a$ b c | d: r x\nbuild $\n  e: r y\nbuild p: phony e\n"
        "build CMakeFiles/install.util: r\nsubninja sub/x.ninja\ninclude build.ninja\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/x.ninja").write_text("build C$:/f: r z\n")
    assert sorted(needed_outputs(tmp_path / "build.ninja")) == ["C:/f", "a b", "e"]
    assert needed_outputs(tmp_path / "other.ninja") == []
    with (tmp_path / "build.ninja").open("a") as file:
        file.write(
            "out = some/where\nbuild $out/g: r ${out}/h | i || p\nbuild some/where/h: r\nbuild top: phony $out/g\n"
        )
        file.write("default top\n")
    assert sorted(needed_outputs(tmp_path / "build.ninja")) == ["e", "some/where/g", "some/where/h"]


def test_served_live(project: Any, serve: Callable[..., Any], poll: Callable[..., None]) -> None:
    """An exporter beside the real ninja shows how far it is, and its end."""
    made = project(60)
    served = serve("--watch", f"ninja={made.top}")
    ninja = made.start("-j2")
    name = "ninja-project"
    poll(lambda: 0 < (served.value("build_progress_ratio", build=name) or 0) < 1 or ninja.poll() is not None, 30)
    poll(lambda: (served.value("build_step_progress_ratio", build=name) or 0) > 0, 30)
    assert ninja.wait(60) == 0
    poll(lambda: served.value("build_state", build=name, state="succeeded") == 1, 30, "the run has ended")
    assert served.value("build_step_duration_seconds", build=name, step="ninja") > 0.5


@pytest.mark.parametrize("version", [5, 6, 7])
def test_third_column_by_version(version: int, tmp_path: Path, follow: Any) -> None:
    """One build is one run, whether ninja writes down when outputs were made (to 1.11) or commands began."""
    edges = [(0.003, 0.120, "a"), (0.130, 2.210, "b"), (0.131, 5.400, "c"), (5.401, 600.0, "d"), (600.0, 600.1, "e")]
    shift = 0 if version >= 6 else 1
    rows = [row(start, end, output, BEGAN + shift * (end - start)) for start, end, output in edges]
    log = tmp_path / ".ninja_log"
    log.write_text(f"# ninja log v{version}\n")
    live = follow(log, "live")
    for line in rows:
        with log.open("a") as file:
            file.write(line)
        live.poll(BEGAN + 700)
    live.poll(BEGAN + 700, over=True)
    imported = follow(log, "imported")
    imported.poll(over=True)
    assert outcome(live) == outcome(imported)
    (run,) = imported.runs()
    assert run.start == pytest.approx(BEGAN, abs=0.001)
    assert run.end == pytest.approx(BEGAN + 600.1, abs=0.001)
    assert run.notes[0][1].startswith("5 edges; the slowest: d 594.6 s")


def test_older_ninja_continues_with_a_newer_log(tmp_path: Path, follow: Any) -> None:
    """Rows of ninja 1.11 below the first line of 1.13 are of one run, and of another than that of 1.13."""
    log = tmp_path / ".ninja_log"
    later = BEGAN + 1000
    log.write_text(
        "# ninja log v7\n"
        + row(0, 30, "a")
        + row(30, 31, "b")
        + row(0, 20, "a", later + 20)
        + row(20, 90, "b", later + 70)
        + row(90, 95, "c", later + 5)
    )
    follower = follow(log)
    follower.poll(over=True)
    assert [run.notes[0][1].split(" edges")[0] for run in follower.runs()] == ["2", "3"]


def test_edges_without_a_time_are_reported(tmp_path: Path, follow: Any) -> None:
    """`ninja install` of an old ninja leaves a row without a time: it is of another run, which a note mentions."""
    log = tmp_path / ".ninja_log"
    log.write_text(
        "# ninja log v5\n"
        + row(0.052, 20, "a.o", BEGAN + 19.948)
        + row(20, 90, "b.o", BEGAN + 70)
        + "90000\t90500\t0\tcheck.util\tf3\n2413\t38874\t0\tinstall.util\tf4\n"
    )
    follower = follow(log)
    follower.poll(over=True)
    (run,) = follower.runs()
    words = [message for _, message in run.notes]
    assert words[0].startswith("3 edges")
    assert words[1] == "edges of a run that the log has no time of are left out: 1, install.util 36.5 s"


def test_a_cut_last_row_is_not_read(tmp_path: Path, follow: Any) -> None:
    """Of a log cut within its last row the rows before are known, and no output is invented."""
    log = tmp_path / ".ninja_log"
    log.write_text("# ninja log v6\n" + row(0, 1, "a.o") + row(1, 9, "b.cpp.o")[:-4])
    follower = follow(log)
    follower.poll(over=True)
    assert follower.runs()[0].notes[0][1] == "1 edges; the slowest: a.o 1.0 s"
