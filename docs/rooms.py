"""The rooms of the package and their imports, as the tests check them and docs/architecture.md draws them.

`python docs/rooms.py` writes the picture into the page; `make docs` runs it.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = REPOSITORY / "exporter" / "build_exporter"
PAGE: Final = REPOSITORY / "docs" / "architecture.md"
PICTURE: Final = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)
LAYERS: Final = {
    "Shared types": (
        "model",
        "catalog",
        "config",
        "exposition",
        "formatting",
        "logging_setup",
        "diagnostics",
        "shell",
        "weighted",
    ),
    "Write": ("journal", "wrapper", "client", "sources", "plan", "replay"),
    "Understand": ("tracker", "checksums", "toolchain", "estimate", "analysis", "failures", "verdicts", "summary"),
    "Show": ("probes", "queries", "collectors", "web", "alerting", "report", "mcp", "hooks"),
    "Run": ("monitor", "liveness", "clocks", "cli", "plugin", "plugin_testing"),
}
"""Boxes of the picture; a new room is drawn in `OTHERS` until it has a place."""
OTHERS: Final = "Show"


def modules(package: Path = PACKAGE) -> list[Path]:
    """Return the package's source files."""
    return sorted(package.rglob("*.py"))


def room_of(file: Path, package: Path = PACKAGE) -> str:
    """Return the room of a file: its top-level folder or module."""
    return file.relative_to(package).parts[0].removesuffix(".py")


@cache
def imported_rooms(file: Path) -> set[str]:
    """Return the rooms that a file imports anywhere; `__init__` is the package itself.

    Raises:
        ValueError: it imports relatively.
    """
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{file} imports relatively")
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "build_exporter" else []
            names = names or [node.module or ""]
        for name in names:
            parts = name.split(".")
            if parts[0] == "build_exporter":
                found.add(parts[1] if len(parts) > 1 and not parts[1].startswith("__") else "__init__")
    return found


def arrows() -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    found: dict[str, set[str]] = {}
    for file in modules():
        room = room_of(file)
        if not room.startswith("__"):
            found.setdefault(room, set()).update(imported_rooms(file) - {room, "__init__"})
    return found


def direct(known: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows without those that follow from a chain of others."""

    @cache
    def reached(room: str) -> set[str]:
        return {far for near in known[room] for far in (near, *reached(near))}

    return {
        room: {each for each in others if not any(each in reached(o) for o in others)} for room, others in known.items()
    }


def draw() -> str:
    """Return the picture as a Mermaid flowchart; an arrow points to the room that is imported."""
    known = direct(arrows())
    unplaced = known.keys() - {room for rooms in LAYERS.values() for room in rooms}
    lines = ["flowchart LR"]
    for layer, rooms in LAYERS.items():
        there = [room for room in rooms if room in known] + (sorted(unplaced) if layer == OTHERS else [])
        lines += [f'  subgraph {layer.split()[0].lower()}["{layer}"]', *(f"    {room}" for room in there), "  end"]
    lines += [f"  {room} --> {other}" for room in sorted(known) for other in sorted(known[room])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(PICTURE.sub(draw(), PAGE.read_text()))
