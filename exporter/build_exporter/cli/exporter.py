"""The running exporter: its parts, put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from build_exporter import __version__, memory
from build_exporter.alerting.reachability import parts_up
from build_exporter.alerting.service import AlertService
from build_exporter.checksums.background import BackgroundVerifier
from build_exporter.cli.options import read_config, use_failure_rules
from build_exporter.cli.source_arguments import expected_failures
from build_exporter.clocks import ClockWatch
from build_exporter.collectors.alerts import IncidentCollector
from build_exporter.collectors.analysis import AnalysisCollector
from build_exporter.collectors.builds import BuildCollector, ThresholdCollector
from build_exporter.collectors.custom import CustomMetrics
from build_exporter.collectors.exporter import ExporterCollector, JournalSizeCollector, ProcessCollector
from build_exporter.collectors.hooks import HookCollector
from build_exporter.collectors.host.process_tree import ProcessTrees
from build_exporter.collectors.plugins import INTERVAL_SECONDS, PluginCollector, plugin_collectors
from build_exporter.collectors.probes import ProbeCollector
from build_exporter.collectors.registry import BUILD_COLLECTORS, HOST_COLLECTORS
from build_exporter.collectors.runners import REST_SECONDS, BackgroundRunner, CollectorRunner, DirectRunner
from build_exporter.collectors.scrape import Scrape
from build_exporter.collectors.sources import SourceFilesCollector
from build_exporter.collectors.steps import StepCollector
from build_exporter.collectors.toolchain import CcacheCollector, DistccCollector, PlatformCollector, ToolchainCollector
from build_exporter.collectors.verdicts import VerdictCollector
from build_exporter.config.alerting import Alerting, Alertmanager
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.failures.step_log import Cards
from build_exporter.hooks.runner import HookRunner
from build_exporter.journal.retention import Limits, prune
from build_exporter.journal.spool import has_kept, make_spool, recover
from build_exporter.journal.timeouts import call_with_timeout
from build_exporter.liveness import Liveness
from build_exporter.milestones import MilestoneWatcher
from build_exporter.monitor import Monitor
from build_exporter.probes.prober import Prober
from build_exporter.sources.runner import SourceRunner
from build_exporter.sources.step_logs.expected_failures import ExpectedFailurePatterns
from build_exporter.sources.step_logs.watcher import StepHistory, StepLogWatcher
from build_exporter.ticks import check_every, tick
from build_exporter.toolchain.surveyor import Surveyor
from build_exporter.tracker import Step
from build_exporter.verdicts import Match, StepRoots, Verdicts
from build_exporter.web.app import make_app
from build_exporter.web.auth import Guard
from build_exporter.web.server import (
    Server,
    check_only_local,
    format_address,
    make_server,
    open_sockets,
    page_address,
)
from build_exporter.web.service import Service
from build_exporter.web.webconfig import NoPlainFileError, WebConfigFile, check_plain

if TYPE_CHECKING:
    from build_exporter.cli.mcp_http import McpEndpoint

log = logging.getLogger("build_exporter.serve")

RETENTION_SECONDS = 600.0
JOURNAL_SIZE_SECONDS = 15.0
LIVENESS_SECONDS = 4.0
MARKS_SECONDS = 2.0
"""Between looks at clocks and milestones."""
SPOOL_SECONDS = 2.0
PLATFORM_SECONDS = 300.0
ANALYSIS_SECONDS = 10.0
STATUS_SECONDS = 2.0
PROCESS_SECONDS = 1.0
"""Interval of samples of the running steps' processes, also while nobody asks: verdicts and alerts need them."""
CACHES_SECONDS = 15.0


PLUGIN_COLLECTORS, REFUSED_COLLECTORS = plugin_collectors({*BUILD_COLLECTORS, *(row.name for row in HOST_COLLECTORS)})


@dataclass(frozen=True, slots=True)
class Overrides:
    """The flags on alerting; None: not given."""

    alertmanagers: tuple[str, ...] = ()
    fast_path: bool | None = None

    def of(self, config: Alerting) -> Alerting:
        """Return the configuration with the flags taken into account."""
        known = {server.url for server in config.servers()}
        more = tuple(Alertmanager(url=url) for url in dict.fromkeys(self.alertmanagers) if url not in known)
        fast = config.fast_path if self.fast_path is None else self.fast_path
        return msgspec.structs.replace(config, alertmanagers=(*config.alertmanagers, *more), fast_path=fast)


def _matches(config: Config) -> tuple[Match, ...]:
    return tuple(Match(each.build, each.command, each.cgroup) for each in config.processes)


class Exporter:
    """The parts of a running exporter, put together."""

    def __init__(
        self,
        journal: str,
        config: Config,
        config_path: str | None,
        telemetry_path: str,
        enabled: set[str],
        sources: SourceRunner,
        overrides: Overrides,
    ) -> None:
        self.monitor = Monitor(journal)
        self.monitor.decoder.coalescing = not config.uses_progress
        self.config = config
        self._web_file: WebConfigFile | None = None
        self._mcp: McpEndpoint | None = None
        self._config_path = config_path
        self._sources = sources
        self._expected_failures = expected_failures(config)
        history = StepHistory(self.monitor.last_log, self._known_failures, self.monitor.earlier_suites)
        self._step_logs = StepLogWatcher(journal, self.monitor.newest_runs, self.monitor.clock, history)
        self._surveyor = Surveyor(journal, self.monitor.newest_runs, self.monitor.clock, sources.build_context)
        self._surveys = "toolchain" in enabled
        self._verifier = BackgroundVerifier(journal, self.monitor.newest_runs, self.monitor.clock)
        self._thresholds = ThresholdCollector(config.threshold_values())
        self._toolchains = ToolchainCollector(self.monitor, config.metrics.max_builds)
        self._roots = StepRoots(self.monitor.newest_runs)
        self._roots.matches = _matches(config)
        self._verdicts = Verdicts(self.monitor.newest_runs, self._roots.pid_of)
        self._shown_verdicts = VerdictCollector(self.monitor, self._verdicts, config.metrics.max_builds)
        self.service = Service(self.monitor, Scrape(()), self.reload, telemetry_path, card=Cards(journal))
        # one for all: what a step's end changes is worked out, and kept, once
        estimator = self.service.estimator
        self._builds = BuildCollector(self.monitor, config.metrics.max_builds, estimator)
        self._analysis = AnalysisCollector(self.monitor, config.schedule, config.metrics.max_builds, estimator)
        self._custom = CustomMetrics(config.metrics.extra)
        self.monitor.listeners += [self._custom.on_events, self._step_logs.on_events]
        self._hooks = HookRunner(self.monitor, config.hooks)
        self._milestones = MilestoneWatcher(self.monitor, config.milestones)
        self._source_files = SourceFilesCollector(self.monitor, config.metrics.max_builds)
        limits = (config.metrics.max_steps_per_build, config.metrics.max_builds)
        self._steps = StepCollector(self.monitor, *limits, estimator)
        self.service.verdict = self._verdicts.judgement
        self.service.configure(config)
        self._prober = Prober(self.monitor.clock)
        self.service.probes = self._prober.states
        self._own = ExporterCollector(self.monitor, self.service.counts, sources.up)
        self._overrides = overrides
        alerting = overrides.of(config.alerting)
        self._alerts = AlertService(self.monitor, alerting, lambda: self.service.scraped_at, self._verdicts.judgement)
        self._alerts.host.kills = self._step_logs.memory_kills.poll
        self._own.alert_posts, self._own.alerts_received = self._alerts.fast_path.posts, self._alerts.inbox.counts
        self._own.parts_up = self._parts_up
        self.service.alerts = self._alerts
        self.service.scrape = Scrape(self._collectors(enabled))

    def _collectors(self, enabled: set[str]) -> list[CollectorRunner]:
        alerting = self._alerts
        alerts = IncidentCollector(
            alerting.incidents, alerting.details, alerting.address, alerting.times, self.monitor.clock
        )
        shown = (self._builds, self._steps, self._shown_verdicts, self._source_files)
        platform = PlatformCollector(self._surveyor.files)
        direct = (*shown, self._thresholds, self._own, ProcessCollector())
        return [
            *(
                DirectRunner(collector)
                for collector in (
                    *direct,
                    alerts,
                    ProbeCollector(self._prober.states),
                    HookCollector(self._hooks.counts),
                    self._custom,
                )
            ),
            BackgroundRunner(self._analysis, ANALYSIS_SECONDS, rest=REST_SECONDS),
            BackgroundRunner(JournalSizeCollector(self.monitor.follower.root), JOURNAL_SIZE_SECONDS, thread="files"),
            *([BackgroundRunner(platform, PLATFORM_SECONDS, thread="files")] if self._surveys else []),
            *(collector for collector in self._of_builds() if collector.name in enabled),
            *(
                BackgroundRunner(row.make(), row.interval, thread=row.thread, rest=REST_SECONDS)
                for row in HOST_COLLECTORS
                if row.name in enabled
            ),
            *(
                BackgroundRunner(PluginCollector(point), INTERVAL_SECONDS)
                for name, point in PLUGIN_COLLECTORS.items()
                if name in enabled
            ),
        ]

    def _of_builds(self) -> list[CollectorRunner]:
        """Return the collectors that need to know the builds, each with the name it is switched by."""
        helpers = self._surveyor.helpers
        return [
            BackgroundRunner(ProcessTrees(self._roots, observe=self._verdicts.observe), PROCESS_SECONDS),
            DirectRunner(self._toolchains),
            BackgroundRunner(CcacheCollector(helpers), CACHES_SECONDS, thread="caches"),
            BackgroundRunner(DistccCollector(helpers), CACHES_SECONDS, thread="caches"),
        ]

    def _parts_up(self) -> dict[str, bool]:
        return parts_up(self._alerts.reach.answers, self.service.scraped_at, self.monitor.clock())

    def _known_failures(self, step: Step) -> ExpectedFailurePatterns:
        return self._expected_failures.of(step)

    def reload(self) -> str:
        """Read both configurations again; return what is wrong with them, empty when they were accepted."""
        wrong = (self._reload_config(), self._web_file.reload() if self._web_file is not None else "")
        return "\n".join(filter(None, wrong))

    def _reload_config(self) -> str:
        if self._config_path is None:
            return ""
        try:
            self.config = read_config(check_plain(self._config_path))
        except (ConfigError, NoPlainFileError) as error:
            self._own.config_is_good = False
            log.error("configuration not taken, the old one stays", extra={"problems": str(error)})
            return str(error)
        self._own.config_is_good = True
        self._expected_failures = expected_failures(self.config)
        use_failure_rules(self.config)
        self._roots.matches = _matches(self.config)
        self.service.configure(self.config)
        self._analysis.schedule, self._analysis.max_builds = self.config.schedule, self.config.metrics.max_builds
        self._milestones.milestones = self.config.milestones
        self._hooks.configure(self.config.hooks)
        self._prober.configure(self.config.probes)
        self._custom.configure(self.config.metrics.extra)
        self.monitor.decoder.coalescing = not self.config.uses_progress
        self._thresholds.configure(self.config.threshold_values())
        self._alerts.configure(self._overrides.of(self.config.alerting))
        self._builds.max_builds = self._toolchains.max_builds = self.config.metrics.max_builds
        self._shown_verdicts.max_builds = self.config.metrics.max_builds
        self._source_files.max_builds = self.config.metrics.max_builds
        self._steps.limit(self.config.metrics.max_steps_per_build, self.config.metrics.max_builds)
        log.info("configuration loaded", extra={"file": self._config_path})
        return ""

    async def serve(self, addresses: tuple[str, ...], web_config: str | None, *, allow_anonymous: bool) -> None:
        """Serve until a signal ends it.

        Raises:
            AddressError: an address can't be listened on, or is open to others without asking for credentials.
            ConfigError: the web configuration can't be used.
            CertificateError: a certificate can't be used.
        """
        memory.settle()
        server = self._server(web_config)
        sockets = open_sockets(addresses)
        access = self._web_file.current() if self._web_file is not None else None
        if not (allow_anonymous or (access is not None and (access.asks or access.knows_clients))):
            check_only_local(sockets)
        self._alerts.listens(page_address(sockets[0], secure=server.is_secure))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, server)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._start_monitor(loop)
        self.service.scrape.start()
        self._sources.start()
        self._step_logs.start()
        self._verifier.start()
        self._prober.configure(self.config.probes)
        if self._surveys:
            self._surveyor.start()
        chores = [
            asyncio.create_task(self._retain(), name="retention"),
            asyncio.create_task(check_every(LIVENESS_SECONDS, Liveness(self.monitor).poll), name="liveness"),
            asyncio.create_task(check_every(MARKS_SECONDS, ClockWatch(self.monitor).poll, self._milestones.check)),
            asyncio.create_task(self._write_status(), name="status file"),
            asyncio.create_task(self._recover_events(), name="spool"),
            asyncio.create_task(self._alerts.run(), name="alerts"),
            *([asyncio.create_task(self._mcp.run(), name="mcp")] if self._mcp is not None else []),
        ]
        log.info(
            "build-exporter started",
            extra={
                "version": __version__,
                "journal": self.monitor.follower.root,
                "listen": " ".join(map(format_address, sockets)),
            },
        )
        try:
            await server.serve(sockets)
        finally:
            for chore in chores:
                chore.cancel()
            self._sources.stop()
            self._step_logs.stop()
            self._verifier.stop()
            self._prober.stop()
            self._hooks.stop()
            self._surveyor.stop()
            self.service.scrape.stop()
            await self.monitor.stop()
            log.info("build-exporter ended")

    def _start_monitor(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow the journal, at once where its file system answers, else when it does."""

        def look() -> None:
            with contextlib.suppress(OSError):
                os.listdir(self.monitor.follower.root)  # noqa: PTH208 - to see whether it returns

        def begin_late() -> None:
            with contextlib.suppress(RuntimeError):
                # the loop may be closed by now
                loop.call_soon_threadsafe(self.monitor.start)

        if call_with_timeout(look, begin_late):
            self.monitor.start()
        else:
            log.warning("the journal's file system does not answer", extra={"journal": self.monitor.follower.root})

    def _end(self, server: Server) -> None:
        self.service.hub.close()
        server.end()

    def _server(self, web_config: str | None) -> Server:
        asked = self.config.web.mcp
        if asked != "off":
            from build_exporter.cli.mcp_http import McpEndpoint  # noqa: PLC0415 - an extra, and slow to load

            self._mcp = self.service.mcp = McpEndpoint(self.service, allow_acknowledge=asked == "acknowledge")
        app = make_app(self.service)
        if web_config is None:
            return make_server(app)
        file = self._web_file = WebConfigFile(web_config, self.service.counts)
        reads_by_post = "/mcp" if asked == "read" else ""
        guarded = Guard(app, file, self.service.counts, reads_by_post)
        return make_server(guarded, lambda: file.current().tls)

    async def _write_status(self) -> None:
        while self.config.metrics.status_file is None:
            await tick(STATUS_SECONDS)
        from build_exporter.cli.status_file import StatusFile  # noqa: PLC0415 - only for who wants it

        file = StatusFile(self.monitor, self.service.estimator)
        while True:
            file.write(self.config.metrics.status_file)
            await tick(STATUS_SECONDS)

    async def _recover_events(self) -> None:
        """Write to the journal what writers kept while it was full."""
        make_spool()
        while not self.monitor.ready:
            await asyncio.sleep(SPOOL_SECONDS)
        while True:
            # a thread only where there is something to do: each look would cost as much as a scrape
            if has_kept(self.monitor.follower.root) and (
                recovered := await asyncio.to_thread(recover, self.monitor.follower.root)
            ):
                log.info("events kept while the journal was full are written", extra={"runs": recovered})
            await tick(SPOOL_SECONDS)

    async def _retain(self) -> None:
        while not self.monitor.history_complete:
            # what a run counted must be known before it goes
            await asyncio.sleep(1.0)
        memory.give_back()
        while True:
            kept = self.config.retention
            limits = Limits(kept.runs, kept.bytes, kept.age)
            try:
                removed = await asyncio.to_thread(
                    prune, self.monitor.follower.root, limits, time.time(), self.monitor.tally
                )
            except OSError as error:
                log.warning("cannot remove old runs", extra={"error": str(error)})
            else:
                for path in removed:
                    log.info("old run removed", extra={"path": path})
            await asyncio.sleep(RETENTION_SECONDS)
