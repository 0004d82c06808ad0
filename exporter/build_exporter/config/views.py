"""The list `views` of the configuration: a user's own questions, and the sections they add to reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from build_exporter.config.section import Section, about, repeated

ReportForm = Literal["table", "bars", "list"]


class View(Section, frozen=True):
    """A query command with its filters, columns and order, kept under a name: `build-exporter view NAME`.

    What `filters`, `columns`, `sort` and `value` may hold depends on the query, see the table below. Options of the
    command line take precedence over a view's.
    """

    name: Annotated[str, about("The name that `build-exporter view NAME` takes.", "name")]
    query: Annotated[str, about("The query command that answers.", "name")]
    title: Annotated[str | None, about("Heading in lists and reports. Default: the name.", "name")] = None
    build: Annotated[str | None, about("Only this build; a report's section is about the report's.", "build")] = None
    run: Annotated[
        str | None, about("Only this run; `newest` and `previous` name the last two. Reports as `build`.", "name")
    ] = None
    window: Annotated[
        float | None, about("Only so long up to now; in a report, up to the run's end.", "seconds", within=(1, None))
    ] = None
    filters: Annotated[Section | None, about("Options and arguments of the query by their names.")] = None
    columns: Annotated[tuple[str, ...], about("The columns to show, in this order. Default: all.", "name")] = ()
    sort: Annotated[tuple[str, ...], about("Columns to sort by, `-` before one for the greatest first.", "name")] = ()
    limit: Annotated[int | None, about("At most so many rows, after sorting.", "count", within=(1, None))] = None
    report: Annotated[
        ReportForm | None,
        about("Makes it a section of HTML and Markdown reports: a table, bars as long as `value`, or a list."),
    ] = None
    value: Annotated[str | None, about("The column of numbers that bars show.", "name")] = None

    @property
    def heading(self) -> str:
        """The title, the name without one."""
        return self.title or self.name

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yield a fault where bars have no length, or there is a length without bars."""
        if self.report == "bars" and self.value is None:
            yield "report", "has bars without 'value', the column of numbers that they show"
        if self.value is not None and self.report != "bars":
            yield "value", "has 'value', which only 'report: bars' shows"

    @classmethod
    def faults_among(cls, items: Sequence[tuple[int, Self]]) -> Iterator[tuple[int, str, str, int]]:
        """Yield the names given twice."""
        yield from repeated(items, "name")
