"""The pages for people."""

from __future__ import annotations

from pathlib import Path


def pages(repository: Path) -> list[Path]:
    """Return every page for people."""
    found = [repository / "README.md", repository / "CONTRIBUTING.md", *(repository / "docs").rglob("*.md")]
    for place in ("examples", "alertmanager", "prometheus", "grafana", "bench", "findings", "exporter"):
        found += [page for page in (repository / place).rglob("*.md") if "node_modules" not in page.parts]
    return found
