"""What following a jhalfs build costs: CPU and bytes a poll, in one poll a second, while a step's log grows.

The tree has 150 logs of 29 MB together, as a real LFS build leaves; `BUILD_RECORDS` names a directory with the logs
of one, else they are made up.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figure import Figure, table
from bench.harness import workplace
from build_exporter.plan.jhalfs_makefile import read
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.protocol import Settings

STEPS = 150
BYTES = 29_000_000
BEGIN = 1.75e9
STEP_SECONDS = 40


def measure(*, quick: bool = False) -> dict[str, float]:
    """Return CPU seconds of the first poll, of a look at a growing and at a quiet log, and bytes read by each."""
    polls = 50 if quick else 2000
    with workplace() as place:
        tree = place / "jhalfs"
        running = _recorded(tree) or _made_up(tree)
        size = sum(path.stat().st_size for path in (tree / "logs").iterdir())
        with _make(tree), running.open("ab", buffering=0) as log:
            source = Jhalfs(Settings(tree))
            # stamps, and names in a directory, that came within the last moments are checked twice
            time.sleep(0.2)
            first = _cpu()
            result = len(list(source.poll(time.time())))
            first = _cpu() - first
            attached = source.bytes_read
            growing = _polls(source, polls, log)
            grown = source.bytes_read - attached
            quiet = _polls(source, polls)
    return {
        "tree_bytes": size,
        "events": result,
        "first_look_seconds": first,
        "first_look_bytes": attached,
        "growing_look_seconds": growing,
        "growing_look_bytes": grown / polls,
        "quiet_look_seconds": quiet,
    }


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the share of a core that following takes, at a poll a second, and what attaching late takes."""
    found = measure(quick=quick)
    return [
        Figure(
            key="jhalfs_follow",
            what="following a jhalfs build, 1 look/s, log growing",
            unit="ratio",
            ours=found["growing_look_seconds"],
            goal=0.01,
            detail=found,
        ),
        Figure(
            key="jhalfs_attach",
            what=f"attaching to its {found['tree_bytes'] / 1e6:.0f} MB late, CPU",
            unit="s",
            ours=found["first_look_seconds"],
            detail={"bytes_read": found["first_look_bytes"]},
        ),
    ]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _polls(source: Jhalfs, count: int, log: FileIO | None = None) -> float:
    """Return CPU seconds a poll, without those of writing."""
    line = b"gcc -DHAVE_CONFIG_H -I. -O2 -c file.c -o file.o\n" * 200
    began, now, writing = _cpu(), time.time(), 0.0
    for index in range(count):
        if log is not None:
            before = _cpu()
            log.write(line)
            writing += _cpu() - before
        list(source.poll(now + index))
    return (_cpu() - began - writing) / count


@contextlib.contextmanager
def _make(tree: Path) -> Iterator[None]:
    """Have a make at work in the tree."""
    process = subprocess.Popen(
        ["make", "-s", "-f", "-"], cwd=tree, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    os.mkfifo(tree / "wait")
    process.stdin.write("all:\n\t@read line < wait\n")
    process.stdin.close()
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _recorded(tree: Path) -> Path | None:
    """Lay out the logs of a real build; return the one that is running then, None where there are none."""
    records = Path(os.environ.get("BUILD_RECORDS", Path(__file__).resolve().parents[2] / "shared" / "records"))
    archive = next(iter(sorted((records / "jhalfs/raw-full").glob("*.tar.xz"))), None)
    if archive is None:
        return None
    tree.with_name("archive").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tree.with_name("archive")], check=True)
    (inner,) = tree.with_name("archive").iterdir()
    tree.mkdir()
    (inner / "config/Makefile").rename(tree / "Makefile")
    (inner / "makelog").rename(tree / "logs")
    targets = [step.target for step in read(tree / "Makefile").steps]
    for target in targets[:120]:
        (tree / target).touch()
    for target in targets[121:]:
        for log in (tree / "logs").glob(f"{target}*"):
            log.unlink()
    running = next((tree / "logs").glob(f"{targets[120]}*"))
    # while it runs a log has no end yet
    running.write_bytes(running.read_bytes()[:500])
    return running


def _made_up(tree: Path) -> Path:
    """Write a tree of the same size; return the running step's log."""
    (tree / "logs").mkdir(parents=True)
    targets = [f"{500 + index}-package{index}" for index in range(STEPS)]
    rules = "".join(f"{target}:\n\t@echo >logs/$@-1.0\n\t$(CMDSDIR)/chapter05/$@\n" for target in targets)
    head = "# This file is automatically generated by jhalfs\nall: mk_LUSER\n"
    (tree / "Makefile").write_text(f"{head}LUSER: {' '.join(targets)}\n{rules}")
    filler = b"checking for something... yes\n" * (BYTES // 30 // STEPS)
    for index, target in enumerate(targets):
        began = BEGIN + index * STEP_SECONDS
        date = time.strftime("%a %b %e %H:%M:%S UTC %Y", time.gmtime(began)).encode()
        log = tree / "logs" / f"{target}-1.0"
        end = b"\n\nTotalseconds: %d\n\nKB: 2000\t/\n" % (STEP_SECONDS - 2)
        log.write_bytes(date + b"\nKB: 1000\t/\n" + filler + (end if index < STEPS - 1 else b""))
        os.utime(log, (began + STEP_SECONDS - 2,) * 2)
        if index < STEPS - 1:
            (tree / target).touch()
            os.utime(tree / target, (began + STEP_SECONDS - 1,) * 2)
    return log


if __name__ == "__main__":
    print(table(figures(quick="--quick" in sys.argv)))
    print(measure(quick="--quick" in sys.argv))
