"""`build-exporter import`: read past builds from other tools' records into the journal."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import click

from build_exporter.cli.options import config_option, journal_option, load_config, words_of
from build_exporter.cli.output import stop
from build_exporter.cli.progress import progress_shown
from build_exporter.cli.source_arguments import checked_options, expected_failures, find_kind, pair
from build_exporter.config.values import escaped
from build_exporter.logging_setup import configure_logging
from build_exporter.model.names import is_build_name
from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import Settings, SourceError


@click.command("import")
@click.argument("kind")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@journal_option
@click.option("--build", metavar="NAME", help="Name of the line of builds. Default: as the kind finds it.")
@click.option(
    "--book",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For `--option book=DIR` of kind jhalfs: the LFS book's XML. Default: the one in the tree.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the kind (docs/configuration.md); repeatable.",
)
@config_option("Configuration file, for its tests known to fail and failure rules.")
def import_(
    kind: str,
    path: Path,
    journal: str,
    build: str | None,
    book: Path | None,
    options: tuple[str, ...],
    config_path: str | None,
) -> None:
    """Take the finished builds that PATH records into the journal; KIND `auto` finds out whose record it is.

    Events that an earlier import or a live watch already recorded are skipped.

    \b
    build-exporter import jhalfs /mnt/lfs/jhalfs --build lfs-12.4
    build-exporter import portage /mnt/gentoo/emerge.log --option tmpdir=/mnt/gentoo/tmp
    """
    configure_logging("warn", "logfmt")
    if build is not None and not is_build_name(build):
        raise click.UsageError(f"{build!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -")
    config = load_config(config_path)
    found = find_kind(kind, path)
    given = [pair(text, "--option takes NAME=VALUE") for text in options]
    if book is not None:
        given.append(("book", str(book)))
    source = found.make(Settings(path, build, checked_options(found, given)))
    attachment = Attachment(source, journal, expected_failures(config).of)
    try:
        # what a plug-in prints must not get into what this command prints
        with progress_shown(f"reading {escaped(str(path))}"), contextlib.redirect_stdout(sys.stderr):
            lines = attachment.poll(time.time(), over=True)
    except (SourceError, OSError) as error:
        stop("", words_of(error), 1)
    finally:
        attachment.close()
    if not attachment.taken:
        stop("", f"{path}: no build found there by kind {found.name}", 1)
    click.echo(f"{source.build}: {lines} new events from {path}" if lines else f"{source.build}: nothing new in {path}")
