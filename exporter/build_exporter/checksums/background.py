"""Verify the files of running and upcoming builds in the background and record changes in the journal."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from build_exporter.checksums.check import Finding, Signature, check_metadata, merged, shrunk
from build_exporter.checksums.worker import Job
from build_exporter.checksums.worker_process import BYTES_PER_SECOND, WorkerProcess
from build_exporter.journal.append import LINE_LIMIT, Writer
from build_exporter.journal.isolation import Isolation
from build_exporter.journal.layout import run_path
from build_exporter.model.events import BadSource, SourceFile, SourcesVerified, encode_line
from build_exporter.model.states import SourceState
from build_exporter.tracker import Run
from build_exporter.tracker.sources import bad_state, planned_sources

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0
REST_RATIO: Final = 50.0
"""Rest after a poll, as a multiple of the time it took: two percent of a core at most."""

QUIET_SECONDS: Final = 10.0
"""A file changed more recently than this is still being written."""

FORGOTTEN_SECONDS: Final = 86400.0
"""A build idle for this long is history, even with steps left in its plan."""

MAX_FILES: Final = 5_000
MAX_BAD: Final = 100
"""Most files checked per build, and most bad ones named in an event."""

Key = tuple[str, SourceFile, int | None]
"""A file's directory, what is planned of it, and whose it must be."""


class BackgroundVerifier:
    """Verifies the files that plans name every few seconds, in the plan's directory `tarballs`.

    Only a file that is new or has changed is read, by a child process that gives way to all others. Of a run that
    another user writes, only that user's files are checked: he must not learn what he may not read himself.
    """

    def __init__(
        self,
        journal: str,
        runs: Callable[[], Iterable[Run]],
        clock: Callable[[], float],
        *,
        quiet_seconds: float = QUIET_SECONDS,
        bytes_per_second: float = BYTES_PER_SECOND,
    ) -> None:
        self._journal = journal
        self._isolated = Isolation(log, "checking source files")
        self._runs = runs
        self._clock = clock
        self._quiet = quiet_seconds
        self._worker = WorkerProcess(bytes_per_second)
        self._known: dict[Key, tuple[Signature, Finding]] = {}
        self._verified_sizes: dict[Key, int] = {}
        self._plans: dict[str, tuple[str, int, list[SourceFile]]] = {}
        self._stop = threading.Event()
        # a daemon: a directory on a file system that hangs must not keep the exporter from ending
        self._thread = threading.Thread(target=self._run, name="source-checks", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to stop."""
        self._stop.set()

    def close(self) -> None:
        """End the reading of files."""
        self._worker.stop()

    def poll(self) -> bool:
        """Check every file once, record changes, and queue reads; return whether every state is known."""
        for job, finding in self._worker.collect():
            self._take(job, finding)
        jobs: dict[Key, Job] = {}
        seen: set[Key] = set()
        for run in list(self._runs()):
            with self._isolated.of(run.build):
                jobs |= self._poll_run(run, seen)
        for forgotten in (self._known.keys() | self._verified_sizes.keys()) - seen:
            self._known.pop(forgotten, None)
            self._verified_sizes.pop(forgotten, None)
        self._worker.begin(list(jobs.values()))
        return not jobs

    def _poll_run(self, run: Run, seen: set[Key]) -> dict[Key, Job]:
        """Check the files of a run, record changes, and return what must be read, the most urgent first."""
        files = self._files(run)
        if not files:
            return {}
        owner = self._owner(run)
        asked: dict[Key, Job] = {}
        findings = []
        for planned in files:
            key = (run.tarballs, planned, owner)
            seen.add(key)
            findings.append((planned, self._finding_of(key, asked)))
        needed = {each.file for step, each in planned_sources(run) if not step.state.is_done}
        self._record(run, findings, needed, complete=not asked)
        # what was unpacked already can wait
        return dict(sorted(asked.items(), key=lambda item: item[1].planned.file not in needed))

    def _files(self, run: Run) -> list[SourceFile]:
        """Return the files of a run to check, each once; none for a build that is over or long idle."""
        steps = list(run.steps.values())
        silent = self._clock() - (run.last_event or 0.0) > FORGOTTEN_SECONDS
        if (
            not run.tarballs.startswith("/")
            or (silent and not run.running)
            or all(step.state.is_done for step in steps)
        ):
            self._plans.pop(run.build, None)
            return []
        name, plans, files = self._plans.get(run.build, ("", 0, []))
        if (name, plans) != (run.run, run.plan_revision):
            plans = run.plan_revision
            found: dict[str, SourceFile] = {}
            for _, each in planned_sources(run):
                found[each.file] = merged(found, each)
            files = list(found.values())[:MAX_FILES]
            self._plans[run.build] = (run.run, plans, files)
        return files

    def _owner(self, run: Run) -> int | None:
        try:
            writer = os.stat(run_path(self._journal, run.build, run.run)).st_uid  # noqa: PTH116 - every few seconds
        except OSError:
            return None
        return None if writer in (0, os.geteuid()) else writer

    def _finding_of(self, key: Key, jobs: dict[Key, Job]) -> Finding:
        """Return how a file stands as far as is known; ask for its reading where it must be read."""
        directory, planned, owner = key
        seen = check_metadata(directory, planned, owner=owner)
        if seen.signature is None:
            return seen
        changed = seen.signature[4] / 1e9
        if 0 <= self._clock() - changed < self._quiet:
            return Finding(SourceState.PENDING, "is being written", seen.size)
        if seen.state is not SourceState.PENDING:
            return seen
        signature, known = self._known.get(key, (None, seen))
        if signature != seen.signature:
            jobs[key] = Job(directory, planned, owner, seen.signature)
            return seen
        return known

    def _take(self, job: Job, finding: Finding) -> None:
        key = (job.directory, job.planned, job.owner)
        if finding.state in (SourceState.PENDING, SourceState.MISSING):
            # it has changed since, or gone: the next poll sees it as it is
            return
        if finding.state is SourceState.VERIFIED and finding.size is not None:
            self._verified_sizes[key] = finding.size
        elif key in self._verified_sizes:
            finding = shrunk(finding, self._verified_sizes[key])
        self._known[key] = (finding.signature or job.signature, finding)

    def _record(
        self, run: Run, findings: list[tuple[SourceFile, Finding]], needed: set[str], *, complete: bool
    ) -> None:
        """Append the files' states if they changed; until all are known, only the bad ones."""
        counts = Counter(finding.state for _, finding in findings)
        bad = [
            BadSource(file=planned.file, state=state, detail=finding.detail or None)
            for planned, finding in findings
            if (state := bad_state(finding.state)) is not None
        ]
        bad.sort(key=lambda each: each.file not in needed)
        event = SourcesVerified(
            time=round(self._clock(), 3),
            build=run.build,
            bad=bad[:MAX_BAD] or None,
            **{state.value: counts[state] for state in SourceState},
        )
        recorded = run.sources_verified
        before = set(recorded.bad or ()) if recorded is not None else set()
        if recorded is not None and _counts(recorded) == _counts(event) and before == set(event.bad or ()):
            return
        if complete or set(event.bad or ()) - before:
            self._append(run, event)

    def _append(self, run: Run, event: SourcesVerified) -> None:
        writer = Writer(run_path(self._journal, run.build, run.run))
        line = encode_line(event)
        while len(line) > LINE_LIMIT and event.bad:
            event.bad = event.bad[: len(event.bad) // 2]
            line = encode_line(event)
        try:
            writer.append(line)
        except OSError as error:
            log.debug("how files stand can't be written", extra={"build": run.build, "error": str(error)})
        finally:
            writer.close()

    def _run(self) -> None:
        rest = 0.5
        try:
            while not self._stop.wait(rest):
                began = time.perf_counter()
                try:
                    self.poll()
                except Exception:
                    # one odd plan must not stop the verification of all others
                    log.exception("verifying files failed")
                rest = max(POLL_SECONDS, (time.perf_counter() - began) * REST_RATIO)
        finally:
            self.close()


def _counts(event: SourcesVerified) -> list[int]:
    return [getattr(event, state.value) for state in SourceState]
