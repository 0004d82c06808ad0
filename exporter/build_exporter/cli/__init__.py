"""The command line: thin, and the only place where the parts are put together."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Final, cast

import click

from build_exporter import __version__

COMMANDS: Final[dict[str, str]] = {
    "alerts": "List, acknowledge, escalate and test alerts.",
    "config": "Check a configuration file.",
    "explain": "Explain why a step failed.",
    "emit": "Append events to the journal.",
    "import": "Take finished builds of other tools into the journal.",
    "hook": "Print the path of the shell hook.",
    "plan": "Show the steps of a build to come, their weights and totals.",
    "replay": "Live a recorded journal again.",
    "run": "Run a command as a step, or as a whole build.",
    "serve": "Follow the journal and serve metrics, page and API.",
    "status": "Show where the builds are.",
    "verify": "Verify the files a build is made from by their checksums.",
}
"""Each command is `build_exporter.cli.<name>:<name>`, loaded only when called; a Python keyword has a `_` added."""


class LazyGroup(click.Group):
    """A group that loads a command when it is asked for: `status` needs no web server in memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_") + ("_" if iskeyword(cmd_name) else "")
        return cast("click.Command", getattr(import_module(f"build_exporter.cli.{name}"), name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="build-exporter")
def main() -> None:
    """Metrics, a live view and alerts for long builds of Linux from source.

    \b
    Start the exporter:          build-exporter serve
    Watch a build without edits: build-exporter run --build my-build -- make -j4
    See where it is:             build-exporter status
    """
