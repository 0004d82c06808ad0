"""Earlier runs for the queries, read when asked for: of a journal, or of whatever else has their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from build_exporter.journal.decode import Decoder
from build_exporter.journal.layout import run_path, runs
from build_exporter.journal.lines import LineFile
from build_exporter.model.events import Event
from build_exporter.queries.context import NotFoundError
from build_exporter.tracker import Run, Tracker, apply_all


class RunReader:
    """Runs that `names` lists and `read` gives the events of; what was loaded is kept."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._loaded: dict[tuple[str, str], Run] = {}

    def names(self, build: str) -> Sequence[str]:
        """Return the names of a build's runs, oldest first."""
        raise NotImplementedError

    def read(self, build: str, name: str) -> Iterable[Event]:
        """Return the events of a run."""
        raise NotImplementedError

    def older(self, build: str) -> Sequence[str]:
        """Return the names of a build's earlier runs, oldest first."""
        known = self.tracker.builds.get(build)
        newest = known.current.run if known is not None and known.current is not None else ""
        return [name for name in self.names(build) if name < newest]

    def read_history(self, build: str) -> None:
        """Read the earlier runs of a build that have not been."""
        known = self.tracker.builds[build]
        for name in self.older(build):
            if name not in known.history:
                self.tracker.remember(build, self.load(build, name))
        known.history_complete = True

    def load(self, build: str, name: str) -> Run:
        """Return an earlier run.

        Raises:
            NotFoundError: there is none of that name.
        """
        if name not in self.older(build):
            raise NotFoundError(f"no run {name} of {build}")
        if (build, name) not in self._loaded:
            run = Run(build, name)
            apply_all(run, self.read(build, name))
            self._loaded[build, name] = run
        return self._loaded[build, name]

    def events(self, run: Run) -> Iterable[Event]:
        """Return the events of a run."""
        return self.read(run.build, run.run)


class JournalRuns(RunReader):
    """The runs of a journal."""

    def __init__(self, root: str, tracker: Tracker) -> None:
        super().__init__(tracker)
        self.root = root

    def names(self, build: str) -> Sequence[str]:
        """Return the names of the run files of a build."""
        return runs(self.root, build)

    def read(self, build: str, name: str) -> Iterator[Event]:
        """Yield the events of a run file, as far as it can be read."""
        file, decoder = LineFile(run_path(self.root, build, name)), Decoder()
        try:
            while (chunk := file.read()) is not None:
                yield from decoder.decode(chunk.data, build) if chunk.data else []
        except OSError:
            return
        finally:
            file.close()
