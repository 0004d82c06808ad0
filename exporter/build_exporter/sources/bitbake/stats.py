"""BitBake's buildstats: a directory for each build, a file for each task that was run."""

from __future__ import annotations

import errno
import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from build_exporter.sources.files import Directory, open_regular, read_ends
from build_exporter.sources.lines import decoded

Key = tuple[str, str]
"""Task (`do_compile`) and recipe (`zlib-1.3.1-r0`): phase and step."""

STATS_NAME: Final = "build_stats"
HEARTBEAT_NAMES: Final = ("reduced_proc_stat.log", "proc_stat.log", "monitor_disk.log")
SETSCENE: Final = "_setscene"

MAX_FILE_BYTES: Final = 16 * 1024
EARLIEST: Final = 946684800.0
"""Start of the year 2000: what seems older is damage, or a machine whose clock was never set."""

MAX_RECIPES: Final = 20_000
MAX_TASKS: Final = 200
"""Recipes of a build, and tasks of a recipe: several times the largest known."""

_TASK_NAME: Final = re.compile(r"do_[A-Za-z0-9_.+-]{1,120}\Z")
_FIELD: Final = re.compile(r"^([A-Z][A-Za-z_ ]*?|[a-z]+ \w+|Child rusage \w+): +(\S.*?) *$", re.MULTILINE)
_FAILED_AT: Final = re.compile(r"^Failed at: (\S+) at task: (\S+)", re.MULTILINE)
_DENIALS: Final = (errno.EACCES, errno.EPERM, errno.EIO)
_BEAT: Final = re.compile(r"\n\n(\d{9,10})\n")


@dataclass(frozen=True, slots=True)
class Task:
    """One task from its file: Unix seconds, `end` and `status` None while it runs, what it used."""

    key: Key
    start: float
    end: float | None = None
    status: Literal["succeeded", "failed"] | None = None
    used: dict[str, Any] = field(default_factory=dict)


def read_task(key: Key, text: str, latest: float = math.inf) -> Task | None:
    """Return a task from its file; None without a start, or with one after `latest` (Unix seconds)."""
    fields = {found[1]: found[2] for found in _FIELD.finditer(text)}
    start = _number(fields.get("Started"))
    if start is None or not EARLIEST <= start <= latest:
        return None
    end, status = _number(fields.get("Ended")), fields.get("Status")
    if end is None or not EARLIEST <= end <= latest or status not in ("PASSED", "FAILED"):
        return Task(key, round(start, 3))
    # where the clock was set back meanwhile it took 0 s: how long is not known
    end = max(start, end)
    return Task(key, round(start, 3), round(end, 3), "succeeded" if status == "PASSED" else "failed", _used(fields))


def _used(fields: dict[str, str]) -> dict[str, Any]:
    """Return CPU time, memory and I/O of the task's process and of what it has run, as fields of its end."""
    seconds = [
        _number(fields.get(f"{who} ru_{kind}")) for who in ("rusage", "Child rusage") for kind in ("utime", "stime")
    ]
    kilobytes = [_number(fields.get(f"{who} ru_maxrss")) or 0.0 for who in ("rusage", "Child rusage")]
    read, written = _number(fields.get("IO read_bytes")), _number(fields.get("IO write_bytes"))
    found: dict[str, float | int | None] = {
        "cpu_seconds": round(sum(each for each in seconds if each is not None), 6) if any(seconds) else None,
        "max_rss_bytes": int(max(kilobytes) * 1024) or None,
        "read_bytes": int(read) if read is not None else None,
        "written_bytes": int(written) if written is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").removesuffix(" seconds"))
    except ValueError:
        return None
    return value if 0 <= value < 1e14 else None


class BuildStats:
    """One build's directory, followed.

    Attributes:
        path: the directory.
        started: when the build began in Unix seconds, None while unknown.
        ended: when BitBake said it was over, None before.
        failed: the tasks it says failed.
        tasks: the tasks known, newest state.
        bytes_read: how much was read of its files.
        denied: what may not be read, and why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: float | None = None
        self.ended: float | None = None
        self.failed: set[Key] = set()
        self.tasks: dict[Key, Task] = {}
        self.bytes_read = 0
        self.denied: dict[Path, str] = {}
        self._top = Directory(path)
        self._recipes: dict[str, Directory] = {}
        self._open: dict[Key, Path] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}

    def poll(self, latest: float = math.inf) -> list[Task]:
        """Return the tasks that were begun or have ended since the last poll, and not after `latest`.

        Raises:
            OSError: the directory can't be read.
        """
        for name in sorted(self._top.poll()):
            if name not in (STATS_NAME, *HEARTBEAT_NAMES) and len(self._recipes) < MAX_RECIPES:
                self._recipes[name] = Directory(self.path / name)
        self._find_tasks()
        self._read_stats()
        return self._read_tasks(latest)

    def newest(self) -> float:
        """Return the time of the newest sign of life in the files, in Unix seconds."""
        times = [task.start if task.end is None else task.end for task in self.tasks.values()]
        newest = max(times, default=self.started or 0.0)
        if self.ended is None:
            for name in HEARTBEAT_NAMES:
                with suppress(OSError):
                    ends = read_ends(self.path / name, 0, 4096, follow_links=False)
                    beats = [float(found) for found in _BEAT.findall(ends.tail)]
                    newest = max([newest, *(beat for beat in beats if beat <= ends.changed + 1)])
        return newest

    def touched(self) -> tuple[float, bool]:
        """Return when its files were last written to, and whether BitBake writes to one of them at each heartbeat."""
        times: list[tuple[float, bool]] = []
        for name in (STATS_NAME, *HEARTBEAT_NAMES):
            with suppress(OSError):
                times.append(((self.path / name).stat().st_mtime, name in HEARTBEAT_NAMES))
        for path in self._open.values():
            with suppress(OSError):
                times.append((path.stat().st_mtime, False))
        return max((time for time, _ in times), default=0.0), any(beats for _, beats in times)

    def _find_tasks(self) -> None:
        for name, directory in list(self._recipes.items()):
            try:
                came = directory.poll()
            except NotADirectoryError:
                del self._recipes[name]
                continue
            except OSError as error:
                self._deny(directory.path, error)
                continue
            self.denied.pop(directory.path, None)
            if len(directory.names) > MAX_TASKS:
                continue
            for task in came:
                if _TASK_NAME.match(task):
                    self._open[task, name] = directory.path / task

    def _read_tasks(self, latest: float) -> list[Task]:
        changed: list[Task] = []
        for key, path in list(self._open.items()):
            text = self._text(path)
            task = read_task((_clean(key[0]), _clean(key[1])), text, latest) if text is not None else None
            if task is None:
                continue
            if self.tasks.get(task.key) != task:
                self.tasks[task.key] = task
                changed.append(task)
            if task.end is not None:
                del self._open[key]
                self._stamps.pop(path, None)
        return changed

    def _read_stats(self) -> None:
        text = self._text(self.path / STATS_NAME)
        if text is None:
            return
        fields = {found[1]: found[2] for found in _FIELD.finditer(text)}
        started, elapsed = _number(fields.get("Build Started")), _number(fields.get("Elapsed time"))
        if started is not None:
            self.started = round(started, 3)
            self.ended = round(started + elapsed, 3) if elapsed is not None else None
        self.failed = {(_clean(task), _clean(recipe)) for recipe, task in _FAILED_AT.findall(text)}

    def _text(self, path: Path) -> str | None:
        """Return a file's text where it has changed since it was read last."""
        try:
            descriptor = open_regular(path, follow_links=False)
        except OSError as error:
            self._deny(path, error)
            return None
        self.denied.pop(path, None)
        try:
            found = os.fstat(descriptor)
            stamp = (found.st_mtime_ns, found.st_size)
            if self._stamps.get(path) == stamp:
                return None
            data = os.pread(descriptor, MAX_FILE_BYTES, 0)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        self._stamps[path] = stamp
        self.bytes_read += len(data)
        return decoded(data[: data.rfind(b"\n") + 1])

    def _deny(self, path: Path, error: OSError) -> None:
        """Keep what is there and may not be read; what is none of BitBake's is of no matter."""
        if error.errno in _DENIALS:
            self.denied[path] = str(error.strerror)


def _clean(name: str) -> str:
    """Return a file's name as text that can be written, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "replace")
