"""`build-exporter view`: the questions that the configuration keeps, by name."""

from __future__ import annotations

import os
from typing import Any

import click

from build_exporter.cli.options import CONFIG_VARIABLE, load_config, read_config
from build_exporter.cli.query import COMMON, run_query, wrong_use
from build_exporter.cli.query_output import print_reply
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.config.views import View
from build_exporter.queries.commands import find
from build_exporter.queries.views import ViewRow, asked, filters_of, find_view, listed


class ViewCommand(click.Command):
    """A command whose help lists the views of the configuration that is named."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the views, or why they can't be read; nothing where no configuration is named."""
        path = ctx.params.get("config_path") or os.environ.get(CONFIG_VARIABLE)
        if not path:
            return
        with formatter.section(f"Views of {path}"):
            try:
                rows = [(each.name, _line(each)) for each in read_config(path).views]
            except ConfigError as error:
                rows = [("none", str(error).splitlines()[0])]
            formatter.write_dl(rows or [("none", "it has no views")])


@click.command(cls=ViewCommand)
@click.argument("name", required=False, shell_complete=lambda ctx, param, text: _offered(ctx, text))
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many rows.")
def view(name: str | None, **given: Any) -> None:
    """Ask the question that the configuration keeps as NAME under `views`; without NAME, list them.

    Options given here take precedence over the view's. Exits with 1 when the view's query does.

    \b
    build-exporter view --config examples/config.yml
    build-exporter view 'long steps' --config examples/config.yml
    """
    config = load_config(given["config_path"])
    if name is None:
        head = {"query": "view", "source": given["config_path"] or "no configuration"}
        print_reply(listed(config), ViewRow, given["output"], head)
        return
    with wrong_use():
        kept = find_view(config, name)
    query = find(kept.query)
    given = dict.fromkeys((*query.filters, *query.arguments)) | filters_of(kept) | given
    given |= {each: given[each] or getattr(kept, each) for each in ("build", "run")}
    if given["since"] is given["until"] is given["window"] is None:
        given["window"] = kept.window
    run_query(kept.query, query, given, kept)


def _line(kept: View) -> str:
    return f"{kept.title}: {asked(kept)}" if kept.title else asked(kept)


def _offered(context: click.Context, text: str) -> list[str]:
    """Return the names of views that begin so, for the shell's completion."""
    path = context.params.get("config_path") or os.environ.get(CONFIG_VARIABLE)
    try:
        views = read_config(path).views if path else Config().views
    except ConfigError:
        return []
    return [each.name for each in views if each.name.startswith(text)]


for _add in COMMON:
    view = _add(view)
