"""`build-exporter hook`: print the path of the shell hook."""

from __future__ import annotations

from pathlib import Path

import click

import build_exporter


@click.command()
def hook() -> None:
    """Print the path of the shell hook, to be sourced by build scripts.

    \b
    . "$(build-exporter hook)"
    be_start my-build
    be_step chapter-5 binutils-pass1 make

    The file may be copied anywhere, into a chroot too: it needs a POSIX shell and nothing else.
    """
    click.echo(Path(build_exporter.__file__).parent / "shell" / "build-events.sh")
