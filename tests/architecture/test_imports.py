"""Who may know whom: arrows go one way."""

from __future__ import annotations

from pathlib import Path

import pytest
from rooms import imported_rooms, modules, room_of

BASE = {"ticks", "entry_points", "model", "diagnostics", "catalog", "exposition", "config", "journal"}
STATE = {"tracker", "checksums", "plan", "sources", "client"}
KNOWLEDGE = {
    "probes",
    "milestones",
    "analysis",
    "toolchain",
    "summary",
    "estimate",
    "failures",
    "monitor",
    "liveness",
    "clocks",
    "verdicts",
    "formatting",
    "replay",
}
APPLICATION = {"hooks", "mcp", "report", "export", "queries", "collectors", "alerting", "web"}

MAY_KNOW: dict[str, set[str]] = {
    "__init__": set(),
    "ticks": set(),
    "memory": set(),
    "later": set(),
    "entry_points": set(),
    "weighted": set(),
    "model": set(),
    "formatting": set(),
    "logging_setup": set(),
    "shell": set(),
    "diagnostics": {"model"},
    "failures": {"model", "diagnostics", "journal", "tracker", "sources"},
    "catalog": {"model"},
    "config": {"model"},
    "probes": {"model", "config"},
    "exposition": {"model", "catalog"},
    "journal": {"model"},
    "wrapper": {"model", "diagnostics", "journal"},
    "client": {"model", "journal"},
    "replay": {"model", "journal"},
    "tracker": {"model", "journal"},
    "checksums": {"model", "journal", "tracker"},
    "plan": {"model", "journal", "config", "checksums"},
    "sources": {"entry_points", "model", "diagnostics", "config", "journal", "tracker", "plan"},
    "toolchain": {"model", "journal", "tracker", "sources"},
    "plugin": {"model", "catalog", "config", "sources", "diagnostics"},
    "plugin_testing": {"model", "config", "journal", "tracker", "sources"},
    "summary": {"model", "journal", "tracker", "formatting"},
    "analysis": {"model", "tracker", "weighted"},
    "estimate": {"model", "journal", "tracker", "weighted"},
    "verdicts": {"model", "journal", "tracker"},
    "monitor": {"ticks", "model", "catalog", "journal", "tracker"},
    "milestones": {"model", "config", "journal", "tracker", "monitor"},
    "liveness": {"model", "journal", "tracker", "monitor"},
    "clocks": {"model", "journal", "tracker", "monitor"},
    "queries": BASE | STATE | KNOWLEDGE - {"monitor", "liveness", "clocks", "replay"},
    "hooks": BASE | STATE | {"monitor"},
    "collectors": BASE | STATE | KNOWLEDGE | {"queries"},
    "alerting": BASE | STATE | KNOWLEDGE | {"queries"},
    "mcp": BASE | STATE | KNOWLEDGE | {"queries", "__init__"},
    "web": BASE | STATE | KNOWLEDGE | {"queries", "collectors", "alerting", "report", "memory", "__init__"},
    "report": BASE | STATE | KNOWLEDGE | {"queries", "__init__"},
    "export": BASE | STATE | KNOWLEDGE | {"queries", "collectors", "__init__"},
    "cli": BASE | STATE | KNOWLEDGE | APPLICATION | {"wrapper", "logging_setup", "memory", "shell", "__init__"},
    "__main__": {"cli", "later", "wrapper"},
}
"""Each room, and the rooms its files may import beside their own; `__init__` is the package itself (its version)."""

UPWARD_EXCEPTIONS: set[tuple[str, str]] = {("collectors", "__init__"), ("alerting", "__init__")}
"""Imports allowed beside the table: the exporter shows its own version, and says it to servers."""


@pytest.fixture(scope="session")
def package(repository: Path) -> Path:
    """The package's folder."""
    return repository / "exporter" / "build_exporter"


def test_every_file_is_in_a_known_room(package: Path) -> None:
    """A new room is a decision: it gets its row, and its arrows, in the table above."""
    assert {room_of(file, package) for file in modules(package)} <= MAY_KNOW.keys()


def test_arrows_go_one_way(package: Path) -> None:
    """No file knows a room that it has no business with, so each can be understood, and tried, without the rest."""
    wrong = [
        f"{file.relative_to(package)} imports {other}"
        for file in modules(package)
        for other in imported_rooms(file)
        for room in [room_of(file, package)]
        if other != room and other not in MAY_KNOW[room] and (room, other) not in UPWARD_EXCEPTIONS
    ]
    assert wrong == []


def test_the_table_itself_has_no_circle() -> None:
    """The arrows of the table can be put in an order."""
    left = {room: known - {"__init__"} for room, known in MAY_KNOW.items() if room != "__init__"}
    while left:
        free = {room for room, known in left.items() if not known & left.keys()}
        assert free, f"these rooms know each other in a circle: {sorted(left)}"
        left = {room: known for room, known in left.items() if room not in free}


@pytest.mark.parametrize(
    ("folder", "most"),
    [("exporter", 420), *((name, 400) for name in ("tests", "bench", "docs", "grafana", "examples"))],
)
def test_no_file_is_too_long_to_read(repository: Path, folder: str, most: int) -> None:
    """What does not fit a few screens is two things."""
    files = [path for path in (repository / folder).rglob("*.py") if "node_modules" not in path.parts]
    long = {str(path.relative_to(repository)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in long.items() if lines > most} == {}
