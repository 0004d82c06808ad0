"""The dashboard "Build / Exporter and services": does the monitoring itself work, and what the builds need besides."""

from __future__ import annotations

from typing import Final

from dashboard import INSTANCE, Frame, dashboard, page_link
from layout import Grid
from promql import OF_MACHINE, rate
from row_services import engines, services
from style import (
    BYTES,
    COUNT,
    CRITICAL,
    EVENTS,
    GOOD,
    SECONDS,
    UP_OR_DOWN,
    WARNING,
    About,
    Json,
    Query,
    bad_from,
    graph,
    limit,
    mapping,
    stat,
)
from tables import Column, coloured_from, table, words

UID: Final = "build-exporter"
_NOT_SCRAPED: Final = "The exporter has not been scraped"


def exporter() -> Json:
    """Return the dashboard."""
    grid = Grid()
    grid.line(4, (5, _up()), (5, _failing()), (5, _lag_now()), (5, _rejected_now()), (4, _version()))
    grid.line(8, (8, _events()), (8, _lag()), (8, _rejected()))
    services(grid)
    grid.head(101, "Web and stream")
    grid.line(8, (8, _requests()), (8, _errors()), (8, _stream()))
    grid.head(102, "Scrapes and collectors")
    grid.line(8, (10, _collectors()), (7, _scrape()), (7, _series()))
    grid.head(103, "Process and journal")
    grid.line(8, (8, _cpu()), (8, _memory()), (8, _journal()))
    engines(grid)
    grid.head(105, "Hooks, posted events, open files", collapsed=True)
    grid.line(8, (8, _hooks()), (8, _ingest()), (8, _descriptors()))
    frame = Frame(
        UID,
        "Build / Exporter and services",
        "Does the monitoring itself work: is what happens seen at once, is anything lost or refused, do Prometheus and "
        "Alertmanager work, and do the services answer that builds need?",
        (INSTANCE,),
        page=f"build_exporter_link_info{{{OF_MACHINE}}}",
        since="now-3h",
    )
    return dashboard(frame, grid.panels, ())


def _sum(metric: str, by: str) -> str:
    return f"topk(12, sum by ({by}) ({rate(metric)}))"


def _up() -> Json:
    return stat(
        About(1, "Exporter", "Whether Prometheus reaches the exporter.", COUNT, "No target"),
        Query(f'max(up{{job="build-exporter",{OF_MACHINE}}})', "Up", instant=True),
        coloured=True,
        mappings=UP_OR_DOWN,
        links=[page_link("Live page", "/")],
    )


def _failing() -> Json:
    failing = " + ".join(
        f"(count(build_exporter_{family}{{{OF_MACHINE}}} == 0) or vector(0))"
        for family in ("collector_success", "source_up", "part_up")
    )
    return stat(
        About(
            2, "Failing", "Collectors that failed, sources that can't be read, parts that do not answer.", COUNT, "None"
        ),
        Query(failing, "Failing", instant=True),
        coloured=True,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(1),
    )


def _lag_now() -> Json:
    purpose = "How long after it happened an event was read: 99 of 100 within the time shown."
    buckets = f"sum by (le) (increase(build_exporter_event_lag_seconds_bucket{{{OF_MACHINE}}}[$__range]))"
    return stat(
        About(3, "Event lag", purpose, SECONDS, "No events"),
        Query(f"histogram_quantile(0.99, {buckets}) >= 0", "99 of 100", instant=True),
        decimals=1,
        thresholds=bad_from(10, warn=1),
    )


def _rejected_now() -> Json:
    lost = " + ".join(
        f"ceil(sum(increase(build_exporter_{family}_total{{{OF_MACHINE}}}[$__range])))"
        for family in ("lines_rejected", "events_lost")
    )
    return stat(
        About(4, "Lost", "Events that were lost or not taken in the time shown.", COUNT, "Not scraped"),
        Query(lost, "Lost", instant=True),
        decimals=0,
        mappings=mapping({"0": ("None", GOOD)}),
        thresholds=bad_from(100, warn=1),
    )


def _version() -> Json:
    purpose = "Time since the exporter was started, and whether its configuration was taken."
    return stat(
        About(5, "Uptime", purpose, SECONDS, "Not scraped"),
        Query(f'time() - max(process_start_time_seconds{{job="build-exporter",{OF_MACHINE}}})', "Runs", instant=True),
        decimals=1,
    )


def _events() -> Json:
    return graph(
        About(10, "Events read", "Events read from the journal, by kind.", EVENTS, _NOT_SCRAPED),
        Query(f"{_sum('build_exporter_events_total', 'event')} > 0", "{{event}}"),
        min=0,
    )


def _lag() -> Json:
    purpose = "How long after it happened an event was read: half of them, and 99 of 100."
    buckets = f"sum by (le) ({rate('build_exporter_event_lag_seconds_bucket')})"
    return graph(
        About(11, "Lag over time", purpose, SECONDS, "No events"),
        # without events in the interval it is NaN, which is not >= 0
        Query(f"histogram_quantile(0.5, {buckets}) >= 0", "Half"),
        Query(f"histogram_quantile(0.99, {buckets}) >= 0", "99 of 100"),
        min=0,
    )


def _rejected() -> Json:
    return graph(
        About(12, "Rejected lines", "Lines of the journal that were not taken, by reason.", EVENTS, _NOT_SCRAPED),
        Query(_sum("build_exporter_lines_rejected_total", "reason"), "{{reason}}"),
        min=0,
    )


def _requests() -> Json:
    return graph(
        About(30, "Requests", "HTTP requests answered, by what was asked for.", "reqps", _NOT_SCRAPED),
        Query(_sum("build_exporter_http_requests_total", "handler"), "{{handler}}"),
        min=0,
    )


def _errors() -> Json:
    refused = rate("build_exporter_http_requests_total", f'{OF_MACHINE},code=~"[45].."')
    return graph(
        About(31, "Refused requests", "HTTP requests answered with 4xx or 5xx.", "reqps", _NOT_SCRAPED),
        Query(f"topk(12, sum by (handler, code) ({refused}))", "{{code}} {{handler}}"),
        min=0,
    )


def _stream() -> Json:
    return graph(
        About(32, "Stream clients", "Clients of the live stream, and those dropped as too slow.", COUNT, _NOT_SCRAPED),
        Query(f"max(build_exporter_stream_clients{{{OF_MACHINE}}})", "Clients"),
        Query(f"max(build_exporter_stream_clients_dropped_total{{{OF_MACHINE}}})", "Dropped so far"),
        steps=True,
        min=0,
        decimals=0,
    )


def _collectors() -> Json:
    good = words(mapping({"0": ("Failed", CRITICAL), "1": ("Good", GOOD)}))
    slow = coloured_from((0.1, WARNING), (1, CRITICAL), decimals=2)
    return table(
        About(40, "Collectors", "Whether each collector's newest run succeeded, and its time.", SECONDS, "Not scraped"),
        Query(f"max by (collector) (build_exporter_collector_success{{{OF_MACHINE}}})"),
        Query(f"max by (collector) (build_exporter_collector_duration_seconds{{{OF_MACHINE}}})"),
        columns=(
            Column("Collector", label="collector"),
            Column("Result", query=0, width=90, properties=good),
            Column("Took", query=1, unit=SECONDS, width=90, properties=slow),
        ),
        sort="Took",
    )


def _scrape() -> Json:
    return graph(
        About(41, "Scrape", "How long a scrape takes, as Prometheus sees it.", SECONDS, _NOT_SCRAPED),
        Query(f'max(scrape_duration_seconds{{job="build-exporter",{OF_MACHINE}}})', "Scrape"),
        legend="",
        min=0,
    )


def _series() -> Json:
    return graph(
        About(42, "Series", "Series shown in a scrape.", COUNT, _NOT_SCRAPED),
        Query(f"max(build_exporter_series{{{OF_MACHINE}}})", "Series"),
        legend="",
        min=0,
        decimals=0,
    )


_OWN: Final = f'job="build-exporter",{OF_MACHINE}'


def _cpu() -> Json:
    return graph(
        About(50, "CPU", "CPUs the exporter uses; 0.01 is 1 % of one.", "none", _NOT_SCRAPED),
        Query(f"sum({rate('process_cpu_seconds_total', _OWN)})", "CPU"),
        legend="",
        min=0,
    )


def _memory() -> Json:
    return graph(
        About(51, "Memory", "Resident memory of the exporter.", BYTES, _NOT_SCRAPED),
        Query(f"max(process_resident_memory_bytes{{{_OWN}}})", "Memory"),
        legend="",
        min=0,
    )


def _journal() -> Json:
    return graph(
        About(52, "Journal", "Size of the journal on disk.", BYTES, _NOT_SCRAPED),
        Query(f"max(build_exporter_journal_bytes{{{OF_MACHINE}}})", "Journal"),
        legend="",
        min=0,
    )


def _hooks() -> Json:
    return graph(
        About(53, "Hooks", "Runs of hooks and event handlers, by result.", EVENTS, "No hook is configured"),
        Query(_sum("build_exporter_hook_runs_total", "result"), "{{result}}"),
        min=0,
    )


def _ingest() -> Json:
    return graph(
        About(54, "Posted events", "Events posted over HTTP, accepted and rejected.", EVENTS, _NOT_SCRAPED),
        Query(_sum("build_exporter_ingested_events_total", "result"), "{{result}}"),
        min=0,
    )


def _descriptors() -> Json:
    return graph(
        About(
            55, "Open files", "File descriptors the exporter has open, and the most it may have.", COUNT, _NOT_SCRAPED
        ),
        Query(f"max(process_open_fds{{{_OWN}}})", "Open"),
        Query(f"max(process_max_fds{{{_OWN}}}) < 100000", "At most"),
        min=0,
        decimals=0,
        overrides=[limit("At most")],
    )
