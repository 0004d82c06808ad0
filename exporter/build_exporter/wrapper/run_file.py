"""Choose a wrapped command's run file: the surrounding run, the build's newest, or a new one."""

from __future__ import annotations

import os
import stat

from build_exporter.journal.current import lock_build, make_run, unfinished_run
from build_exporter.journal.layout import RUN_FILE_VARIABLE, SUFFIX, default_journal
from build_exporter.wrapper.names import is_build_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from build_exporter.wrapper.options import Options

BUILD_VARIABLE = "BUILD_EXPORTER_BUILD"
"""Name of the line of builds, set for the wrapped command beside the run file."""


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
    lock = lock_build(f"{journal}/{build}")
    try:
        unfinished = None if options.new else unfinished_run(journal, build, resume=whole)
        path = unfinished or make_run(journal, build, now)
        empty = os.stat(path).st_size == 0  # noqa: PTH116
        return RunFile(path, build, lock, begins=whole or empty, whole=whole)
    except OSError:
        if lock >= 0:
            os.close(lock)
        raise


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
