"""What the figures were taken on: a figure without it shows nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PEERS = ("mtail", "prometheus-node-exporter", "prometheus", "prometheus-alertmanager")
LIBRARIES = ("build-exporter", "msgspec", "uvicorn", "starlette", "httptools", "isal", "psutil", "prometheus-client")


def describe() -> dict[str, Any]:
    """Return processor, memory, kernel, versions of Python, libraries and peers, and the load as it is now."""
    return {
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_kb": int(_field("/proc/meminfo", "MemTotal").split()[0]),
        "kernel": platform.release(),
        "python": f"{platform.python_version()} {' '.join(platform.python_build())}",
        "python_compiler": f"{platform.python_compiler()}{_optimised()}",
        "libraries": {name: _library(name) for name in LIBRARIES},
        "peers": {name: _peer(name) for name in PEERS},
        "load": os.getloadavg(),
    }


def _field(path: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", Path(path).read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    return found[1] if found else "unknown"


def _optimised() -> str:
    result = str(sysconfig.get_config_var("PY_CFLAGS_NODIST") or "") + str(
        sysconfig.get_config_var("CONFIG_ARGS") or ""
    )
    return ", profile-guided" if "profile-use" in result or "enable-optimizations" in result else ""


def _library(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _peer(name: str) -> str:
    try:
        result = subprocess.run([name, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError:
        return "not installed"
    found = re.search(r"version (\S+)", result.stdout + result.stderr)
    return found[1].rstrip(",") if found else "unknown"
