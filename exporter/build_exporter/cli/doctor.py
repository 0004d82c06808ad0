"""`build-exporter doctor`: is the way of an alert whole, from the exporter to a person?"""

from __future__ import annotations

import asyncio
import sys

import click

from build_exporter.alerting.client import Client
from build_exporter.alerting.doctor import Chain, Check
from build_exporter.cli.options import config_option, load_config, output_option
from build_exporter.cli.output import print_json
from build_exporter.config.alerting import Alertmanager
from build_exporter.logging_setup import configure_logging
from build_exporter.model.text import plain_line

TIMEOUT_SECONDS = 5.0
PROMETHEUS = "http://localhost:9090"
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@click.option("--exporter.url", "exporter", default="http://localhost:10110", show_default=True, metavar="URL")
@click.option(
    "--prometheus.url",
    "prometheus",
    metavar="URL",
    help=f"Default: {PROMETHEUS}, which may be missing.",
)
@click.option(
    "--alertmanager.url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Default: those of --config, else http://localhost:9093.",
)
@config_option("Configuration file (YAML).")
@click.option("--test/--no-test", default=True, show_default=True, help="Send a test alert to the receivers.")
@output_option
def doctor(
    exporter: str, prometheus: str | None, urls: tuple[str, ...], config_path: str | None, test: bool, output: str
) -> None:
    """Check each link between the exporter and a person's telephone, and say what to do where one is broken.

    Works with servers that others set up, of Prometheus 2.42 and Alertmanager 0.25 and later. Exits with 1 when a link
    is broken.

    \b
    build-exporter doctor
    build-exporter doctor --no-test --prometheus.url http://metrics:9090 --alertmanager.url http://metrics:9093
    """
    configure_logging("error", "logfmt")
    configured = load_config(config_path).alerting.servers()
    servers = tuple(Alertmanager(url=url) for url in urls) or configured or (Alertmanager(url="http://localhost:9093"),)
    alertmanagers = [Client(each, TIMEOUT_SECONDS) for each in servers]
    chain = Chain(_client(exporter), _client(prometheus or PROMETHEUS), alertmanagers, test, prometheus is not None)
    checks = asyncio.run(_checked(chain, show=output == "table"))
    if output == "json":
        print_json(checks)
    sys.exit(1 if any(check.state == "failed" for check in checks) else 0)


def _client(url: str) -> Client:
    return Client(Alertmanager(url=url), TIMEOUT_SECONDS)


async def _checked(chain: Chain, *, show: bool) -> list[Check]:
    checks = []
    async for check in chain.run():
        checks.append(check)
        if show:
            state = click.style(f"{check.state:<8}", fg=_COLOURS[check.state])
            click.echo(f"{state}{check.link}: {plain_line(check.seen)}")
            if check.remedy:
                click.echo(f"        to do: {plain_line(check.remedy)}")
    return checks
