"""Rows as a table for a person, as CSV, or as JSON for programs."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from build_exporter.queries.cells import cell, header, unit_name
from build_exporter.queries.request import Reply

WIDE: Final = 100
"""Columns of a table that goes into a file or a pipe, unless COLUMNS says how many."""
FOLDED: Final = 14
GAP: Final = 3
"""Columns that a text has at least, and between two columns."""
_COLOURS: Final = {
    "succeeded": "green", "reached": "green", "failed": "red", "interrupted": "red", "critical": "red", "late": "red",
    "missed": "red", "running": "blue", "warning": "yellow", "increasing": "red", "decreasing": "green",
}  # fmt: skip


def print_reply(
    reply: Reply, row: type[msgspec.Struct], form: str, head: dict[str, Any], *, every: bool = False
) -> None:
    """Write an answer to standard output: `table`, `json` or `csv`; `head` says what was asked, and of whom.

    `every`: a table shows the columns that hold nothing, too.
    """
    if form == "json":
        body = {"rows": reply.rows} if reply.answer is None else msgspec.to_builtins(reply.answer)
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(head | body)).decode() + "\n")
    elif form == "csv":
        sys.stdout.write(as_csv(reply.rows, row))
    else:
        print_table(reply, row, str(head["source"]), every=every)


def as_csv(rows: Sequence[msgspec.Struct], row: type[msgspec.Struct]) -> str:
    """Return rows as CSV with a line of names; an unknown value is empty, a cell that a sheet would run is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(row.__struct_fields__)
    writer.writerows([csv_cell(getattr(each, name)) for name in row.__struct_fields__] for each in rows)
    return text.getvalue()


def csv_cell(value: object) -> object:
    """Return a cell: empty for None; a text that a sheet would run as a formula gets a quote before it."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@")):
        return f"'{value}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def print_table(reply: Reply, row: type[msgspec.Struct], source: str, *, every: bool = False) -> None:
    """Write an answer as lines and a table as wide as the terminal; without `every`, of columns that hold something."""
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE)
    for line in reply.lines:
        console.print(Text(line))
    wanted = [name for name in row.__struct_fields__ if reply.rows and (every or _is_shown(name, reply.rows))]
    names = fitting(wanted, reply.rows, console.width)
    if names:
        bold = "" if "NO_COLOR" in os.environ else "bold"
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style=bold)
        for name in names:
            right = all(not isinstance(getattr(each, name), str) for each in reply.rows)
            # texts fold, figures never break
            least = _least_width(name, reply.rows)
            justify: Literal["right", "left"] = "right" if right else "left"
            table.add_column(header(name), justify=justify, no_wrap=right, overflow="fold", min_width=least)
        for each in reply.rows:
            table.add_row(*(Text(*_styled(name, each)) for name in names))
        console.print(table)
    elif not reply.lines:
        console.print("nothing found")
    print(f"from {source}", file=sys.stderr)  # noqa: T201


def fitting(names: list[str], rows: Sequence[msgspec.Struct], width: int) -> list[str]:
    """Return the columns that a terminal has room for; those at the end, which matter least, are left out first."""
    kept = list(names)
    while len(kept) > 1 and sum(_least_width(name, rows) + GAP for name in kept) - GAP > width:
        kept.pop()
    return kept


def _least_width(name: str, rows: Sequence[msgspec.Struct]) -> int:
    """Return what a column needs at least: figures all of their width, texts enough to be read folded."""
    values = [getattr(each, name) for each in rows]
    longest = max([len(header(name)), *(len(cell(name, value)) for value in values)])
    return min(longest, FOLDED) if any(isinstance(value, str) for value in values) else longest


def _is_shown(name: str, rows: Sequence[msgspec.Struct]) -> bool:
    values = {getattr(each, name) for each in rows}
    if name == "build":
        return len(values) > 1
    if name == "run":
        # of one run a build, which is the usual answer, the build's name says enough
        return len(values) > len({getattr(each, "build", None) for each in rows})
    return bool(values - {None, ""})


def _styled(name: str, row: msgspec.Struct) -> tuple[str, str]:
    value = getattr(row, name)
    return cell(unit_name(name, row), value), _COLOURS.get(str(value), "")
