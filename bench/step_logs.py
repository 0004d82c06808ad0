"""Bytes of step logs read a CPU-second, with reasons, tests, warnings and progress all on, beside `grep -c -E`.

`BUILD_RECORDS` names a directory with the logs of an LFS build, else they are made up. With `BASELINE`, the top folder
of another version of this repository, that one is measured beside it in the same run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figure import Figure, table
from bench.harness import workplace
from bench.sources_jhalfs import _made_up, _recorded

WORDS = "warning: |error: |PASS: |FAIL: |=== .* Summary|tests passed|Testsuite summary|not ok |^FAILED|Traceback"
ROUNDS = 5
READ = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
try:
    from build_exporter.sources.step_logs.attempt_logs import AttemptLogs
    from build_exporter.sources.step_logs.watcher import new_readers
except ImportError:
    from build_exporter.sources.inside.logs import AttemptLogs
    from build_exporter.sources.inside.watch import new_readers
paths = [path for path in Path(sys.argv[2]).iterdir() if path.is_file()]
best = 1e9
for _ in range(int(sys.argv[3])):
    began = time.process_time()
    for path in paths:
        AttemptLogs(new_readers, path, "s", None).read(lambda _: True, over=True)
    best = min(best, time.process_time() - began)
print(best)
"""


def reader_seconds(exporter: Path, logs: Path, rounds: int) -> float:
    """Return the least CPU seconds in which a version's reader reads all logs once."""
    command = [sys.executable, "-c", READ, str(exporter), str(logs), str(rounds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def grep_seconds(logs: Path) -> float:
    """Return the CPU seconds of `grep -c -E` over all logs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["grep", "-c", "-E", "-r", WORDS, str(logs)], stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def figures(*, quick: bool = False) -> list[Figure]:
    """Return the figures."""
    rounds = 1 if quick else ROUNDS
    here = Path(__file__).resolve().parent.parent / "exporter"
    baseline = os.environ.get("BASELINE")
    with workplace() as place:
        tree = place / "jhalfs"
        if _recorded(tree) is None:
            _made_up(tree)
        logs = tree / "logs"
        megabytes = sum(path.stat().st_size for path in logs.iterdir()) / 1e6
        ours = megabytes / reader_seconds(here, logs, rounds)
        grep = megabytes / max(grep_seconds(logs), 1e-6)
        before = megabytes / reader_seconds(Path(baseline) / "exporter", logs, 1) if baseline else None
    return [
        Figure(
            "step_logs",
            "Step logs read a CPU-second: reasons, tests, warnings, progress",
            "MB",
            ours,
            higher_is_better=True,
            peer="the version in BASELINE" if before is not None else "grep -c -E",
            peer_value=before if before is not None else grep,
            goal=300.0,
            goal_ratio=10.0 if before is not None else None,
            detail={"megabytes": round(megabytes, 1), "grep_megabytes_per_second": round(grep)},
        )
    ]


if __name__ == "__main__":
    print(table(figures(quick="--quick" in sys.argv)))
