"""Families about the exporter itself."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge, histogram

EXPORTER: Final[tuple[Metric, ...]] = (
    gauge("build_exporter_build_info", "", "version pythonversion", "Version of the exporter; always 1."),
    gauge("build_exporter_collector_success", "", "collector", "Whether the collector's newest run succeeded."),
    gauge("build_exporter_collector_duration_seconds", "seconds", "collector", "Time the collector's newest run took."),
    gauge("build_exporter_source_up", "", "source", "Whether a source can be read at the moment."),
    gauge(
        "build_exporter_part_up",
        "",
        "part",
        "Whether what the exporter works with can be reached: `alertmanager` answers, all of them; `prometheus` has "
        "scraped within the last two minutes. A part that is not configured, or never came, is absent.",
    ),
    counter("build_exporter_events_total", "", "event", "Events read from the journal since the exporter started."),
    counter(
        "build_exporter_events_lost_total", "", "", "Events that writers report as lost: they could not be written."
    ),
    counter("build_exporter_lines_rejected_total", "", "reason", "Journal lines that could not be taken, by reason."),
    histogram(
        "build_exporter_event_lag_seconds",
        "seconds",
        "",
        (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60),
        "Time from an event's own time to its being read, of events read live.",
    ),
    counter("build_exporter_http_requests_total", "", "handler code", "HTTP requests answered."),
    histogram(
        "build_exporter_http_request_duration_seconds",
        "seconds",
        "handler",
        (0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1),
        "Time from a request to the first byte of its answer, by handler.",
    ),
    counter(
        "build_exporter_page_loads_total", "", "page", "Pages opened by people; what open pages ask for is left out."
    ),
    counter(
        "build_exporter_command_uses_total",
        "",
        "command",
        "Uses of each command on this journal, counted by the command itself beside the journal.",
    ),
    counter("build_exporter_ingested_events_total", "", "result", "Events posted over HTTP, accepted or rejected."),
    gauge("build_exporter_stream_clients", "", "", "Clients of the stream."),
    counter("build_exporter_stream_clients_dropped_total", "", "", "Clients of the stream closed for being too slow."),
    counter("build_exporter_auth_failures_total", "", "", "Requests refused for a wrong or missing credential."),
    gauge(
        "build_exporter_config_last_reload_successful",
        "",
        "",
        "Whether the newest reading of the configuration succeeded.",
    ),
    counter("build_exporter_hook_runs_total", "", "hook result", "Runs of hooks and event handlers by result."),
    gauge("build_exporter_series", "", "", "Series shown in the newest scrape."),
    gauge("build_exporter_steps_hidden", "", "build", "Steps that have no series because the build has too many."),
    gauge("build_exporter_journal_bytes", "bytes", "", "Size of the run files in the journal."),
    counter("process_cpu_seconds_total", "seconds", "", "CPU time the exporter's process took, user and system."),
    gauge("process_resident_memory_bytes", "bytes", "", "Resident memory of the exporter's process."),
    gauge("process_virtual_memory_bytes", "bytes", "", "Virtual memory of the exporter's process."),
    gauge("process_start_time_seconds", "seconds", "", "Start of the exporter's process, Unix time."),
    gauge("process_open_fds", "", "", "File descriptors the exporter's process has open."),
    gauge("process_max_fds", "", "", "File descriptors the exporter's process may have open."),
    gauge(
        "python_info",
        "",
        "implementation major minor patchlevel version",
        "The Python that runs the exporter; always 1.",
    ),
)
