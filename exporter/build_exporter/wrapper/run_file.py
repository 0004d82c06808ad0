"""Which run file a wrapped command writes to: the run around it, the build's newest, or a new one."""

from __future__ import annotations

import os
import stat
import time

from build_exporter.journal.layout import RUN_FILE_VARIABLE, SUFFIX, default_journal, newest_run, run_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.options import Options

BUILD_VARIABLE = "BUILD_EXPORTER_BUILD"
"""Name of the line of builds, set for the wrapped command beside the run file."""

_BLOCK_BYTES = 64 * 1024
_LOCK_SECONDS = 0.5
_BUILD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-")
_ONGOING = (b"build_started", b"plan", b"step_started", b"step_progress", b"step_finished")


class RunFile:
    """A run to write to.

    `begins` when a build_started event is due, `whole` when the command is the whole build and so ends the run too.
    The build is locked until `unlock()`, so that of steps started together one begins the run and the others join it.
    """

    __slots__ = ("_lock", "begins", "build", "path", "whole")

    def __init__(self, path: str, build: str, lock: int = -1, *, begins: bool = False, whole: bool = False) -> None:
        self.path = path
        self.build = build
        self.begins = begins
        self.whole = whole
        self._lock = lock

    @property
    def run(self) -> str:
        """The run's name: its file's, without the suffix."""
        return self.path.rpartition("/")[2].removesuffix(SUFFIX)

    def unlock(self) -> None:
        """Let other commands of the build find their run."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def is_build_name(name: str) -> bool:
    """Tell whether `name` may name a line of builds: the rule of `model.names`, which takes too long to load here."""
    return 0 < len(name) <= 100 and _BUILD_CHARACTERS.issuperset(name) and name.strip(".") != ""


def find_run(options: Options, now: float) -> RunFile:
    """Return the run a command belongs to at `now`, in Unix seconds; a new run's file is made, empty.

    Inside a run (`$BUILD_EXPORTER_RUN_FILE`) of the same build every command is a step of it. Else a step joins the
    build's newest run unless that has finished, and a whole build takes up the newest unless that has succeeded.

    Raises:
        OSError: the journal can't be read or written.
    """
    around = _surrounding_run()
    # the run file first: a script's be_start may have begun a run of another build since the variable was set
    build = options.build or _directory_name(around)
    if not is_build_name(build):
        build = os.environ.get(BUILD_VARIABLE, "")
    if not is_build_name(build):
        from build_exporter.model.names import build_name_from  # noqa: PLC0415 - once a build, and slow to load

        build = build_name_from(build or _directory_name(f"{os.getcwd()}/"))  # noqa: PTH109
    if around and not options.new and _directory_name(around) == build and _lies_in(around, options.journal):
        return RunFile(around, build)
    journal = os.path.abspath(options.journal or default_journal())  # noqa: PTH100
    os.makedirs(f"{journal}/{build}", exist_ok=True)  # noqa: PTH103
    whole = not (options.step or options.phase)
    lock = _lock(f"{journal}/{build}")
    try:
        path = _current(journal, build, whole=whole, new=options.new) or _make(journal, build, now)
        empty = os.stat(path).st_size == 0  # noqa: PTH116
        return RunFile(path, build, lock, begins=whole or empty, whole=whole)
    except OSError:
        if lock >= 0:
            os.close(lock)
        raise


def last_state(path: str) -> str:
    """Return how a run stands by the end of its file: `running`, the status it finished with, or "" if nothing tells.

    Raises:
        OSError: the file can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        end = os.fstat(descriptor).st_size
        rest = b""
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            lines = (os.pread(descriptor, end - start, start) + rest).split(b"\n")
            rest = lines.pop(0) if start else b""
            for line in reversed(lines):
                event = _field(line, b"event")
                if event in _ONGOING:
                    return "running"
                if event == b"build_finished":
                    return _field(line, b"status").decode("ascii", "replace")
            end = start
        return ""
    finally:
        os.close(descriptor)


def ends_torn(path: str) -> bool:
    """Tell whether a file's last line has no end, as after a crash in the middle of a write; False if unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            size = os.fstat(descriptor).st_size
            return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        finally:
            os.close(descriptor)
    except OSError:
        return False


def _surrounding_run() -> str:
    path = os.environ.get(RUN_FILE_VARIABLE, "")
    try:
        return path if path and stat.S_ISREG(os.stat(path).st_mode) else ""  # noqa: PTH116
    except OSError:
        return ""


def _directory_name(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _lies_in(path: str, journal: str) -> bool:
    # "--journal" names another place than the surrounding run's: then that run is not meant
    return not journal or os.path.realpath(f"{path}/../..") == os.path.realpath(journal)


def _current(journal: str, build: str, *, whole: bool, new: bool) -> str | None:
    newest = None if new else newest_run(journal, build)
    if newest is None:
        return None
    state = last_state(newest)
    over = state == "succeeded" if whole else state not in ("", "running")
    return None if over else newest


def _make(journal: str, build: str, now: float) -> str:
    start = int(now)
    while True:
        path = run_path(journal, build, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(start)))
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOCTTY, 0o644))
        except FileExistsError:
            # a run of the same second is there and over
            start += 1
        else:
            return path


def _lock(directory: str) -> int:
    """Return a descriptor that holds the build's lock, or -1: no file system or neighbour may hold the build up."""
    import fcntl  # noqa: PLC0415 - not needed inside a run

    descriptor = -1
    deadline = time.monotonic() + _LOCK_SECONDS
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return descriptor
                time.sleep(0.002)
            else:
                return descriptor
    except OSError:
        if descriptor >= 0:
            os.close(descriptor)
        return -1


def _field(line: bytes, name: bytes) -> bytes:
    """Return a text field of a line of JSON, empty where it has none: a key's quotes can't occur inside a text."""
    key = b'"' + name + b'"'
    position = line.find(key)
    while position >= 0:
        rest = line[position + len(key) :].lstrip()
        if rest.startswith(b":"):
            value = rest[1:].lstrip()
            return value[1:].partition(b'"')[0] if value.startswith(b'"') else b""
        position = line.find(key, position + 1)
    return b""
