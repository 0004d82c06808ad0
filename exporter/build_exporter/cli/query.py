"""The query commands, made from their declarations: one grammar for all of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, NoReturn
from urllib.parse import urlsplit

import click
from msgspec import inspect

from build_exporter.cli.options import config_option, load_config, recorded_journal_option
from build_exporter.cli.output import stop
from build_exporter.cli.progress import begin_frame
from build_exporter.cli.query_http import UnreachableError
from build_exporter.cli.query_output import print_reply
from build_exporter.cli.query_source import Asked, free_here, named_journal, request_of
from build_exporter.config import section
from build_exporter.config.section import About, field_type
from build_exporter.config.values import READINGS, allowed, read
from build_exporter.config.views import View
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import MAX_TIME, is_build_name
from build_exporter.queries.commands import SUMMARIES, find
from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.queries.filters import FILTERS
from build_exporter.queries.request import Query, Reply, Window
from build_exporter.queries.views import shaped


class _Text(click.ParamType[Any]):
    """A value in the form that the configuration has for it: `90m`, `20G`."""

    def __init__(self, kind: inspect.Type, about: About) -> None:
        assert about.form is not None, "what is no choice has a form"
        self.name = READINGS[about.form].noun.split()[-1]
        self._read = partial(read, kind=kind, form=about.form, within=about.within)
        self._allowed = allowed(kind, about.form, about.within)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, a number in its base unit."""
        if isinstance(value, int | float):
            return value
        try:
            return self._read(str(value))
        except ValueError:
            self.fail(f"{value!r} is not {self._allowed}", param, ctx)


class _List(click.ParamType[Any]):
    """Some of several words, with commas between them."""

    name = "list"

    def __init__(self, word: click.Choice[str]) -> None:
        self._word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the words."""
        words = value.split(",") if isinstance(value, str) else value
        return tuple(self._word.convert(each.strip(), param, ctx) for each in words)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return the words as help shows them."""
        return ",".join(self._word.choices)


def _taken(annotation: Any) -> tuple[click.ParamType[Any], About]:
    """Return the type of an option for a value of the configuration's form, and what is known of it."""
    kind, about, _ = field_type(inspect.type_info(annotation))
    assert about is not None, "every option is described"
    match kind:
        case inspect.LiteralType():
            return click.Choice(tuple(map(str, kind.values))), about
        case inspect.VarTupleType(item_type=inspect.LiteralType(values=values)):
            return _List(click.Choice(tuple(map(str, values)))), about
        case _:
            return _Text(kind, about), about


def _filter_option(name: str) -> click.Option:
    kind, about = _taken(FILTERS[name])
    return click.Option([f"--{name}"], type=kind, help=about.description)


SECONDS: Final = _taken(Annotated[float, section.about("A time.", "seconds", within=(0.1, None))])[0]


def command_for(name: str) -> click.Command:
    """Return the command of a query."""
    query = find(name)
    parameters: list[click.Parameter] = [click.Argument([each], required=False) for each in query.arguments]
    parameters += map(_filter_option, query.filters)

    def call(**given: Any) -> None:
        run_query(name, query, given)

    command = click.Command(name, callback=call, params=parameters, help=_help(name, query), short_help=SUMMARIES[name])
    for add in COMMON:
        command = add(command)
    return command


def _help(name: str, query: Query) -> str:
    fine = f"\n\nExits with 1 when {query.not_fine}." if query.not_fine else ""
    return f"{query.about}{fine}\n\n\b\nbuild-exporter {name} {query.example}".rstrip()


COMMON: Final[tuple[Callable[[Any], Any], ...]] = (
    recorded_journal_option,
    click.option("--exporter", metavar="URL", help="Ask this running exporter."),
    click.option("--prometheus", metavar="URL", help="Ask this Prometheus: for windows of time and other machines."),
    click.option("--build", metavar="NAME", help="Only this build."),
    click.option("--run", metavar="RUN", help="Only this run; `newest` and `previous` name the last two."),
    click.option("--since", metavar="TIME", help="From this time on: 2h, 3d (ago), 2026-01-31T08:00 or Unix seconds."),
    click.option("--until", metavar="TIME", help="Up to this time. Default: now."),
    click.option("--window", type=SECONDS, help="So long up to --until, as 90m, 24h."),
    config_option("Configuration, for its schedule, thresholds and views.", early=True),
    click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C."),
    click.option("--interval", type=SECONDS, default=2.0, help="Time from one to the next. Default: 2s."),
    click.option("--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True),
)


def run_query(name: str, query: Query, given: Mapping[str, Any], view: View | None = None) -> NoReturn:
    """Answer once, or with --watch again and again; exit with 1 when the answer is not fine, 2 on wrong use."""
    configure_logging("warn", "logfmt")
    with wrong_use():
        while True:
            reply = _answer(name, query, given, view)
            if not given["watch"]:
                raise SystemExit(1 if reply.bad else 0)
            sys.stdout.flush()
            time.sleep(given["interval"])
    raise AssertionError("wrong use ends the command")


@contextlib.contextmanager
def wrong_use() -> Iterator[None]:
    """End the command with one sentence and code 2 where a question can't be answered, with 0 on Ctrl-C."""
    try:
        yield
    except (UnreachableError, NotFoundError, BadRequestError) as error:
        stop("", str(error))
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _answer(name: str, query: Query, given: Mapping[str, Any], view: View | None) -> Reply:
    request = request_of(_asked(query, given), metrics=query.metrics)
    reply, row = query.run(request), query.row
    if view is not None:
        reply, row = shaped(view, reply, row)
    if (limit := given.get("limit")) is not None:
        reply = reply._replace(rows=reply.rows[:limit])
    if given["watch"]:
        begin_frame()
    head = {"query": name, "source": request.source, "now": request.now}
    if view is not None:
        head["view"] = view.name
    print_reply(reply, row, given["output"], head, every=view is not None and bool(view.columns))
    return reply


def _asked(query: Query, given: Mapping[str, Any]) -> Asked:
    build = given["build"]
    if build is not None and not is_build_name(build):
        raise click.UsageError(f"{build!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    if given["exporter"] and given["prometheus"]:
        raise click.UsageError("--exporter and --prometheus: give one of them")
    for option in ("exporter", "prometheus"):
        if given[option] is not None and urlsplit(given[option]).scheme not in ("http", "https"):
            raise click.UsageError(f"--{option} {given[option]} is no http:// or https:// address")
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
    return {name: value if given[name] is None else given[name] for name, value in free_here(given["journal"]).items()}


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
    begin = end - length if length is not None else 0.0 if since is None else moment(since, now, "--since")
    if begin >= end:
        raise click.UsageError("the window of time ends before it begins: --since must be before --until")
    return Window(begin, end)


def moment(text: str, now: float, flag: str) -> float:
    """Return the Unix time that a text names: so long ago, a date (without a zone in that of this machine), or seconds.

    Raises:
        click.UsageError: it names none.
    """
    for form in (float, lambda ago: now - READINGS["seconds"].read(ago), _date):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            if 0 <= (found := float(form(text))) <= MAX_TIME:
                return found
    raise click.UsageError(f"{flag} {text!r} is no time; say 2h, 3d (ago), 2026-01-31T08:00 or Unix seconds")


def _date(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
