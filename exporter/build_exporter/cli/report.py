"""`build-exporter report`: a run as a document to keep or to hand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import jinja2

from build_exporter.analysis.sbu import sbu_report
from build_exporter.cli.options import config_option, load_config, recorded_journal_option, words_of
from build_exporter.cli.output import stop, write_document
from build_exporter.cli.progress import progress_shown
from build_exporter.cli.query_http import UnreachableError
from build_exporter.cli.query_source import Asked, free_here, named_journal, request_of
from build_exporter.config.views import View
from build_exporter.logging_setup import configure_logging
from build_exporter.queries.commands import find
from build_exporter.queries.context import BadRequestError, NotFoundError
from build_exporter.queries.request import Request
from build_exporter.report.data import report as report_of
from build_exporter.report.formats import FORMATS, TEMPLATED, by_plugin, plugin_formats
from build_exporter.sources.isolation import PluginError

ALL_FORMATS = (*FORMATS, "sbu")


@click.command()
@click.argument("build", required=False)
@recorded_journal_option
@click.option("--exporter", metavar="URL", help="Ask this running exporter; it has the newest run.")
@click.option("--run", "run_name", metavar="RUN", help="This run; `previous` names the one before the newest.")
@click.option("--compare", "compare_with", metavar="RUN", help="Compare with this run, or with `previous`.")
@click.option("--format", "form", metavar="NAME",
              help=f"{', '.join(ALL_FORMATS)}, or one of a plug-in. Default: html, on a terminal md.")  # fmt: skip
@click.option("--template", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Your own jinja2 template, for html and md.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write to this file. Default: standard output.")  # fmt: skip
@config_option("Configuration, for the views that are sections of reports, and for its failure rules.")
def report(
    build: str | None, journal: str, exporter: str | None, run_name: str | None, compare_with: str | None,
    form: str | None, template: Path | None, output: Path | None, config_path: str | None,
) -> None:  # fmt: skip
    """Write a report of a run of BUILD, by default of the build that was active last.

    html is one file with plots, for screens, phones and print; sbu is the SBU and disk report of jhalfs.

    \b
    build-exporter report lfs-12.4 --output lfs.html
    build-exporter report lfs-12.4 --compare previous --format md
    """
    configure_logging("warn", "logfmt")
    form = form or ("md" if output is None and sys.stdout.isatty() else "html")
    if form not in ALL_FORMATS and form not in plugin_formats():
        raise click.UsageError(f"there is no format {form!r}; formats: {', '.join((*ALL_FORMATS, *plugin_formats()))}")
    if template is not None and form not in TEMPLATED:
        raise click.UsageError(f"--template is for {' and '.join(TEMPLATED)}, not for {form}")
    config = load_config(config_path)
    views = [view for view in config.views if view.report is not None]
    questions = [find(view.query) for view in views]
    free = free_here(journal) if any("free" in query.filters for query in questions) else {}
    asked = Asked(named_journal(journal), exporter, None, build, run_name, None, free, config)
    try:
        with progress_shown("making the report"):
            request = request_of(asked, metrics=any(query.metrics for query in questions))
            text = _text(request, compare_with, form, template, views)
    except (
        UnreachableError,
        NotFoundError,
        BadRequestError,
        PluginError,
        jinja2.TemplateError,
        ValueError,
        OSError,
    ) as error:
        stop("", words_of(error))
    write_document(text, output)
    if output is not None:
        click.echo(f"{output}: {len(text.encode()):,} bytes", err=True)


def _text(request: Request, compare_with: str | None, form: str, template: Path | None, views: Sequence[View]) -> str:
    if not request.newest():
        raise NotFoundError(f"no build in {request.source}")
    if form == "sbu":
        run = request.named(request.newest()[0].build, request.run or "newest")
        settings = {"N_PARALLEL": str(run.jobs_used)} if run.jobs_used else {}
        date = time.strftime("%a %b %e %H:%M:%S UTC %Y", time.gmtime(run.end or request.now))
        return sbu_report(run, date, settings, _output("lscpu"), _output("free"))
    found = report_of(request, compare_with, views)
    if form not in FORMATS:
        return by_plugin(plugin_formats()[form], found)
    return TEMPLATED[form](found, template) if form in TEMPLATED else FORMATS[form](found)


def _output(program: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - one of two names in this file
            [program], capture_output=True, text=True, check=False, timeout=10, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
