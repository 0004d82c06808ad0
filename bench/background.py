"""A writer beside the measurement: appends step progress at a steady rate, one write a line, as the hook does.

python background.py FILE RATE STEPS
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import workload

TICK_SECONDS = 0.001


def main() -> None:
    """Append until killed; a tick that came late is made up for."""
    path, rate, steps = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    names = workload.names(steps)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    began, written, total = time.monotonic(), 0, 10_000_000
    while True:
        time.sleep(TICK_SECONDS)
        due = int((time.monotonic() - began) * rate)
        for number in range(written, due):
            phase, step = names[number % steps]
            os.write(descriptor, workload.progress(phase, step, time.time(), number + 1, total))
        written = due


if __name__ == "__main__":
    main()
