"""`build-exporter watch`: the board of the builds in a terminal, kept up to date."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from build_exporter.cli.options import is_default_journal, recorded_journal_option
from build_exporter.cli.output import stop
from build_exporter.cli.query_http import PROBE_SECONDS, UnreachableError, get
from build_exporter.cli.query_source import DEFAULT_EXPORTER
from build_exporter.estimate import Estimator
from build_exporter.failures.step_log import Cards
from build_exporter.journal.layout import pid_namespace
from build_exporter.liveness import mark_writer
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import nearest_names
from build_exporter.monitor import Monitor
from build_exporter.queries.build import Glance, glance
from build_exporter.queries.builds import Builds, builds
from build_exporter.queries.context import Context, NotFoundError
from build_exporter.summary import rank

if TYPE_CHECKING:
    from rich.console import Console

    from build_exporter.cli.watch_screen import Line

    Drawn = tuple[list[Line], list[str], str | None]
    """A frame, the names of all builds, and the one that is shown."""

T = TypeVar("T")
View = tuple[Builds, Glance | None]


class ExporterBoards:
    """Boards of a running exporter."""

    def __init__(self, url: str) -> None:
        self.source = f"exporter {url}"
        self._url = url.rstrip("/")

    def read(self, build: str | None) -> View:
        """Return all builds and the board of one: by its name, else of the most urgent.

        Raises:
            UnreachableError: the exporter does not answer.
            NotFoundError: there is no such build.
        """
        found = self._get("builds", Builds)
        name = _chosen(found, build)
        return found, self._get(f"builds/{name}", Glance) if name is not None else None

    def _get(self, path: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(get(f"{self._url}/api/v1/{path}", PROBE_SECONDS), type=kind)
        except msgspec.MsgspecError:
            raise UnreachableError(f"{self._url} is no build-exporter of this version") from None


class JournalBoards:
    """Boards computed from a journal, where no exporter answers."""

    def __init__(self, journal: str) -> None:
        self.source = f"journal {journal}"
        self._monitor = Monitor(journal)
        self._cards = Cards(journal)
        self._estimator = Estimator(self._monitor.tracker.builds)

    def read(self, build: str | None) -> View:
        """Return all builds and the board of one, as `ExporterBoards.read` does."""
        self._monitor.poll()
        for _ in self._monitor.read_history():
            pass
        here = pid_namespace()
        for run in self._monitor.newest_runs():
            mark_writer(run, here)
        context = Context(
            self._monitor.tracker.builds, time.time(), estimate=self._estimator,
            expected=self._estimator.expected_seconds, card=self._cards, journal=self._monitor.follower.root,
        )  # fmt: skip
        found = builds(context)
        name = _chosen(found, build)
        return found, glance(context, name) if name is not None else None


class Boards:
    """Reads from the exporter while it answers, else from the journal; goes back when it answers again."""

    def __init__(self, journal: str, exporter: str | None) -> None:
        self._exporter = ExporterBoards(exporter) if exporter is not None else None
        self._journal_path = journal
        self._journal: JournalBoards | None = None
        self.source = ""

    def read(self, build: str | None) -> View:
        """Return all builds and the board of one.

        Raises:
            NotFoundError: there is no such build.
        """
        if self._exporter is not None:
            try:
                view = self._exporter.read(build)
            except UnreachableError:
                pass
            else:
                self.source = self._exporter.source
                return view
        if self._journal is None:
            self._journal = JournalBoards(self._journal_path)
        self.source = self._journal.source
        return self._journal.read(build)


@click.command()
@recorded_journal_option
@click.option("--exporter", metavar="URL", help=f"A running exporter's address. Default: {DEFAULT_EXPORTER}.")
@click.option("--build", metavar="NAME", help="Begin with this build. Default: the first of `status`.")
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds a frame.")
@click.option("--once", is_flag=True, help="Print one frame and end; so it is without a terminal.")
def watch(journal: str, exporter: str | None, build: str | None, interval: float, once: bool) -> None:
    """Draw the builds in the terminal: progress, time left, running steps, failures; works over ssh.

    Asks a running exporter, and reads the journal itself where none answers; one named by --exporter must answer at
    first. Keys: q ends, n and p show the next and
    the previous build, Ctrl-L writes the whole screen again. NO_COLOR is respected.

    \b
    Example:
      build-exporter watch --build lfs-12.4
    """
    configure_logging("error", "logfmt")
    boards = Boards(journal, exporter or (DEFAULT_EXPORTER if is_default_journal() else None))
    try:
        if exporter is not None:
            # one that was named is what the user wants to see; later its journal may stand in
            ExporterBoards(exporter).read(build)
        boards.read(build)
    except (NotFoundError, UnreachableError) as error:
        stop("watch", str(error))
    from rich.console import Console  # noqa: PLC0415 - slow to load

    from build_exporter.cli.watch_frame import frame  # noqa: PLC0415
    from build_exporter.cli.watch_host import host_line  # noqa: PLC0415
    from build_exporter.cli.watch_screen import rendered  # noqa: PLC0415

    def draw(name: str | None) -> Drawn:
        found, shown = boards.read(name)
        names = [row.build for row in found.builds]
        picture = frame(found, shown, boards.source, console.size, host_line(journal, exporter))
        return picture, names, shown.build if shown is not None else None

    console = Console(highlight=False)
    if once or not (sys.stdout.isatty() and sys.stdin.isatty()) or console.is_dumb_terminal:
        for line in draw(build)[0]:
            console.file.write(rendered(line, console).rstrip(" ") + "\n")
    else:
        _follow(console, draw, build, interval)


def _follow(
    console: Console,
    draw: Callable[[str | None], Drawn],
    build: str | None,
    interval: float,
) -> None:
    from build_exporter.cli.watch_screen import Screen  # noqa: PLC0415

    screen = Screen(console)
    with _keys() as pressed, console.screen():
        while True:
            try:
                lines, names, shown = draw(build)
            except NotFoundError:
                # the build has been removed meanwhile
                lines, names, shown = draw(None)
            screen.show(lines)
            key = pressed(interval)
            if key in ("q", "Q", "\x03", "\x04"):
                return
            if key == "\x0c":
                screen.forget()
            if key in ("n", "p") and names:
                place = names.index(shown) if shown in names else 0
                build = names[(place + (1 if key == "n" else -1)) % len(names)]


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Give keys as they are pressed, within a time; the terminal is as before afterwards."""
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        try:
            ready, _, _ = select.select([descriptor], [], [], seconds)
            return os.read(descriptor, 1).decode("ascii", "replace") or "q" if ready else ""
        except InterruptedError:
            return ""

    try:
        tty.setcbreak(descriptor)
        yield pressed
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _chosen(found: Builds, name: str | None) -> str | None:
    """Return the build to show: the one named, else the first in the order of `status`.

    Raises:
        NotFoundError: there is none of that name.
    """
    names = [row.build for row in found.builds]
    if name is not None:
        if name not in names:
            raise NotFoundError(f"no build {name}; there are: {nearest_names(name, names)}")
        return name
    rows = sorted(found.builds, key=lambda row: rank(row.state, row.steps.failed, row.waiting_for, row.idle_since))
    return rows[0].build if rows else None
