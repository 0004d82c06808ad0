"""`build-exporter completion`: the shell's completion, printed or put where the shell finds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from build_exporter.cli.options import data_home
from build_exporter.cli.output import stop

PROGRAM = "build-exporter"
VARIABLE = "_BUILD_EXPORTER_COMPLETE"
PLACES: Final[Mapping[str, str]] = {
    "bash": "bash-completion/completions/build-exporter",
    "zsh": "zsh/site-functions/_build-exporter",
    "fish": "fish/vendor_completions.d/build-exporter.fish",
}
"""Where each shell looks below a directory of shared data."""


@click.command()
@click.argument("shell", type=click.Choice(tuple(PLACES)))
@click.option("--install", is_flag=True, help="Write it where the shell finds it, for everyone where root asks.")
@click.pass_context
def completion(context: click.Context, shell: str, install: bool) -> None:
    """Print the completion of commands and options for SHELL, or with --install put it where SHELL finds it.

    \b
    build-exporter completion bash --install
    build-exporter completion zsh > ~/.zfunc/_build-exporter
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    text = kind(context.find_root().command, {}, PROGRAM, VARIABLE).source()
    if not install:
        click.echo(text)
        return
    path = _place(shell)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        stop("", f"{path}: {error.strerror}", 1)
    click.echo(f"{path}: used by the next {shell}")
    if shell == "zsh" and os.getuid() != 0:
        click.echo(f"before compinit in ~/.zshrc: fpath=({path.parent} $fpath)")


def _place(shell: str) -> Path:
    if shell == "fish" and os.getuid() != 0:
        config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(config) / "fish" / "completions" / "build-exporter.fish"
    return data_home() / PLACES[shell]
