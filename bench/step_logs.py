"""Bytes of step logs read a CPU-second, with tests, warnings and progress on, beside `grep -c -E` and mtail.

Where a step fails the end of its log is read closely for the reason, once: that takes `reason_milliseconds`.

`BUILD_RECORDS` names a directory with the logs of an LFS build, else they are made up. With `BASELINE`, the top folder
of another version of this repository, that one is measured beside it in the same run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figure import Figure, table
from bench.harness import workplace
from bench.sources_jhalfs import _made_up, _recorded

WORDS = "warning: |error: |PASS: |FAIL: |=== .* Summary|tests passed|Testsuite summary|not ok |^FAILED|Traceback"
ROUNDS = 5
MTAIL = f"counter found\n/{WORDS}/ {{\n  found++\n}}\n"
READ = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(sys.argv[4:]))
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


REASON = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from build_exporter.diagnostics.diagnosis import diagnose
from build_exporter.sources.files import read_ends
from build_exporter.sources.step_logs.watcher import REASON_BYTES
largest = max(Path(sys.argv[2]).iterdir(), key=lambda path: path.stat().st_size)
best = 1e9
for _ in range(int(sys.argv[3])):
    began = time.process_time()
    diagnose(read_ends(largest, 0, REASON_BYTES).tail.splitlines())
    best = min(best, time.process_time() - began)
print(best)
"""


def python_seconds(program: str, exporter: Path, logs: Path, rounds: int, *without: str) -> float:
    """Return the least CPU seconds in which a version does something with the logs, without some libraries."""
    command = [sys.executable, "-c", program, str(exporter), str(logs), str(rounds), *without]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def command_seconds(command: Sequence[str]) -> float:
    """Return the CPU seconds of a command that searches all logs for `WORDS`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
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
        ours = megabytes / python_seconds(READ, here, logs, rounds)
        detail = {
            "megabytes": round(megabytes, 1),
            "without_hyperscan": round(megabytes / python_seconds(READ, here, logs, rounds, "hyperscan")),
            "without_either": round(megabytes / python_seconds(READ, here, logs, 1, "hyperscan", "ahocorasick_rs")),
            "reason_milliseconds": round(1000 * python_seconds(REASON, here, logs, rounds)),
        }
        grep = megabytes / max(command_seconds(["grep", "-c", "-E", "-r", WORDS, str(logs)]), 1e-6)
        detail["grep"] = round(grep)
        if shutil.which("mtail"):
            (place / "words.mtail").write_text(MTAIL)
            searched = ["mtail", "--one_shot", "--progs", str(place / "words.mtail"), "--logs", f"{logs}/*"]
            detail["mtail"] = round(megabytes / command_seconds(searched), 1)
        before = megabytes / python_seconds(READ, Path(baseline) / "exporter", logs, 1) if baseline else None
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
            detail=detail,
        )
    ]


if __name__ == "__main__":
    print(table(figures(quick="--quick" in sys.argv)))
