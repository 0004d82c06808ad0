"""`build-exporter export`: runs in the forms of other tools."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import click
from rich.progress import track

from build_exporter.cli.options import recorded_journal_option, words_of
from build_exporter.cli.output import stop, write_document
from build_exporter.cli.query import SECONDS
from build_exporter.cli.query_http import UnreachableError
from build_exporter.cli.query_output import csv_cell
from build_exporter.cli.query_source import Asked, named_journal, request_of
from build_exporter.config.schema import Config
from build_exporter.export.openmetrics import Export
from build_exporter.export.traces import trace
from build_exporter.formatting import count_of
from build_exporter.logging_setup import configure_logging
from build_exporter.model.events import encode_line
from build_exporter.queries.attempts import attempts
from build_exporter.queries.context import NotFoundError
from build_exporter.queries.request import Request
from build_exporter.report.data import ReportStep, report_steps
from build_exporter.tracker import Run


@click.command()
@click.argument("build", required=False)
@recorded_journal_option
@click.option("--exporter", metavar="URL", help="Ask this running exporter; it has the newest run.")
@click.option("--run", "run_name", metavar="RUN", help="Only this run. Default: all.")
@click.option("--format", "form", type=click.Choice(["openmetrics", "jsonl", "csv", "otlp"]), default="openmetrics",
              show_default=True)  # fmt: skip
@click.option("--interval", type=SECONDS, default=60.0, help="Between samples, for openmetrics. Default: 60s.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write to this file. Default: standard output.")  # fmt: skip
def export(
    build: str | None, journal: str, exporter: str | None, run_name: str | None, form: str, interval: float,
    output: Path | None,
) -> None:  # fmt: skip
    """Export the runs of BUILD, or of all builds.

    openmetrics is for `promtool tsdb create-blocks-from openmetrics FILE DIRECTORY`: its metrics at each interval and
    whenever something happened; jsonl holds the events, csv the steps, otlp a trace of each run for OpenTelemetry.

    \b
    build-exporter export lfs-12.4 --output lfs.om
    build-exporter export --format otlp --output traces.json
    """
    configure_logging("warn", "logfmt")
    asked = Asked(named_journal(journal), exporter, None, build, run_name, None, {}, Config())
    try:
        request = request_of(asked, metrics=False)
        runs = list(_runs(request))
        if not runs:
            raise NotFoundError(f"no run in {request.source}")
        shown = track(runs, "runs", transient=True, disable=not sys.stderr.isatty())
        text, counted = FORMS[form](request, shown, interval)
    except (UnreachableError, NotFoundError, OSError) as error:
        stop("", words_of(error))
    write_document(text, output)
    click.echo(f"{count_of(len(runs), 'run')}: {counted}", err=True)


def _runs(request: Request) -> Iterator[Run]:
    for newest in request.newest():
        if request.run is not None:
            yield request.named(newest.build, request.run)
            continue
        for name in request.older(newest.build):
            yield request.named(newest.build, name)
        yield newest


Form = Callable[[Request, Iterable[Run], float], tuple[str, str]]


def _openmetrics(request: Request, runs: Iterable[Run], interval: float) -> tuple[str, str]:
    found = Export()
    for run in runs:
        found.add(run.build, run.run, list(request.events(run)), max(1.0, interval))
    left_out = "".join(f", {count} left out ({reason})" for reason, count in found.dropped.items())
    return "".join(found.lines()), f"{count_of(found.samples, 'sample')} of {len(found.series)} series{left_out}"


def _jsonl(request: Request, runs: Iterable[Run], interval: float) -> tuple[str, str]:
    lines = [encode_line(event).decode() for run in runs for event in request.events(run)]
    return "".join(lines), count_of(len(lines), "event")


def _csv(request: Request, runs: Iterable[Run], interval: float) -> tuple[str, str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["build", "run", *ReportStep.__struct_fields__])
    count = 0
    for run in runs:
        for step in report_steps(run):
            writer.writerow([run.build, run.run, *(csv_cell(getattr(step, name)) for name in step.__struct_fields__)])
            count += 1
    return text.getvalue(), count_of(count, "step")


def _otlp(request: Request, runs: Iterable[Run], interval: float) -> tuple[str, str]:
    traces = [trace(run, attempts(request, run)) for run in runs]
    spans = sum(len(each["scopeSpans"][0]["spans"]) for each in traces)
    return json.dumps({"resourceSpans": traces}, ensure_ascii=False) + "\n", count_of(spans, "span")


FORMS: Final[dict[str, Form]] = {"openmetrics": _openmetrics, "jsonl": _jsonl, "csv": _csv, "otlp": _otlp}
