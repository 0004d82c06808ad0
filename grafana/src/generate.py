"""Writes the dashboards: `python grafana/src/generate.py [DIRECTORY]`, by default grafana/dashboards."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from build_now import build_now
from style import Json

DASHBOARDS: Final[tuple[Callable[[], Json], ...]] = (build_now,)


def render(board: Json) -> str:
    """Return a dashboard as the text of its file."""
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


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
