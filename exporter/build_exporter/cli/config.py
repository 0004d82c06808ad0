"""`build-exporter config`: check the configuration file."""

from __future__ import annotations

import sys

import click
from msgspec import structs

from build_exporter.cli.options import read_config
from build_exporter.config.problems import ConfigError
from build_exporter.config.schema import Config
from build_exporter.config.values import escaped
from build_exporter.logging_setup import configure_logging
from build_exporter.sources.registry import fault_of


@click.group()
def config() -> None:
    """Check the configuration file."""


@config.command()
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Report every error in the configuration FILE with its line and column.

    Exit code 0: the file is right; 2: it is not, or cannot be read.

    \b
    Example:
      build-exporter config check /etc/build-exporter/config.yml
    """
    configure_logging("warn", "logfmt")
    try:
        loaded = read_config(file)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    faults = [(number, each.kind, fault_of(each.kind)) for number, each in enumerate(loaded.sources)]
    for number, kind, fault in faults:
        if fault:
            click.echo(f"{escaped(file)}: sources[{number}]: kind {kind} can't be used: {fault}", err=True)
    if any(fault for _, _, fault in faults):
        sys.exit(2)
    click.echo(f"{escaped(file)}: ok")
    click.echo(summary(loaded))


def summary(loaded: Config) -> str:
    """Return one line: what the configuration sets."""
    parts = [
        _part(key, getattr(loaded, key))
        for key in structs.asdict(loaded)
        if getattr(loaded, key) != getattr(Config(), key)
    ]
    return ", ".join(parts) or "all defaults"


def _part(key: str, value: object) -> str:
    return f"{len(value)} {key}" if hasattr(value, "__len__") else key
