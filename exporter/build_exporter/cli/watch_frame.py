"""One frame of `watch`: the board as lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from build_exporter.cli.watch_screen import Cell, Line, Part
from build_exporter.failures import Card
from build_exporter.formatting import clock_time, count_of, duration, percent
from build_exporter.queries.build import Glance
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

_IDLE = ("○", "yellow")

_FILLED, _EMPTY = "━", "─"
_WIDE = 60
_ROOMY = 32
"""Lines from which sections stand apart."""
_SECTIONS = 4
_TABLE_WIDTH = 110
"""A wider table would put a step's name and its times too far apart."""
_KEYS = "q quit · n/p next/previous build"


def frame(found: Builds, board: Glance | None, source: str, size: tuple[int, int], host: str = "") -> list[Line]:
    """Return the frame: the builds, the one that is shown, and a line on the machine where that is this one.

    `size` is the terminal's, columns and rows; a frame has more lines than a very small terminal has rows.
    """
    width, height = size
    if board is None:
        words = [
            *wrap(f"no build yet in {source}", width),
            "",
            "begin one: build-exporter run --build my-build -- make",
        ]
        return [_line(width, (line, "")) for line in words]
    top = [_header(board, width), _progress(board, width), _estimate(board, width), _phases(board, width)]
    top += [*_attention(board, width), *(line for card in board.failures[:1] for line in _failure(card, width))]
    last = [_line(width, ("host    ", "dim"), (host, ""))] if host else []
    last += [_others(found, board, width)] if len(found.builds) > 1 else []
    last.append(_line(width, (f"{_KEYS} · {source}", "dim")))
    lines = [line for line in top if line is not None]
    is_roomy = height >= _ROOMY
    room = height - len(lines) - len(last) - 1 - (_SECTIONS if is_roomy else 0)
    tables = _tables(board, max(_SECTIONS, room), width)
    gap = [_line(width)] if is_roomy else []
    return [*lines, *(line for table in tables for line in (*gap, *table)), *gap, *last]


def _tables(board: Glance, room: int, width: int) -> list[list[Line]]:
    """Return the tables of steps within so many lines: what runs first, then what comes and what is over by halves."""
    running = min(len(board.running_steps), max(2, room // 2))
    rest = room - (running + 1 if running else 0)
    coming = min(len(board.upcoming), max(1, rest // 2 - 1))
    over = min(len(board.recent), max(1, rest - coming - 2))
    coming = min(len(board.upcoming), max(coming, rest - over - 2))
    rows = (("running", board.running_steps, running), ("last", board.recent, over), ("next", board.upcoming, coming))
    return [_steps(title, steps, board.now, most, width) for title, steps, most in rows if steps]


def _line(width: int, *parts: Part) -> Line:
    return (Cell(parts, width),)


def _header(board: BuildRow, width: int) -> Line:
    mark, style = _mark(board)
    parts: list[tuple[str, str]] = [(f"{mark} {board.build} ", "bold"), (_state(board), style)]
    if board.elapsed_seconds is not None:
        parts.append((f" · {duration(board.elapsed_seconds)}", ""))
    parts += [(f" · ended {clock_time(board.end)}", "")] if board.end is not None else []
    parts += [(f" · run {board.run}", "dim")] if width >= _WIDE else []
    return _line(width, *parts)


def _mark(row: BuildRow) -> tuple[str, str]:
    mark, style = MARKS[row.state] if row.idle_since is None else _IDLE
    return mark, "yellow" if row.state == "succeeded" and row.steps.failed else style


def _state(row: BuildRow) -> str:
    if row.idle_since is not None:
        return f"IDLE since {clock_time(row.idle_since)}"
    failed = row.steps.failed if row.state == "succeeded" else 0
    return row.state.upper() + (f", {failed} step{'s' if failed > 1 else ''} failed" if failed else "")


def _progress(board: Glance, width: int) -> Line:
    counts = board.steps
    done = counts.succeeded + counts.skipped
    failed = f", {counts.failed} failed" if counts.failed else ""
    if board.progress_ratio is None:
        # how many there are to come is not known
        return _line(width, (f"{count_of(done, 'step')} done{failed}", ""))
    words = f" {done} of {count_of(counts.total, 'step')}{failed}"
    figure = f"{percent(board.progress_ratio):>8}"
    room = max(4, width - len(figure) - len(words) - 1)
    filled = int(room * board.progress_ratio)
    style = _mark(board)[1]
    return _line(width, (_FILLED * filled, style), (_EMPTY * (room - filled), "dim"), (figure + words, ""))


def _estimate(board: BuildRow, width: int) -> Line | None:
    if board.estimate is None:
        return None
    end, left = board.estimate.end, board.estimate.remaining_seconds
    band = f", between {clock_time(end.p10)} and {clock_time(end.p90)}" if width >= _WIDE else ""
    words = f"ready {clock_time(end.p50)}{band}; {duration(left.p50)} left"
    if board.state != "running" or board.idle_since is not None:
        words = f"{duration(left.p50)} of work left, from {duration(left.p10)} to {duration(left.p90)}"
    return _line(width, (words, "bold"), (f"  {board.estimate.basis}", "dim"))


def _phases(board: Glance, width: int) -> Line | None:
    if len(board.phases) < 2:
        return None
    parts: list[tuple[str, str]] = []
    for phase in board.phases:
        mark, style = MARKS[phase.state]
        ratio = f" {percent(phase.progress_ratio)}" if phase.state == "running" else ""
        parts.append((f"{mark} {phase.phase}{ratio}  ", style))
    return _line(width, *parts)


def _attention(board: BuildRow, width: int) -> Iterator[Line]:
    for each in board.attention[:4]:
        if each.kind == "failed":
            continue
        where = f"{each.step}: " if each.step else ""
        yield _line(width, (f"! {where}{each.message}", "red" if each.severity == "critical" else "yellow"))


def _steps(title: str, rows: list[StepRow], now: float, most: int, width: int) -> list[Line]:
    more = f", {len(rows) - most} more" if len(rows) > most else ""
    shown = [(row, _took(row, now), _expected(row)) for row in rows[:most]]
    width = min(width, _TABLE_WIDTH)
    has_expected = width >= 70
    took_width = max(10, *(len(took) for _, took, _ in shown))
    expected_width = max(15, *(len(expected) for _, _, expected in shown))
    word_width = 24 if width >= 100 else 12
    name_width = max(1, width - 3 - took_width - (2 + expected_width + word_width if has_expected else 0))
    lines = [_line(width, (f"{title}{more}", "dim"))]
    for row, took, expected in shown:
        mark, style = MARKS[row.state]
        name = Cell(((f"{row.phase} ", "dim"), (row.step, "")), name_width)
        cells = (Cell(((mark, style),), 1), name, Cell(((took, "red" if row.overdue else ""),), took_width, True))
        rest = (Cell(((expected, "dim"),), expected_width, True), Cell(((_word(row), ""),), word_width))
        lines.append(cells + rest if has_expected else cells)
    return lines


def _took(row: StepRow, now: float) -> str:
    if row.state == "pending":
        return duration(row.expected_seconds) if row.expected_seconds else ""
    if row.state == "running" and row.start is not None:
        return duration(now - row.start)
    return duration(row.seconds) if row.seconds is not None else ""


def _expected(row: StepRow) -> str:
    return f"of {duration(row.expected_seconds)}" if row.expected_seconds and row.state != "pending" else ""


def _word(row: StepRow) -> str:
    ratio = percent(row.progress_ratio) if row.state == "running" and row.progress_ratio is not None else ""
    return " ".join(part for part in (row.verdict or "", ratio, "overdue" if row.overdue else "") if part)


def _failure(card: Card, width: int) -> list[Line]:
    parts: list[Part] = [(f"✘ {card.class_} in {card.phase} {card.step}", "bold red"), (f"  {card.reason}", "")]
    hint = wrap(card.hint or "", max(20, width - 2), max_lines=2, placeholder=" …")
    parts += [(f"  {line}", "dim") for line in hint]
    wait = f"{card.blocked_steps} step{'s wait' if card.blocked_steps != 1 else ' waits'} for it"
    parts += [(f"  {wait}", "")] if card.blocked_steps else []
    return [_line(width, part) for part in parts]


def _others(found: Builds, board: Glance, width: int) -> Line:
    parts: list[tuple[str, str]] = [("builds  ", "dim")]
    for row in found.builds[:8]:
        mark, style = _mark(row)
        ratio = f" {percent(row.progress_ratio)}" if row.progress_ratio is not None else ""
        parts.append((f"{mark} {row.build}{ratio}  ", f"{style} underline" if row.build == board.build else style))
    return _line(width, *parts)
