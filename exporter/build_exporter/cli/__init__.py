"""The command line: thin, and the only composition root."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Final, cast

import click

from build_exporter import __version__
from build_exporter.queries.commands import SUMMARIES

COMMANDS: Final[dict[str, str]] = {
    "alerts": "List, acknowledge, escalate and test alerts.",
    "backtest": "Show how good estimates of recorded runs would have been.",
    "completion": "Print the completion of commands and options for a shell.",
    "config": "Check a configuration file.",
    "explain": "Explain why a step failed.",
    "doctor": "Check each link between the exporter and a person's telephone.",
    "emit": "Append events to the journal.",
    "import": "Take finished builds of other tools into the journal.",
    "export": "Export runs as OpenMetrics, JSON lines, CSV or traces.",
    "hook": "Print the path of the shell hook.",
    "man": "Write man pages of all commands into a directory.",
    "mcp": "Serve the builds to a language model.",
    "plan": "Show the steps of a build to come, their weights and totals.",
    "plugins": "List the plug-ins that installed packages bring.",
    "replay": "Live a recorded journal again.",
    "report": "Write a report of a run as HTML, Markdown, JSON, CSV or in jhalfs' form.",
    "run": "Run a command as a step, or as a whole build.",
    "serve": "Follow the journal and serve metrics, page and API.",
    "status": "Show where the builds are.",
    "verify": "Verify the files a build is made from by their checksums.",
    "view": "Ask a question that the configuration keeps under a name.",
    "watch": "Draw the builds in the terminal, kept up to date.",
    **SUMMARIES,
}
"""A query is `build_exporter.queries.commands.<name>:QUERY`, another command `build_exporter.cli.<name>:<name>`.

Each is loaded only when called; a Python keyword has a `_` added.
"""


_MEANT = {word: ["errors", "explain"] for word in ("failed", "failing", "fails", "failure", "failures")}
"""Words for commands of another name, which the spelling does not lead to."""


class LazyGroup(click.Group):
    """A group that loads a command when it is asked for: `status` needs no web server in memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in SUMMARIES:
            return cast("click.Command", import_module("build_exporter.cli.query").command_for(cmd_name))
        name = cmd_name.replace("-", "_") + ("_" if iskeyword(cmd_name) else "")
        return cast("click.Command", getattr(import_module(f"build_exporter.cli.{name}"), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; where there is none, the error names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415

            nearest = _MEANT.get(args[0]) or get_close_matches(args[0][:100], COMMANDS, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
            raise click.UsageError(f"{error.format_message().rstrip('.')}.{hint}", ctx) from None

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
