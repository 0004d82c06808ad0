"""Passwords and tokens of probes, read anew for each try."""

from __future__ import annotations

import os
from pathlib import Path

from build_exporter.config.probes import Probe
from build_exporter.probes.attempt import ProbeError
from build_exporter.probes.state import Reason


def password(settings: Probe) -> str:
    """Return the password that a probe's file or environment variable holds at the moment, empty without one.

    Raises:
        ProbeError: it can't be read.
    """
    if settings.password_file is not None:
        return read_secret(settings.password_file)
    if settings.password_env is not None:
        if settings.password_env not in os.environ:
            raise ProbeError(Reason.MISSING, "the environment variable of the password is not set")
        return os.environ[settings.password_env]
    return ""


def read_secret(path: str) -> str:
    """Return the text of a secret's file without white space around it.

    Raises:
        ProbeError: it can't be read.
    """
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeError):
        raise ProbeError(Reason.MISSING, "the file of the credential cannot be read") from None
