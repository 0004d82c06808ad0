"""Writes rules and alerts in the form of a Prometheus mixin: `python mixin/render.py [DIRECTORY]`, by default mixin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml

TOP: Final = Path(__file__).resolve().parent.parent
FILES: Final = {"record": "prometheus_rules.yaml", "alert": "prometheus_alerts.yaml"}
_HEAD: Final = "# Made by `make mixin` from prometheus/rules; change it there.\n"


class _Plain(yaml.SafeDumper):
    """Writes every text where it is used: readers of these files need not know YAML's references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def groups(kind: str) -> list[dict[str, Any]]:
    """Return the groups of prometheus/rules with only their recording rules ("record") or alerts ("alert")."""
    found = []
    for path in sorted((TOP / "prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            rules = [rule for rule in group["rules"] if kind in rule]
            if rules:
                found.append({**group, "name": f"build-exporter-{group['name']}", "rules": rules})
    return found


def write(directory: Path) -> list[Path]:
    """Write both files into a directory and return them.

    Raises:
        OSError: a file can't be written.
    """
    written = []
    for kind, name in FILES.items():
        text = yaml.dump({"groups": groups(kind)}, Dumper=_Plain, sort_keys=False, width=118, allow_unicode=True)
        path = directory / name
        path.write_text(_HEAD + text, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else TOP / "mixin")
