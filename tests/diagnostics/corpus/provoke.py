"""Make the corpus: run every scenario with the real tools of this machine and keep what they print.

    python tests/diagnostics/corpus/provoke.py [NAME…]

Needs root for the small file systems. Where a tool is missing the log that is there stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scenarios import SCENARIOS, Scenario

LOGS = Path(__file__).parent / "logs"
LONGEST_SECONDS = 120


def provoked(scenario: Scenario) -> str:
    """Return what a scenario prints, with the names of this machine's places replaced."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "LC_ALL": scenario.locale,
            "LANGUAGE": "",
            "TERM": "dumb",
        }
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{scenario.script}"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    text = done.stdout.decode("utf-8", "replace").replace(directory, "/build")
    return re.sub(rf"{re.escape(os.environ['HOME'])}/|/tmp/tmp\w+/", "/home/user/", text)


def main() -> int:
    """Write the logs asked for, or all."""
    for scenario in SCENARIOS:
        if sys.argv[1:] and scenario.name not in sys.argv[1:]:
            continue
        text = provoked(scenario)
        (LOGS / f"{scenario.name}.log").write_text(text, encoding="utf-8")
        print(f"{scenario.name}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
