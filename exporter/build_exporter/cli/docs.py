"""Generate the reference pages of the command line and of the configuration.

`python -m build_exporter.cli.docs commands` (or `configuration`) writes one to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from build_exporter.cli import main
from build_exporter.cli.options import commands
from build_exporter.config import docs
from build_exporter.config.kinds import Outside
from build_exporter.queries.filters import questions
from build_exporter.sources.registry import BUILT_IN

_HEAD: Final = """\
# Command line

This page is made from the commands' help (`make docs`). Exit codes: 0 done, 1 the answer is no or the run failed,
2 wrong use, 74 standard output can't be written, such as on a full disk; `run` exits as the command it runs.
"""

_WIDTH: Final = 110


def render() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *_sections()])


def render_configuration() -> str:
    """Return the reference page of the configuration, with the built-in kinds of source and the queries."""
    return docs.render(Outside({kind.name: kind.options for kind in BUILT_IN}, questions()))


def _sections() -> Iterator[str]:
    for command, path, context in commands(main, "build-exporter", terminal_width=_WIDTH, max_content_width=_WIDTH):
        lines = (line.rstrip() for line in command.get_help(context).splitlines())
        yield f"## {path}\n\n```text\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    sys.stdout.write(render_configuration() if sys.argv[1:] == ["configuration"] else render())
