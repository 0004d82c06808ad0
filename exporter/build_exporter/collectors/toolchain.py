"""Families about toolchains: the machine, tools by role, compiler caches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from build_exporter.exposition import Family
from build_exporter.model.events import ToolVersion
from build_exporter.monitor import Monitor
from build_exporter.toolchain.ccache import read_statistics
from build_exporter.toolchain.distcc import jobs_in
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.machine import this_machine
from build_exporter.toolchain.steps import known_tools
from build_exporter.toolchain.surveyor import Helpers
from build_exporter.tracker import Run

FREE_SECONDS: Final = 0.01
"""CPU time of looking for tools among the steps up to which it is done after each end of one."""
REST_RATIO: Final = 50.0
"""Rest after a look that took longer, as a multiple of what it took beyond that."""

HelpersOf = Callable[[], Mapping[str, Helpers]]


class PlatformCollector:
    """Shows the machine the exporter runs on."""

    name = "platform"

    def __init__(self, files: Files | None = None) -> None:
        """Share what `files` found."""
        self._files = Files(files)

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        self._files.begin(None)
        found = this_machine(self._files)
        labels = (found.triplet, found.machine, found.kernel, found.libc, found.distribution)
        return [Family("build_platform_info").add(1, *labels)]


class ToolchainCollector:
    """Shows the tools of the newest run of the `max_builds` builds that were active last."""

    name = "toolchain"

    def __init__(self, monitor: Monitor, max_builds: int) -> None:
        self.max_builds = max_builds
        self._monitor = monitor
        self._kept: dict[str, _Known] = {}

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        family = Family("build_toolchain_info")
        kept, self._kept = self._kept, {}
        for build in self._monitor.tracker.recent(self.max_builds):
            if build.current is not None:
                found = self._kept[build.name] = _tools(build.current, kept.get(build.name))
                for tool in found.tools:
                    family.add(1, build.name, tool.target or "", tool.role, tool.tool, tool.version)
        return [family]


class _Known(NamedTuple):
    """The tools of a run, what they were made of, and until when (monotonic clock) steps that end change nothing."""

    state: tuple[object, ...]
    finished: int
    tools: list[ToolVersion]
    until: float


def _tools(run: Run, kept: _Known | None) -> _Known:
    """Return the run's tools; the steps are gone through only when one has ended, of many thousand now and then."""
    state, finished, now = (run.run, run.toolchain, run.plan_revision), run.finished.total(), time.monotonic()
    if kept is not None and kept.state == state and (kept.finished == finished or now < kept.until):
        return kept
    began = time.thread_time()
    tools = known_tools(run)
    rest = max(0.0, time.thread_time() - began - FREE_SECONDS) * REST_RATIO
    return _Known(state, finished, tools, now + rest)


class CcacheCollector:
    """Shows the counters of the caches that running builds use; builds that share one show the same."""

    name = "ccache"

    def __init__(self, helpers: HelpersOf) -> None:
        self._helpers = helpers
        self._files = Files()

    def collect(self) -> Iterable[Family]:
        """Return the families."""
        hits, limit = Family("build_ccache_hits_total"), Family("build_ccache_limit_bytes")
        plain = {
            Family("build_ccache_misses_total"): "misses",
            Family("build_ccache_uncacheable_total"): "uncacheable",
            Family("build_ccache_errors_total"): "errors",
            Family("build_ccache_cleanups_total"): "cleanups",
            Family("build_ccache_files"): "files",
            Family("build_ccache_size_bytes"): "bytes",
        }
        for build, helpers in sorted(self._helpers().items()):
            self._files.begin(helpers.owner)
            found = read_statistics(self._files, helpers.cache) if helpers.cache is not None else None
            if found is None:
                continue
            hits.add(found.direct_hits, build, "direct").add(found.preprocessed_hits, build, "preprocessed")
            for family, name in plain.items():
                family.add(getattr(found, name), build)
            if found.limit_bytes is not None:
                limit.add(found.limit_bytes, build)
        return [hits, *plain, limit]


class DistccCollector:
    """Shows what the jobs are doing that running builds gave to distcc."""

    name = "distcc"

    def __init__(self, helpers: HelpersOf) -> None:
        self._helpers = helpers
        self._files = Files()

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        family = Family("build_distcc_jobs")
        for build, helpers in sorted(self._helpers().items()):
            self._files.begin(helpers.owner)
            found = jobs_in(self._files, helpers.state) if helpers.state is not None else {}
            for (host, phase), count in sorted(found.items()):
                family.add(count, build, host, phase)
        return [family]
