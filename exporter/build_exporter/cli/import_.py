"""`build-exporter import`: past builds, from the records other tools left, into the journal's history."""

from __future__ import annotations

import time
from pathlib import Path

import click

from build_exporter.cli.options import USAGE_ERROR, journal_option
from build_exporter.cli.records import source_options
from build_exporter.model.names import is_build_name
from build_exporter.sources.attach import Attachment
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.sources.registry import kinds, recognise


@click.command("import")
@click.argument("kind")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@journal_option
@click.option("--build", metavar="NAME", help="Name of the line of builds. Default: as the kind finds it.")
@click.option(
    "--book",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="jhalfs: the LFS book's XML, for the steps' SBU. Default: the one in the tree.",
)
def import_(kind: str, path: Path, journal: str, build: str | None, book: Path | None) -> None:
    """Take the finished builds that PATH records into the journal; KIND `auto` finds out whose record it is.

    What an earlier import, or watching it live, has already told is left out.

    \b
    build-exporter import jhalfs /mnt/lfs/jhalfs --build lfs-12.4
    build-exporter import portage /var/log/emerge.log
    """
    found = recognise(path) if kind == "auto" else kinds().get(kind)
    if found is None:
        names = ", ".join(sorted(kinds()))
        told = f"{path} looks like no record of: {names}" if kind == "auto" else f"no kind {kind!r}; there are: {names}"
        click.echo(f"build-exporter: {told}", err=True)
        raise SystemExit(USAGE_ERROR)
    if build is not None and not is_build_name(build):
        click.echo(f"build-exporter: {build!r} can't name a build: 1 to 100 of A-Z a-z 0-9 . _ + -", err=True)
        raise SystemExit(USAGE_ERROR)
    source = found.make(Settings(path, build, source_options(found.name, path, book)))
    attachment = Attachment(source, journal)
    try:
        lines = attachment.look(time.time(), over=True)
    except (SourceError, OSError) as error:
        click.echo(f"build-exporter: {error}", err=True)
        raise SystemExit(1) from None
    finally:
        attachment.close()
    click.echo(f"{source.build}: {lines} new events from {path}" if lines else f"{source.build}: nothing new in {path}")
