"""`build-exporter serve`: the exporter itself."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
from collections.abc import Callable
from typing import Any

import click

from build_exporter.cli.exporter import PLUGIN_COLLECTORS, REFUSED_COLLECTORS, Exporter, Overrides
from build_exporter.cli.options import check_journal, config_option, journal_option, load_config
from build_exporter.cli.output import stop
from build_exporter.cli.source_arguments import Watched, WatchedSources, expected_failures
from build_exporter.collectors.registry import BUILD_COLLECTORS, HOST_COLLECTORS
from build_exporter.config.problems import ConfigError
from build_exporter.config.values import check_target, words_for
from build_exporter.journal.timeouts import SECONDS, call_with_timeout
from build_exporter.logging_setup import FORMATS, LEVELS, configure_logging
from build_exporter.sources.attach import Attachment
from build_exporter.sources.plugins import origin
from build_exporter.sources.runner import SourceRunner
from build_exporter.web.server import (
    AddressError,
)
from build_exporter.web.webconfig import CertificateError, TokenError

log = logging.getLogger("build_exporter.serve")

DEFAULT_ADDRESS = "127.0.0.1:10110"
SWITCH_SECONDS = 0.001
"""Longest a scrape waits for a thread that samples or reads logs: Python's 5 ms make slow scrapes thrice as slow."""


def _allow_many_files() -> None:
    """Raise the limit of open files as far as the system lets anyone: each build followed and each client holds one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _collector_options(command: Callable[..., Any]) -> Callable[..., Any]:
    rows = [(row.name, row.enabled, row.help) for row in HOST_COLLECTORS]
    rows += [(name, True, text) for name, text in BUILD_COLLECTORS.items()]
    rows += [(name, True, f"By {origin(point)}.") for name, point in PLUGIN_COLLECTORS.items()]
    for name, enabled, text in reversed(rows):
        flag = f"--collector.{name}/--no-collector.{name}"
        help_text = f"{text} On by default." if enabled else text
        command = click.option(flag, f"collector_{name}", default=enabled, help=help_text)(command)
    return command


def _urls(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [text for text in given if check_target("http", text) is not None]:
        raise click.BadParameter(f"{wrong[0]!r} is no address; allowed: {words_for('url')}")
    return tuple(text.rstrip("/") for text in given)


@click.command()
@journal_option
@config_option("Configuration file (YAML).")
@click.option(
    "--web.listen-address",
    "addresses",
    multiple=True,
    default=[DEFAULT_ADDRESS],
    show_default=True,
    metavar="HOST:PORT",
    help="Address to listen on; repeatable.",
)
@click.option("--web.telemetry-path", "telemetry_path", default="/metrics", show_default=True, metavar="PATH")
@click.option("--web.config.file", "web_config", metavar="FILE", help="TLS, users and tokens, in Prometheus' form.")
@click.option(
    "--web.allow-anonymous",
    "allow_anonymous",
    is_flag=True,
    help="Listen beyond loopback though nobody is asked for a credential.",
)
@click.option(
    "--alertmanager.url",
    "alertmanagers",
    multiple=True,
    metavar="URL",
    callback=_urls,
    help="Additional Alertmanager to send alerts to; repeatable.",
)
@click.option(
    "--alerting.fast-path/--no-alerting.fast-path",
    "fast_path",
    default=None,
    help="Send alerts of incidents at once. On by default where an Alertmanager is given.",
)
@click.option("--log.level", "log_level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option("--log.format", "log_format", type=click.Choice(FORMATS), default="logfmt", show_default=True)
@click.option("--watch", "watched", multiple=True, metavar="KIND=PATH", help="Follow a foreign record; repeatable.")
@click.option(
    "--watch-option",
    "watch_options",
    multiple=True,
    metavar="KIND.NAME=VALUE",
    help="An option of the kind (docs/configuration.md), for each --watch of it; repeatable.",
)
@_collector_options
def serve(
    journal: str,
    watched: tuple[str, ...],
    watch_options: tuple[str, ...],
    config_path: str | None,
    addresses: tuple[str, ...],
    telemetry_path: str,
    web_config: str | None,
    allow_anonymous: bool,
    alertmanagers: tuple[str, ...],
    fast_path: bool | None,
    log_level: str,
    log_format: str,
    **collectors: bool,
) -> None:
    """Follow the journal and serve metrics and page until ended by SIGTERM or Ctrl-C.

    SIGHUP, or POST /-/reload, reads the configuration again; one with errors is refused and the old one stays.

    \b
    build-exporter serve
    build-exporter serve --journal /mnt/lfs/var/lib/build-exporter/journal --no-collector.network
    """
    configure_logging(log_level, log_format)
    if not telemetry_path.startswith("/"):
        raise click.UsageError(f"--web.telemetry-path must begin with /, not {telemetry_path!r}")
    call_with_timeout(lambda: check_journal(journal))
    # the log is on standard error, and nothing on standard output: there what a plug-in prints belongs too
    sys.stdout = sys.stderr
    for point in REFUSED_COLLECTORS:
        log.warning("collector not taken, its name is", extra={"collector": point.name, "package": origin(point)})
    config = load_config(config_path)
    known = expected_failures(config).of
    found = WatchedSources(config, watched, watch_options)

    def attaching(row: Watched) -> Callable[[], Attachment]:
        return lambda: Attachment(row.make(), journal, known, row.path)

    sources = SourceRunner((row.label, attaching(row)) for row in found.rows)
    if sources.prepare(SECONDS):
        found.check_options()
    enabled = {name.removeprefix("collector_") for name, on in collectors.items() if on}
    overrides = Overrides(alertmanagers, fast_path)
    exporter = Exporter(journal, config, config_path, telemetry_path, enabled, sources, overrides)
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_many_files()
    try:
        asyncio.run(exporter.serve(addresses, web_config, allow_anonymous=allow_anonymous))
    except (AddressError, ConfigError, CertificateError, TokenError) as error:
        stop("", str(error))
    except ImportError as error:
        extra = "mcp" if (error.name or "").startswith("mcp") else "auth"
        needs = f"{config_path} asks for web.mcp" if extra == "mcp" else f"{web_config} names users"
        stop("", f"{needs}: pip install 'build-exporter[{extra}]' ({error})")
