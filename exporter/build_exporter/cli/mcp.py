"""`build-exporter mcp`: the builds of a journal for a language model, over standard input and output."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from build_exporter.cli.options import journal_option
from build_exporter.cli.output import stop
from build_exporter.logging_setup import configure_logging

if TYPE_CHECKING:
    from build_exporter.mcp.server import Changes


@click.command()
@journal_option
@click.option("--allow-acknowledge", is_flag=True, help="Let the model acknowledge alerts in a person's name.")
def mcp(journal: str, allow_acknowledge: bool) -> None:
    """Serve the builds of a journal to a language model by the Model Context Protocol, over standard input and output.

    Needs no running exporter and only reads, unless acknowledging is allowed. Every answer is bounded and marks text
    of the builds as data.

    \b
    Example, for a client's configuration:
      {"command": "build-exporter", "args": ["mcp", "--journal", "/var/lib/build-exporter/journal"]}
    """
    try:
        from build_exporter.mcp.server import make_server  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        stop("mcp", f"install the package's extra, build-exporter[mcp] ({error})")
    from build_exporter.cli.mcp_tools import announcing, journal_tools  # noqa: PLC0415

    configure_logging("warn", "logfmt")
    monitor, tools = journal_tools(journal, allow_acknowledge=allow_acknowledge)

    @asynccontextmanager
    async def lifespan(changes: Changes) -> AsyncIterator[None]:
        monitor.start()
        try:
            async with announcing(monitor, changes):
                yield
        finally:
            await monitor.stop()

    make_server(tools, lifespan).run("stdio")
