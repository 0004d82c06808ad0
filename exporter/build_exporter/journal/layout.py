"""The location of a journal and the names of its files: `JOURNAL/<build>/<run>.jsonl`.

Kept to what `os` gives, because the step wrapper loads it before the wrapped command may start.
"""

from __future__ import annotations

import os

SUFFIX = ".jsonl"
JOURNAL_VARIABLE = "BUILD_EXPORTER_JOURNAL"
SYSTEM_JOURNAL = "/var/lib/build-exporter/journal"
"""Root's journal where the environment names none."""
RUN_FILE_VARIABLE = "BUILD_EXPORTER_RUN_FILE"
"""Set by the hook and by the wrapper for their children: the run file that nested steps join."""


def default_journal() -> str:
    """Return the journal directory: the environment's, else the system's for root, else the user's state directory."""
    named = os.environ.get(JOURNAL_VARIABLE)
    if named:
        return named
    if os.geteuid() == 0:
        return SYSTEM_JOURNAL
    # "~" expands without HOME too, by the password database
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return f"{state}/build-exporter/journal"


def pid_namespace() -> str | None:
    """Return where process ids of this process mean what they do, `BOOT/NUMBER`; None where that can't be found out.

    Every machine's first namespace has the same number, and every container the machine's boot: together they are one.
    """
    try:
        number = os.readlink("/proc/self/ns/pid").strip("pid:[]")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{number}"
    except OSError:
        return None


def run_path(journal: str, build: str, run: str) -> str:
    """Return the path of a run's file."""
    return f"{journal}/{build}/{run}{SUFFIX}"


def runs(journal: str, build: str) -> list[str]:
    """Return the names of a build's runs, oldest first; empty where there is none or the directory can't be read."""
    try:
        names = os.listdir(f"{journal}/{build}")
    except OSError:
        return []
    return sorted(name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX) and _is_run(name[: -len(SUFFIX)]))


def _is_run(name: str) -> bool:
    # `model.names.is_run_name` without the regular expressions that a step's start would wait for
    digits = name[:8] + name[9:15]
    return len(name) == 16 and name[8] == "T" and name[15] == "Z" and digits.isascii() and digits.isdigit()


def builds(journal: str) -> list[str]:
    """Return the names of the builds that have a directory in the journal, sorted; empty where it can't be read."""
    try:
        with os.scandir(journal) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_directory(entry))
    except OSError:
        return []


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # a link in a circle is no build, and must not cost the others
        return False


def newest_run(journal: str, build: str) -> str | None:
    """Return the path of a build's newest run file, None where it has none."""
    found = runs(journal, build)
    return run_path(journal, build, found[-1]) if found else None
