"""The directory of jhalfs as it is on disk: Makefile, settings, logs and stamps, read again only where they changed.

Makefile                       the plan
jhalfs.config                  settings
logs/502-gcc-pass1-14.2.0      a log for each step
test-logs/502-gcc-pass1-14.2.0 output of its tests
502-gcc-pass1                  empty: the step is done
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_exporter.plan.jhalfs_makefile import JhalfsMakefile, JhalfsStep, is_makefile, read
from build_exporter.sources.files import Directory, milliseconds, read_ends
from build_exporter.sources.jhalfs.log import HEAD_BYTES, TAIL_BYTES, StepLog, read_step_log
from build_exporter.sources.protocol import SourceError

SWEEP_SECONDS: Final = 60.0
"""Interval of checking every step, changed or not."""

SETTLED_SECONDS: Final = 0.05
"""A stamp this new is read again before anything is concluded."""

MAKEFILE_SECONDS: Final = 2.0
"""A Makefile changed this recently is still being written, piece by piece."""

CONFIG_BYTES: Final = 64 * 1024

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SETTING: Final = re.compile(r"^[ \t]*([A-Z][A-Z0-9_]{0,40})[ \t]*<(.{0,300})>[ \t]*$", re.MULTILINE)

Stamp = tuple[int, int, int]
"""Identity and state of a file: inode, size in bytes, mtime in ns."""


@dataclass(slots=True, eq=False)
class StepFiles:
    """Files of one step.

    Attributes:
        step: as planned.
        log: its parsed log, None without one.
        log_path: where that is.
        done: when its stamp was made, in Unix seconds; None without one.
        start: when it began, once found out.
    """

    step: JhalfsStep
    log: StepLog | None = None
    log_path: Path | None = None
    done: float | None = None
    start: float | None = None
    seen: Stamp | None = None


class JhalfsTree:
    """Reads one tree.

    Attributes:
        path: the directory of jhalfs.
        makefile: as last read.
        settings: of `jhalfs.config`, by name.
        files: what there is of each step, by target in the order of the build.
        unreadable: which logs can't be read and why, by target.
        bytes_read: how many bytes of logs were read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.makefile = JhalfsMakefile(())
        self.settings: Mapping[str, str] = {}
        self.files: dict[str, StepFiles] = {}
        self.unreadable: dict[str, str] = {}
        self.bytes_read = 0
        self._directory = Directory(path)
        self._logs = Directory(path / "logs")
        self._makefile_seen: Stamp | None = None
        self._config_seen: Stamp | None = None
        self._names: frozenset[str] = frozenset()
        self._log_names: frozenset[str] = frozenset()
        self._logs_of: dict[str, list[str]] = {}
        self._open: set[str] = set()
        self._unsettled: set[str] = set()
        self._settled = math.inf
        self._changed = False
        self._swept: float | None = None

    @property
    def is_settled(self) -> bool:
        """Whether what was read last has its times for good."""
        return not self._unsettled

    @property
    def is_stamped(self) -> bool:
        """Whether stamps have been kept; a tree that was archived may hold its logs alone."""
        if any(files.done is not None for files in self.files.values()):
            return True
        return any(name.startswith("mk_") for name in self._names)

    def poll(self, now: float, *, over: bool = False) -> bool:
        """Read what has changed; return whether a step or the plan changed.

        Args:
            now: Unix seconds; each minute every step is checked.
            over: nothing is being written any more.

        Raises:
            SourceError: there is no tree of jhalfs at the path, or it can't be read.
        """
        try:
            changed = self._read_makefile(now) | self._read_settings_file()
            suspects = self._suspects(now)
        except OSError as error:
            raise SourceError(f"{error.filename or self.path}: {error.strerror}") from None
        self._settled = math.inf if over else now - SETTLED_SECONDS
        self._unsettled.clear()
        for target in suspects:
            files = self.files.get(target)
            if files is not None and self._read_step(files):
                changed = True
        self._changed = self._changed or changed
        if self._unsettled:
            # what came after it would be judged without it
            return False
        changed, self._changed = self._changed, False
        return changed

    def keep_open(self, targets: Iterable[str]) -> None:
        """Check these steps on every poll: they run, or may start without a new name."""
        self._open = set(targets)

    def step_logs(self, target: str) -> list[Path]:
        """Return the paths of a step's log and of its test log, those that there are."""
        files = self.files.get(target)
        if files is None or files.log_path is None:
            return []
        return [path for path in (files.log_path, self._test_log(files.log_path)) if path.is_file()]

    def paths_of(self, files: StepFiles) -> list[Path]:
        """Return where a step's log, test log and stamp are, or would be."""
        logs = [] if files.log_path is None else [files.log_path, self._test_log(files.log_path)]
        return [*logs, self.path / files.step.target]

    def last_write(self, files: StepFiles) -> float | None:
        """Return when a step's log or test log was written to last, in Unix seconds; None without a log."""
        if files.log is None or files.log_path is None:
            return None
        try:
            tested = milliseconds(self._test_log(files.log_path).stat().st_mtime_ns)
        except OSError:
            return files.log.changed
        return max(files.log.changed, tested)

    def _test_log(self, log_path: Path) -> Path:
        return self.path / "test-logs" / log_path.name

    def _read_makefile(self, now: float) -> bool:
        path = self.path / "Makefile"
        stamp = _stamp(path)
        if stamp is None:
            self.path.stat()
            raise SourceError(f"{self.path}: no Makefile of jhalfs")
        being_written = self.files and 0 <= now - stamp[2] / 1e9 < MAKEFILE_SECONDS
        if stamp == self._makefile_seen or being_written:
            return False
        try:
            self.makefile = read(path)
        except ValueError as error:
            raise SourceError(f"{path}: {error}") from None
        self._makefile_seen = stamp
        old, self.files = self.files, {}
        for step in self.makefile.steps:
            files = self.files[step.target] = old.get(step.target) or StepFiles(step)
            files.step = step
        self._log_names, self._swept = frozenset(), None
        return True

    def _read_settings_file(self) -> bool:
        path = self.path / "jhalfs.config"
        if not path.exists():
            # an archive of a run may have its report alone, which shows the same settings
            path = max(self.path.glob("*-SBU_DU-*.report"), default=path)
        stamp = _stamp(path)
        if stamp == self._config_seen:
            return False
        self._config_seen, self.settings = stamp, read_settings(path)
        return True

    def _suspects(self, now: float) -> Iterable[str]:
        """Return the steps to check: open ones, and those whose stamp or log appeared or vanished."""
        names, log_names = self._names, self._log_names
        self._directory.poll()
        self._names = self._directory.names
        try:
            self._logs.poll()
            self._log_names = self._logs.names
        except FileNotFoundError:
            self._log_names = frozenset()
        if self._log_names is not log_names:
            self._logs_of = self._assign(self._log_names)
        if self._swept is None or not 0 <= now - self._swept < SWEEP_SECONDS:
            self._swept = now
            return self.files
        suspects = self._open | self._unsettled
        if self._names is not names:
            suspects |= self._names ^ names
        if self._log_names is not log_names:
            suspects |= self._assign(self._log_names ^ log_names).keys()
        return suspects

    def _assign(self, log_names: Iterable[str]) -> dict[str, list[str]]:
        """Return the logs of each step: the one that the Makefile names, or of another version of the package."""
        exact = {files.step.log: target for target, files in self.files.items()}
        found: dict[str, list[str]] = {}
        for name in log_names:
            target = exact.get(name) or self._target_of(name)
            if target is not None:
                found.setdefault(target, []).append(name)
        return found

    def _target_of(self, log_name: str) -> str | None:
        fitting = [target for target in self.files if log_name.startswith(f"{target}-")]
        return max(fitting, key=len, default=None)

    def _read_step(self, files: StepFiles) -> bool:
        """Update a step; return whether more changed than the log's size."""
        target = files.step.target
        stamp = _stamp(self.path / target) if target in self._names else None
        done = None if stamp is None else milliseconds(stamp[2])
        if done is not None and self._settled < done <= self._settled + SETTLED_SECONDS:
            # touch makes a file and sets its time after that: what is this new may not have its time yet
            self._unsettled.add(target)
        changed = done != files.done
        files.done = done
        path, seen = self._log_of(files)
        if path is None:
            # a removed log has been read already
            self.unreadable.pop(target, None)
            return changed
        if seen == files.seen and target not in self.unreadable:
            return changed
        return self._read_log(files, path, seen) or changed

    def _log_of(self, files: StepFiles) -> tuple[Path | None, Stamp | None]:
        names = self._logs_of.get(files.step.target, [])
        if files.step.log in names:
            names = [files.step.log]
        found = [(stamp[2], path, stamp) for path in (self._logs.path / n for n in names) if (stamp := _stamp(path))]
        return max(found)[1:] if found else (None, None)

    def _read_log(self, files: StepFiles, path: Path, seen: Stamp | None) -> bool:
        before, files.seen = files.log, seen
        try:
            files.log, files.log_path = read_step_log(path), path
        except OSError as error:
            self.unreadable[files.step.target] = f"{path}: {error.strerror or error}"
            return False
        self.unreadable.pop(files.step.target, None)
        self.bytes_read += min(files.log.size, HEAD_BYTES + TAIL_BYTES)
        if before is not None and (before.began, before.seconds) == (files.log.began, files.log.seconds):
            return False
        if before is None or before.began != files.log.began:
            files.start = None
        return True


def locate(path: Path) -> Path:
    """Return the directory of jhalfs that a path means: itself, the one of a Makefile, or `jhalfs` in it."""
    if path.name == "Makefile" and path.is_file():
        return path.parent
    return path / "jhalfs" if is_makefile(path / "jhalfs" / "Makefile") and not is_makefile(path / "Makefile") else path


def read_settings(path: Path) -> dict[str, str]:
    """Return the settings that `jhalfs.config` shows, with the colours that it has for a terminal; empty without it."""
    try:
        text = read_ends(path, CONFIG_BYTES, 0).head
    except OSError:
        return {}
    return parse_settings(text)


def parse_settings(text: str) -> dict[str, str]:
    """Return the settings in a text that shows them as jhalfs does, a name and `<value>` a line."""
    return dict(_SETTING.findall(_ESCAPES.sub("", text)))


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - each second
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
