"""The query commands, made from their declarations: one grammar for all of them."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from build_exporter.cli.options import USAGE_ERROR, journal_option, load_config
from build_exporter.cli.query_http import UnreachableError
from build_exporter.cli.query_output import print_reply
from build_exporter.cli.query_source import Asked, named_journal, request_of
from build_exporter.config.values import READINGS
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import is_build_name
from build_exporter.model.states import FailureClass, StepState
from build_exporter.queries.commands import SUMMARIES, find
from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.queries.request import Query, Reply, Window

CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"


class _Parsed(click.ParamType[float]):
    """A value in the form of the configuration: `90m`, `20G`."""

    def __init__(self, name: str, read: Callable[[str], float], allowed: str) -> None:
        self.name = name
        self._read = read
        self._allowed = allowed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the value as a number in its base unit."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return self._read(str(value))
        except ValueError:
            self.fail(f"{value!r} is no {self.name}; {self._allowed}", param, ctx)


SECONDS: Final = _Parsed("duration", READINGS["seconds"].read, "say 90, 30m, 2h or 3d")
SIZE: Final = _Parsed("size", READINGS["bytes"].read, "say 500MB or 20GiB")

FILTERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "status": {"type": click.Choice([state.label for state in StepState]), "help": "Only steps in this state."},
    "phase": {"metavar": "NAME", "help": "Only steps of this phase."},
    "severity": {"type": click.Choice(["critical", "warning"]), "help": "Only errors of this severity."},
    "class": {"type": click.Choice([str(each) for each in FailureClass]), "help": "Only failures of this class."},
    "threshold": {
        "type": float,
        "metavar": "NUMBER",
        "help": "From where on the answer is not fine, or a row is shown.",
    },
    "tolerance": {"type": click.FloatRange(0, 10), "metavar": "RATIO", "help": "Lateness that is still on schedule."},
    "metric": {"type": click.Choice(["last", "avg", "p50", "p95", "max"]), "help": "Over the window, of Prometheus."},
    "resource": {"metavar": "LIST", "help": "Some of cpu,memory,disk,io. Default: all."},
    "trend": {"type": click.Choice(["increasing", "decreasing", "steady"]), "help": "Only what moves so."},
    "bucket": {"type": SECONDS, "help": "Length of each part, as 30m."},
    "limit": {"type": click.IntRange(1), "metavar": "N", "help": "At most so many rows."},
    "free": {"type": SIZE, "help": "Free disk space. Default: what is free where the journal is."},
    "memory": {"type": SIZE, "help": "Available memory. Default: what is available on this machine."},
}
"""The options that queries may ask for beside the common ones; a further one is a row."""


def command_for(name: str) -> click.Command:
    """Return the command of a query."""
    query = find(name)
    parameters: list[click.Parameter] = [click.Argument([each], required=False) for each in query.arguments]
    parameters += [click.Option([f"--{each}"], **FILTERS[each]) for each in query.filters]

    def call(**given: Any) -> None:
        _run(name, query, given)

    command = click.Command(name, callback=call, params=parameters, help=_help(name, query), short_help=SUMMARIES[name])
    for add in reversed(_COMMON):
        command = add(command)
    return command


def _help(name: str, query: Query) -> str:
    fine = f"\n\nExits with 1 when {query.not_fine}." if query.not_fine else ""
    return f"{query.about}{fine}\n\n\b\nbuild-exporter {name} {query.example}".rstrip()


_COMMON: Final[tuple[Callable[[Any], Any], ...]] = (
    journal_option,
    click.option("--exporter", metavar="URL", help="Ask this running exporter."),
    click.option("--prometheus", metavar="URL", help="Ask this Prometheus: for windows of time and other machines."),
    click.option("--build", metavar="NAME", help="Only this build."),
    click.option("--run", metavar="RUN", help="Only this run; `newest` and `previous` name the last two."),
    click.option("--since", metavar="TIME", help="From this time on: 2h, 3d (ago), 2026-01-31T08:00 or Unix seconds."),
    click.option("--until", metavar="TIME", help="Up to this time. Default: now."),
    click.option("--window", type=SECONDS, help="So long up to --until, as 90m, 24h."),
    click.option("--config", "config_path", metavar="FILE", help="Configuration, for its schedule and thresholds."),
    click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C."),
    click.option("--interval", type=SECONDS, default=2.0, show_default="2s", help="Time from one to the next."),
    click.option("--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True),
)


def _run(name: str, query: Query, given: dict[str, Any]) -> None:
    """Answer once, or with --watch again and again; exit with 1 when the answer is not fine, 2 on wrong use."""
    configure_logging("warn", "logfmt")
    try:
        while True:
            reply = _answer(name, query, given)
            if not given["watch"]:
                raise SystemExit(1 if reply.bad else 0)
            sys.stdout.flush()
            time.sleep(max(0.2, given["interval"]))
    except (UnreachableError, NotFoundError, BadRequestError) as error:
        click.echo(f"build-exporter: {error}", err=True)
        raise SystemExit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _answer(name: str, query: Query, given: dict[str, Any]) -> Reply:
    request = request_of(_asked(query, given), metrics=query.metrics)
    reply = query.run(request)
    if (limit := given.get("limit")) is not None:
        reply = reply._replace(rows=reply.rows[:limit])
    if given["watch"] and sys.stdout.isatty():
        sys.stdout.write(CLEAR)
    head = {"query": name, "source": request.source, "now": request.now}
    print_reply(reply, query.row, given["output"], head)
    return reply


def _asked(query: Query, given: Mapping[str, Any]) -> Asked:
    build = given["build"]
    if build is not None and not is_build_name(build):
        raise click.UsageError(f"{build!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    if given["exporter"] and given["prometheus"]:
        raise click.UsageError("--exporter and --prometheus: give one of them")
    names = (*query.filters, *query.arguments)
    return Asked(
        journal=named_journal(given["journal"]),
        exporter=given["exporter"],
        prometheus=given["prometheus"],
        build=build,
        run=given["run"],
        window=window_of(given["since"], given["until"], given["window"], time.time()),
        filters={each: given.get(each) for each in names} | _free(query, given),
        config=load_config(given["config_path"]),
    )


def _free(query: Query, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is free here where a query asks and nobody said."""
    if "free" not in query.filters:
        return {}
    import psutil  # noqa: PLC0415

    place = next(
        (each for each in (Path(given["journal"]), *Path(given["journal"]).parents) if each.exists()), Path("/")
    )
    free, memory = given["free"], given["memory"]
    return {
        "free": int(free if free is not None else shutil.disk_usage(place).free),
        "memory": int(memory if memory is not None else psutil.virtual_memory().available),
    }


def window_of(since: str | None, until: str | None, length: float | None, now: float) -> Window | None:
    """Return the window of time that the options name, None without any.

    Raises:
        click.UsageError: they contradict each other, or one is no time.
    """
    if since is None and until is None and length is None:
        return None
    if since is not None and length is not None:
        raise click.UsageError("--since and --window: give one of them")
    end = now if until is None else moment(until, now, "--until")
    begin = 0.0 if since is None and length is None else end - length if length else moment(since or "", now, "--since")
    if begin >= end:
        raise click.UsageError("the window of time ends before it begins: --since must be before --until")
    return Window(begin, end)


def moment(text: str, now: float, flag: str) -> float:
    """Return the Unix time that a text names: so long ago, a date, or seconds.

    Raises:
        click.UsageError: it names none.
    """
    for read in (float, lambda ago: now - READINGS["seconds"].read(ago), READINGS["time"].read):
        with contextlib.suppress(ValueError):
            return float(read(text))
    raise click.UsageError(f"{flag} {text!r} is no time; say 2h, 3d (ago), 2026-01-31T08:00 or Unix seconds")
