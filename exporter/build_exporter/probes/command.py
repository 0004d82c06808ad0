"""Kind `command`: a program of the user's ends with exit code 0."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from typing import Final

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import Attempt, ProbeError
from build_exporter.probes.state import Reason

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "TZ")
"""What a command gets of the exporter's environment, in which there may be secrets."""


def probe(settings: Probe, attempt: Attempt) -> None:
    """Run the command, without a shell, its output discarded; what it started is ended with it at the deadline.

    Raises:
        ProbeError: it does not exist, or does not end well.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, from the configuration
            shlex.split(settings.target),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ProbeError(Reason.MISSING, error.strerror or "") from None
    attempt.on_stop(lambda: os.killpg(process.pid, signal.SIGKILL) if process.returncode is None else None)
    with process:
        code = process.wait()
    attempt.left()
    if code:
        raise ProbeError(Reason.EXIT_CODE, f"exit code {code}" if code > 0 else f"signal {-code}")
