"""The machine beside emerge.log: where Portage builds, which process an emerge is, what a failed build's log says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import psutil

from build_exporter.config.section import Section, about
from build_exporter.sources.first_error import first_error
from build_exporter.sources.portage.pending import PendingFile
from build_exporter.sources.portage.session import Merge, Session
from build_exporter.sources.portage.status import StatusDirectory, figures
from build_exporter.sources.reading import read_ends

LOG_NAME: Final = "emerge.log"

RECENT_SECONDS: Final = 7 * 86400.0
"""Emerges that began longer ago are not looked for among the processes."""

BEFORE_SECONDS: Final = 15.0
"""Portage writes its first line within this after its process began."""

AFTER_SECONDS: Final = 2.0
NEW_SECONDS: Final = 60.0
GONE_SECONDS: Final = 5.0
"""What a process wrote last is read within this after it is gone."""

TAIL_BYTES: Final = 256 * 1024
MESSAGE_LENGTH: Final = 300
ERROR_LENGTH: Final = 200

_TMPDIR: Final = re.compile(r"^\s*PORTAGE_TMPDIR=[\"']?(/[^\"'#\s]*)", re.MULTILINE)
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
_DIED: Final = re.compile(r"^ \* ERROR: (\S+ failed(?: \([^)\n]*\))?):?\n(?: \*   (.*))?", re.MULTILINE)


class Options(Section, frozen=True):
    """Where files are that are elsewhere than in Gentoo's root above the log."""

    mtimedb: Annotated[str | None, about("Portage's resume list, `/var/cache/edb/mtimedb`.", "path")] = None
    pretend: Annotated[str | None, about("Output of `emerge -p`: the plan of an emerge yet to begin.", "path")] = None
    tmpdir: Annotated[str | None, about("`PORTAGE_TMPDIR`, where packages are built.", "path")] = None
    status: Annotated[str | None, about("Directory of the parallel emerges' status files.", "path")] = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where an installation keeps what is read; None where it is not known."""

    log: Path
    mtimedb: Path | None
    pretended: Path | None
    temporary: Path | None
    status: Path | None


def find_log(path: Path) -> Path:
    """Return the log that a path means: itself, or the one in a directory, or in a system's root."""
    for candidate in (path / LOG_NAME, path / "log" / LOG_NAME, path / "var/log" / LOG_NAME):
        if candidate.is_file():
            return candidate
    return path / LOG_NAME if path.is_dir() else path


def find_places(path: Path, options: Mapping[str, Any]) -> Places:
    """Return where to look for everything; options `mtimedb`, `pretend`, `tmpdir` and `status` override."""
    log = find_log(path)
    named = {name: Path(str(value)) for name, value in options.items() if value}
    absolute = log.absolute()
    is_in_place = absolute.parent.parts[-2:] == ("var", "log")
    root = absolute.parent.parent.parent if is_in_place else None
    return Places(
        log=log,
        mtimedb=named.get("mtimedb", root / "var/cache/edb/mtimedb" if root else log.parent / "mtimedb"),
        pretended=named.get("pretend"),
        temporary=named.get("tmpdir", _temporary(root) if root else None),
        status=named.get("status", root / "run/portage" if root else None),
    )


def _temporary(root: Path) -> Path:
    for settings in ("etc/portage/make.conf", "etc/make.conf"):
        try:
            found: list[str] = _TMPDIR.findall(read_ends(root / settings, 256 * 1024, 0).head)
        except OSError:
            continue
        if found:
            return root / found[-1].lstrip("/")
    return root / "var/tmp"


class Machine:
    """What is around the log: pending packages, status files, build directories, processes."""

    def __init__(self, places: Places) -> None:
        self.mtimedb = PendingFile(places.mtimedb)
        self.pretended = PendingFile(places.pretended, pretended=True)
        self._places = places
        self._status = StatusDirectory(places.status)
        self._figures: dict[str, dict[str, Any]] = {}
        self._gone_since: dict[int, float] = {}
        self._now: float | None = None

    def look(self, now: float, *, over: bool) -> None:
        """Read what has changed; nothing runs where a record is `over`."""
        self.mtimedb.look()
        self.pretended.look()
        self._now = None if over else now
        if not over:
            self._status.look()
            for snapshot in self._status.snapshots:
                self._figures.update({task.cpv: found for task in snapshot.tasks if (found := figures(task))})

    def kind_of(self, package: str) -> str:
        """Return how a package is merged by the status files, the resume list, or `emerge -p`."""
        running = self._status.task(package)
        if running is not None and running[1].binary is not None:
            return "binary" if running[1].binary else "merge"
        return self.mtimedb.kind_of(package) or self.pretended.kind_of(package)

    def start_fields(self, session: Session, merge: Merge) -> dict[str, Any]:
        """Return the path of the package's log, and the emerge's process, where it runs now."""
        now = self._now
        if now is None or not merge.started > now - RECENT_SECONDS:
            return {}
        fields: dict[str, Any] = {}
        if (log := self._build_log(merge, now)) is not None:
            fields["log"] = str(log)
        if pid := self._process(session, merge):
            fields["pid"] = pid
        return fields

    def end_fields(self, session: Session, merge: Merge, status: str) -> dict[str, Any]:
        """Return what the package used, and what its log says of its failure."""
        used = self._figures.pop(merge.package, {})
        if status != "failed":
            return used
        return used | ({"message": message} if (message := self._failure(merge)) else {})

    def is_gone(self, session: Session, now: float) -> bool:
        """Tell whether the emerge's process, seen before, is gone for some seconds."""
        if not session.pid:
            return False
        try:
            alive = psutil.Process(session.pid).create_time() == session.process_began
        except (psutil.Error, OSError):
            alive = False
        if alive:
            self._gone_since.pop(session.pid, None)
            return False
        return now - self._gone_since.setdefault(session.pid, now) >= GONE_SECONDS

    def jobs(self, session: Session) -> int | None:
        """Return how many packages an emerge builds at once by its status file."""
        found = next((self._status.task(merge.package) for merge in session.going_on), None)
        most = found[0].jobs.max if found is not None and found[0].jobs is not None else None
        return most if isinstance(most, int) and not isinstance(most, bool) and 0 < most < 10_000 else None

    def _directory(self, merge: Merge) -> Path | None:
        temporary = self._places.temporary
        return temporary / "portage" / merge.package / "temp" if temporary is not None else None

    def _build_log(self, merge: Merge, now: float) -> Path | None:
        directory = self._directory(merge)
        if directory is None or merge.phase == "binary":
            return None
        log = directory / "build.log"
        try:
            return log if log.stat().st_mtime >= merge.started - 1 else None
        except OSError:
            is_new = now - merge.started < NEW_SECONDS
            return log if is_new and directory.parent.parent.parent.is_dir() else None

    def _process(self, session: Session, merge: Merge) -> int:
        running = self._status.task(merge.package)
        if session.pid is None or (running is not None and session.pid != running[0].emerge_pid):
            pid = running[0].emerge_pid if running is not None else 0
            session.pid, session.process_began = _emerge(session.began, pid)
        return session.pid

    def _failure(self, merge: Merge) -> str:
        directory = self._directory(merge)
        if directory is None:
            return ""
        try:
            ends = read_ends(directory / "build.log", 0, TAIL_BYTES)
        except OSError:
            return ""
        return failure_message(ends.tail) if ends.changed >= merge.started - 1 else ""


def failure_message(log: str) -> str:
    """Return what a failed build's log says of it: the first error, and the phase that failed; empty where nothing."""
    text = _ESCAPES.sub("", log.replace("\r\n", "\n"))
    died = _DIED.search(text)
    error = first_error(text[: died.start() if died else len(text)].splitlines())
    parts = [error[:ERROR_LENGTH]] if error else []
    if died:
        parts.append(f"{died[1]}: {died[2].strip()}" if died[2] else died[1])
    return " — ".join(parts)[:MESSAGE_LENGTH]


def _emerge(began: float, pid: int) -> tuple[int, float]:
    """Return pid and start of the process whose first line is of `began`; zeros where it can't be told."""
    found: list[tuple[int, float]] = []
    try:
        if pid:
            return pid, psutil.Process(pid).create_time()
        for process in psutil.process_iter(["name", "create_time"]):
            created = process.info["create_time"]
            if process.info["name"] == "emerge" and created and -AFTER_SECONDS <= began - created <= BEFORE_SECONDS:
                found.append((process.pid, created))
    except (psutil.Error, OSError):
        return 0, 0.0
    return found[0] if len(found) == 1 else (0, 0.0)
