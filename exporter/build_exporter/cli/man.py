"""`build-exporter man`: man pages, made from the commands' help."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from build_exporter import __version__
from build_exporter.cli.options import commands, data_home
from build_exporter.cli.output import stop


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.pass_context
def man(context: click.Context, directory: Path | None) -> None:
    """Write a man page for the program and for each of its commands into DIRECTORY.

    Without DIRECTORY they go where `man` finds them: ~/.local/share/man/man1, or /usr/local/share/man/man1 for root.

    \b
    build-exporter man
    """
    directory = directory or data_home() / "man" / "man1"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        written = [(directory / name).write_text(text, "utf-8") for name, text in pages(context.find_root().command)]
    except OSError as error:
        stop("", f"{directory}: {error.strerror}", 1)
    click.echo(f"{directory}: {len(written)} pages; to remove them: rm {shlex.quote(str(directory))}/build-exporter*.1")


def pages(main: click.Command) -> Iterator[tuple[str, str]]:
    """Yield file name and text of every page: one for the program, one for each command and subcommand."""
    for command, path, context in commands(main, "build-exporter"):
        yield f"{path.replace(' ', '-')}.1", render(command, path, context)


def render(command: click.Command, path: str, context: click.Context) -> str:
    """Return a command's page in the language of `man`."""
    name = path.replace(" ", "-")
    text, _, example = (command.help or "").replace("\r", "").partition("\b\n")
    first, _, rest = text.strip().partition("\n\n")
    lines = [f'.TH "{name.upper()}" 1 "" "build-exporter {__version__}" "build-exporter"', ".ad l", ".nh", ".SH NAME"]
    lines += [f"{name} \\- {_escape(first.rstrip('.'))}", ".SH SYNOPSIS"]
    lines += [f".B {_escape(path)}", _escape(" ".join(command.collect_usage_pieces(context))), ".SH DESCRIPTION"]
    for paragraph in [first, *rest.split("\n\n")]:
        if paragraph.strip():
            lines += [".PP", _escape(" ".join(paragraph.split()))]
    records = [each.get_help_record(context) for each in command.get_params(context)]
    options = [record for record in records if record is not None]
    if options:
        lines.append(".SH OPTIONS")
        for flags, help_text in options:
            lines += [".TP", f"\\fB{_escape(flags)}\\fR", _escape(help_text) or "\\&"]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for child in command.list_commands(context):
            lines += [".TP", f"\\fB{_escape(name)}-{_escape(child)}\\fR(1)", "\\&"]
    if example.strip():
        lines += [".SH EXAMPLES", ".nf", *(_escape(line.strip()) for line in example.strip().splitlines()), ".fi"]
    lines += [".SH EXIT STATUS", "0 done, 1 the answer is no or the run failed, 2 wrong use."]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
