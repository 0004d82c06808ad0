"""Print JSON and documents, and end a command with one line per problem on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from build_exporter.cli.options import USAGE_ERROR, words_of
from build_exporter.config.problems import ConfigError
from build_exporter.config.values import escaped
from build_exporter.plan.book_entities import BookError


def stop(command: str, message: str, code: int = USAGE_ERROR) -> NoReturn:
    """Print a message with the command's name before each line, control characters escaped, and exit with a code."""
    for line in message.splitlines():
        click.echo(f"build-exporter {command}".rstrip() + f": {escaped(line)}", err=True)
    sys.exit(code)


def print_json(answer: object) -> None:
    """Print an answer as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(answer)))


def write_document(text: str, output: Path | None) -> None:
    """Write a document to a file or standard output; exit with one sentence where the file can't be written."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        stop("", words_of(error))


@contextmanager
def stop_at_unreadable_plans(command: str) -> Iterator[None]:
    """End the command when a plan or the files it names can't be read: with 2 for its content, else with 1."""
    try:
        yield
    except ConfigError as error:
        # each line is FILE:LINE:COLUMN: MESSAGE already
        click.echo(str(error), err=True)
        sys.exit(USAGE_ERROR)
    except OSError as error:
        stop(command, words_of(error), 1)
    except (BookError, ValueError) as error:
        stop(command, str(error), 1)
