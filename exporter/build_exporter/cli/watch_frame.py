"""One frame of `watch`: the board as lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from build_exporter.failures import Card
from build_exporter.formatting import clock_time, duration, percent
from build_exporter.queries.build import Board
from build_exporter.queries.builds import BuildRow, Builds
from build_exporter.queries.steps import StepRow

MARKS = {
    "pending": ("·", "dim"),
    "running": ("▶", "bold cyan"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "bold red"),
    "skipped": ("↷", "dim"),
    "interrupted": ("■", "magenta"),
}
"""A state's shape and colour: never the colour alone."""

_FILLED, _EMPTY = "━", "─"
_FIXED_LINES = 9
_KEYS = "q quit · n/p next/previous build"


def frame(found: Builds, board: Board | None, source: str, console: Console) -> RenderableType:
    """Return the frame: the builds, and the one that is shown."""
    width, height = console.size.width, console.size.height
    if board is None:
        return Text(f"no build yet in {source}\n\nbegin one: build-exporter run --build my-build -- make")
    lines = [Text.assemble(*_header(board, width)), _progress(board, width)]
    lines += [line for line in (_estimate(board, width), _phases(board, width)) if line is not None]
    room = max(3, height - _FIXED_LINES - len(found.builds[1:6]))
    parts: list[RenderableType] = [*lines, *_attention(board, width)]
    parts += _steps("running", board.running_steps, board.now, max(2, room // 3), width)
    parts += [_failure(card, width) for card in board.failures[:1]]
    parts += _steps("last", board.recent, board.now, max(1, room // 3), width)
    parts += _steps("next", board.upcoming, board.now, max(1, room // 4), width)
    parts += [_others(found, board, width)] if len(found.builds) > 1 else []
    return Group(*parts, Text(f"{_KEYS} · {source}"[:width], style="dim"))


def _header(board: BuildRow, width: int) -> Iterator[Text]:
    mark, style = MARKS[board.state]
    yield Text(f"{mark} {board.build} ", style="bold")
    yield Text(f"{board.state.upper()} ", style=style)
    if board.elapsed_seconds is not None:
        ended = f", ended {clock_time(board.end)}" if board.end is not None else ""
        yield Text(f"{duration(board.elapsed_seconds)}{ended} ")
    if width >= 60:
        yield Text(f"run {board.run}", style="dim")


def _progress(board: Board, width: int) -> Text:
    counts = board.steps
    done = counts.succeeded + counts.skipped
    failed = f", {counts.failed} failed" if counts.failed else ""
    words = f" {done} of {counts.total} steps{failed}"
    if board.progress_ratio is None:
        return Text(words.strip())
    figure = f"{percent(board.progress_ratio):>8}"
    room = max(4, width - len(figure) - len(words) - 1)
    filled = int(room * board.progress_ratio)
    style = MARKS[board.state][1]
    return Text.assemble((_FILLED * filled, style), (_EMPTY * (room - filled), "dim"), figure, words)


def _estimate(board: BuildRow, width: int) -> Text | None:
    if board.estimate is None:
        return None
    end, left = board.estimate.end, board.estimate.remaining_seconds
    band = f"between {clock_time(end.p10)} and {clock_time(end.p90)}"
    words = f"ready {clock_time(end.p50)}, {band}; {duration(left.p50)} left"
    text = Text.assemble((words, "bold"), (f"  {board.estimate.basis}", "dim"))
    text.truncate(width, overflow="ellipsis")
    return text


def _phases(board: Board, width: int) -> Text | None:
    if len(board.phases) < 2:
        return None
    parts: list[tuple[str, str]] = []
    for phase in board.phases:
        mark, style = MARKS[phase.state]
        ratio = f" {percent(phase.progress_ratio)}" if phase.state == "running" else ""
        parts.append((f"{mark} {phase.phase}{ratio}  ", style))
    text = Text.assemble(*parts)
    text.truncate(width, overflow="ellipsis")
    return text


def _attention(board: BuildRow, width: int) -> Iterator[Text]:
    for each in board.attention[:4]:
        if each.kind == "failed":
            continue
        where = f"{each.step}: " if each.step else ""
        text = Text(f"! {where}{each.message}", style="red" if each.severity == "critical" else "yellow")
        text.truncate(width, overflow="ellipsis")
        yield text


def _steps(title: str, rows: list[StepRow], now: float, most: int, width: int) -> list[RenderableType]:
    if not rows:
        return []
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), width=width)
    table.add_column(width=1)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    if width >= 70:
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
    for row in rows[:most]:
        mark, style = MARKS[row.state]
        name = Text.assemble((f"{row.phase} ", "dim"), row.step)
        took = _took(row, now)
        cells: list[RenderableType] = [Text(mark, style=style), name, Text(took, style="red" if row.overdue else "")]
        table.add_row(*(cells + ([Text(_expected(row), style="dim"), Text(_word(row))] if width >= 70 else [])))
    more = f", {len(rows) - most} more" if len(rows) > most else ""
    return [Text(f"{title}{more}", style="dim"), table]


def _took(row: StepRow, now: float) -> str:
    if row.state == "pending":
        return ""
    if row.state == "running" and row.start is not None:
        return duration(now - row.start)
    return duration(row.seconds) if row.seconds is not None else ""


def _expected(row: StepRow) -> str:
    return f"of {duration(row.expected_seconds)}" if row.expected_seconds else ""


def _word(row: StepRow) -> str:
    ratio = percent(row.progress_ratio) if row.state == "running" and row.progress_ratio is not None else ""
    return " ".join(part for part in (row.verdict or "", ratio, "overdue" if row.overdue else "") if part)


def _failure(card: Card, width: int) -> RenderableType:
    lines = [Text(f"✘ {card.class_} in {card.phase} {card.step}", style="bold red"), Text(f"  {card.reason}")]
    lines += [Text(f"  {card.hint}", style="dim")] if card.hint else []
    lines += [Text(f"  {card.blocked_steps} steps wait for it")] if card.blocked_steps else []
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Group(*lines)


def _others(found: Builds, board: Board, width: int) -> Text:
    parts: list[tuple[str, str]] = [("builds  ", "dim")]
    for row in found.builds[:8]:
        mark, style = MARKS[row.state]
        ratio = f" {percent(row.progress_ratio)}" if row.progress_ratio is not None else ""
        parts.append((f"{mark} {row.build}{ratio}  ", f"{style} underline" if row.build == board.build else style))
    text = Text.assemble(*parts)
    text.truncate(width, overflow="ellipsis")
    return text
