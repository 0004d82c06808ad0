"""Writes the dashboards: `python grafana/src/generate.py [DIRECTORY]`, by default grafana/dashboards."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from board_alerts import alerts
from board_exporter import exporter
from board_fleet import fleet
from board_history import history
from board_host import host
from board_now import now
from board_steps import steps
from style import Json

DASHBOARDS: Final[tuple[Callable[[], Json], ...]] = (now, steps, host, history, alerts, exporter, fleet)


def render(board: Json) -> str:
    """Return a dashboard as the text of its file: a line a panel or variable, so that a change is a line."""
    lines = []
    for key, value in board.items():
        whole = json.dumps(value, ensure_ascii=False)
        parts = [json.dumps(each, ensure_ascii=False) for each in value] if key == "panels" else []
        lines.append(f'  "{key}": ' + ("[\n    " + ",\n    ".join(parts) + "\n  ]" if parts else whole))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(directory: Path) -> list[Path]:
    """Write every dashboard into a directory and return the files.

    Raises:
        OSError: a file can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for make in DASHBOARDS:
        board = make()
        path = directory / f"{board['uid']}.json"
        path.write_text(render(board), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "dashboards")
