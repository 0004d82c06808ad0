"""`build-exporter completion`: the shell's completion, to be sourced or installed."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "build-exporter"
VARIABLE = "_BUILD_EXPORTER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion of commands and options for SHELL.

    \b
    build-exporter completion bash > ~/.local/share/bash-completion/completions/build-exporter
    build-exporter completion zsh > ~/.zfunc/_build-exporter
    build-exporter completion fish > ~/.config/fish/completions/build-exporter.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
