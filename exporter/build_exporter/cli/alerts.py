"""`build-exporter alerts`: what fires, what was, and a person's answer to it."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from build_exporter.alerting.acknowledgements import LAST_TIER, Answered, acknowledge, escalate, firing
from build_exporter.alerting.client import Client, RefusedError, UnreachableError
from build_exporter.alerting.conditions import HostConditions
from build_exporter.alerting.reachability import health, unheard
from build_exporter.alerting.sample import sample_alert
from build_exporter.cli.options import config_option, load_config, output_option, recorded_journal_option, words_of
from build_exporter.cli.output import print_json, stop
from build_exporter.config.alerting import Alerting, Alertmanager
from build_exporter.config.values import READINGS
from build_exporter.formatting import clock_time, duration
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import nearest_names
from build_exporter.monitor import Monitor
from build_exporter.queries.alerts import AlertRow, AlertStats, alert_stats
from build_exporter.queries.alerts import alerts as alerts_of
from build_exporter.queries.context import BadRequestError, Context, NotFoundError

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_URL = "http://localhost:9093"
ROUTED = "notified as routed by Alertmanager"


@click.group()
def alerts() -> None:
    """List, acknowledge, escalate and test alerts.

    The journal keeps who acknowledged what; a running exporter sees it there and keeps Alertmanager quiet accordingly.
    """
    configure_logging("warn", "logfmt")


_config_option = config_option("Configuration file (YAML).")


def _server_options(command: F) -> F:
    url = click.option("--alertmanager.url", "urls", multiple=True, metavar="URL", help=f"Default: {DEFAULT_URL}.")
    return _config_option(url(command))


def _by_option(command: F) -> F:
    by = click.option("--by", metavar="NAME", default=_user, help="Who answers. Default: the user.")
    return by(click.option("--message", metavar="TEXT", default="", help="What is done about it.")(command))


def _user() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def _context(journal: str, config: Alerting | None = None, build: str | None = None) -> Context:
    """Return what the journal says; end the command where it has no build of the name given."""
    monitor = Monitor(journal)
    monitor.poll()
    for _ in monitor.read_history():
        pass
    escalation = (config or Alerting()).escalation
    now = time.time()
    known = monitor.tracker.builds
    if build is not None and build not in known:
        stop("alerts", f"no build {build} in {journal}; there are: {nearest_names(build, known)}")
    host = HostConditions(journal).incidents(now)
    return Context(known, now, escalation=escalation, host_incidents=host, journal=journal)


@alerts.command(name="list")
@recorded_journal_option
@_config_option
@click.option("--build", metavar="NAME", help="Only this build.")
@click.option("--all", "history", is_flag=True, help="Also those that are over.")
@output_option
def list_(journal: str, config_path: str | None, build: str | None, history: bool, output: str) -> None:
    """List the alerts that fire, with who has them.

    Exits with 1 when one fires that nobody has acknowledged.

    \b
    build-exporter alerts list
    build-exporter alerts list --all --build lfs-12.4 --output json
    """
    context = _context(journal, load_config(config_path).alerting, build)
    found = _answered(lambda: alerts_of(context, build, history=history))
    if output == "json":
        print_json(found)
    elif not found.alerts:
        click.echo("no alert fires" if not history else "no alert is known")
    else:
        way = _way(config_path) if any(row.next_tier_at for row in found.alerts) else ""
        click.echo("\n".join(line for row in found.alerts for line in _row_lines(row, context.now, way)))
    raise SystemExit(1 if any(row.state == "firing" and row.acknowledged is None for row in found.alerts) else 0)


def _way(config_path: str | None) -> str:
    """Return who notifies people of a further tier, as far as the configuration and its Alertmanagers show it."""
    if config_path is None:
        return f"{ROUTED}, where there is one"
    clients = [Client(server, timeout=2.0) for server in load_config(config_path).alerting.servers()]
    return unheard(clients, asyncio.run(health(clients))) or ROUTED


def _row_lines(row: AlertRow, now: float, way: str) -> Iterator[str]:
    over = f", over after {duration(row.until - row.since)}" if row.until is not None else ""
    tier = f", tier {row.tier}" if row.tier > 1 else ""
    named = ", ".join(f"{name} {value}" for name, value in row.labels.items())
    about = f" ({named})" if named else ""
    yield f"{row.build}: {row.alert}{about}, {row.severity or 'no severity'}{tier}, since {clock_time(row.since)}{over}"
    if row.description or row.summary:
        yield f"  {' '.join((row.description or row.summary).split())}"
    if row.acknowledged is not None:
        said = f": {row.acknowledged.message}" if row.acknowledged.message else ""
        yield f"  acknowledged by {row.acknowledged.by or 'somebody'}, {clock_time(row.acknowledged.at)}{said}"
    elif row.next_tier_at is not None:
        yield f"  tier {row.tier + 1} in {duration(row.next_tier_at - now)} unless acknowledged; {way}"


@alerts.command()
@recorded_journal_option
@_config_option
@click.option("--build", metavar="NAME", help="Only this build.")
@output_option
def stats(journal: str, config_path: str | None, build: str | None, output: str) -> None:
    """Show how often alerts fired, how long they took to be acknowledged and resolved, and what that suggests.

    \b
    build-exporter alerts stats
    """
    found = _answered(lambda: alert_stats(_context(journal, load_config(config_path).alerting, build), build))
    if output == "json":
        print_json(found)
        return
    click.echo("\n".join(_stats_lines(found)))


def _stats_lines(found: AlertStats) -> Iterator[str]:
    if not found.fired:
        yield "no alert is known; Alertmanager's webhook to /api/v1/alerts brings the history"
        return
    yield f"{'alert':<32} {'fired':>6} {'ack.':>5} {'flaps':>6} {'to acknowledge':>15} {'to resolve':>12}"
    for each in found.names:
        taken, solved = _mean(each.mean_seconds_to_acknowledge), _mean(each.mean_seconds_to_resolve)
        yield f"{each.alert:<32} {each.fired:>6} {each.acknowledged:>5} {each.flapped:>6} {taken:>15} {solved:>12}"
    taken, solved = _mean(found.mean_seconds_to_acknowledge), _mean(found.mean_seconds_to_resolve)
    yield f"{'all':<32} {found.fired:>6} {'':>5} {'':>6} {taken:>15} {solved:>12}"
    yield from (f"- {line}" for line in found.advice)


def _mean(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


@alerts.command()
@click.argument("build")
@click.argument("alert", required=False)
@recorded_journal_option
@_by_option
@output_option
def ack(build: str, alert: str | None, journal: str, by: str, message: str, output: str) -> None:
    """Acknowledge the alerts of BUILD that fire, or only ALERT: you have it, nobody else is called.

    A running exporter silences it in Alertmanager as long as it stands, and ends the silence with it.

    \b
    build-exporter alerts ack lfs-12.4 --message "needs more memory, -j4 is running"
    """
    context = _context(journal, build=build)
    _report(_answered(lambda: acknowledge(context, firing(context, build, alert), by, message)), "acknowledged", output)


@alerts.command(name="escalate")
@click.argument("build")
@click.argument("alert", required=False)
@click.option("--tier", type=click.IntRange(2, LAST_TIER), help="Default: the next one.")
@recorded_journal_option
@_config_option
@_by_option
@output_option
def escalate_(
    build: str,
    alert: str | None,
    tier: int | None,
    journal: str,
    config_path: str | None,
    by: str,
    message: str,
    output: str,
) -> None:
    """Send the incidents of BUILD on to the next tier now, or only ALERT.

    The tier is recorded in the journal. Whom it reaches is decided by the routes of Alertmanager.

    \b
    build-exporter alerts escalate lfs-12.4
    """
    context = _context(journal, load_config(config_path).alerting, build)

    def act() -> list[Answered]:
        rows = [row for row in firing(context, build, alert) if row.has_tiers or alert]
        return escalate(context, rows, by, message, tier)

    _report(_answered(act), "recorded", output, lambda: _way(config_path))


def _report(answered: list[Answered], done: str, output: str, way: Callable[[], str] | None = None) -> None:
    """Print what was answered; `way` returns how a tier that was recorded is notified."""
    if output == "json":
        print_json(answered)
        return
    notifies = way() if way is not None and answered else ""
    for each in answered:
        before = each.before
        also = f"; {before.by or 'somebody'} acknowledged it before, {clock_time(before.at)}" if before else ""
        what = f"tier {each.tier} recorded; {notifies}" if notifies else done
        click.echo(f"{each.build}: {each.alert} {what}{also}")


@alerts.command()
@click.argument("build")
@click.argument("alert", required=False)
@click.option("--for", "length", default="2h", show_default=True, metavar="DURATION", help="How long.")
@_server_options
@_by_option
def silence(
    build: str, alert: str | None, length: str, urls: tuple[str, ...], config_path: str | None, by: str, message: str
) -> None:
    """Silence BUILD in Alertmanager for a time, or only ALERT of it, whatever fires meanwhile.

    To say that you have an alert, acknowledge it instead: that silence ends when the alert does.

    \b
    build-exporter alerts silence lfs-12.4 --for 30m --message "trying things out"
    """
    try:
        seconds = float(READINGS["seconds"].read(length))
    except ValueError:
        stop("alerts", f"{length!r} is no duration; say 30m or 2h")
    matched = {"build": build} | ({"alertname": alert} if alert else {})
    now = time.time()
    body = {
        "matchers": [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in matched.items()],
        "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
        "endsAt": datetime.fromtimestamp(now + seconds, UTC).isoformat(),
        "createdBy": by,
        "comment": message or "by build-exporter alerts silence",
    }
    for server in _servers(urls, config_path):
        made = _ask(server, "POST", "/api/v2/silences", body)
        number = made.get("silenceID", "") if isinstance(made, dict) else ""
        click.echo(f"{server.url}: silenced until {clock_time(now + seconds)} ({number})")


@alerts.command()
@_server_options
def test(urls: tuple[str, ...], config_path: str | None) -> None:
    """Send a test alert through Alertmanager to the receivers of critical alerts.

    It is over by itself after a minute. `build-exporter doctor` also checks the rest of the way.

    \b
    build-exporter alerts test --alertmanager.url http://localhost:9093
    """
    name = uuid.uuid4().hex[:8]
    for server in _servers(urls, config_path):
        _ask(server, "POST", "/api/v2/alerts", [sample_alert(name, time.time())])
        click.echo(f"{server.url}: test alert {name} accepted; receivers of critical alerts are sent it now")


def _servers(urls: tuple[str, ...], config_path: str | None) -> tuple[Alertmanager, ...]:
    configured = load_config(config_path).alerting.servers()
    return tuple(Alertmanager(url=url) for url in urls) or configured or (Alertmanager(url=DEFAULT_URL),)


def _ask(server: Alertmanager, method: str, path: str, body: object) -> Any:
    try:
        return asyncio.run(Client(server, timeout=10.0).ask(method, path, body))
    except (UnreachableError, RefusedError) as problem:
        stop("alerts", str(problem), 1)


T = TypeVar("T")


def _answered(act: Callable[[], T]) -> T:
    try:
        return act()
    except NotFoundError as problem:
        stop("alerts", str(problem), 1)
    except BadRequestError as problem:
        stop("alerts", str(problem))
    except OSError as problem:
        stop("alerts", f"the journal can't be written: {words_of(problem)}", 1)
