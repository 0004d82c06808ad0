"""The confusion table of the corpus: which class each log is of, and which it was given.

python tests/diagnostics/corpus/confusion.py            # prints the table
python tests/diagnostics/corpus/confusion.py --write    # puts it into docs/failures.md
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from scenarios import SCENARIOS, Scenario

from build_exporter.diagnostics.diagnosis import Diagnosis, diagnose

LOGS = Path(__file__).parent / "logs"
PAGE = Path(__file__).parents[3] / "docs" / "failures.md"
BEGIN, END = "<!-- confusion -->\n", "<!-- end of confusion -->\n"


class Tried(NamedTuple):
    """A log of the corpus and what was found in it."""

    scenario: Scenario
    found: Diagnosis

    @property
    def has_class(self) -> bool:
        """Whether the class is right."""
        return self.found.error_class == self.scenario.error_class

    @property
    def has_reason(self) -> bool:
        """Whether the reason holds what it must."""
        return self.scenario.reason in self.found.reason


def tried() -> list[Tried]:
    """Return what is found in each log."""
    logs = ((each, LOGS / f"{each.name}.log") for each in SCENARIOS)
    return [Tried(each, diagnose(log.read_text(encoding="utf-8").splitlines())) for each, log in logs]


def table(results: list[Tried]) -> str:
    """Return the table as Markdown: a row a class, what its logs were given, and the sums."""
    rows: dict[str, Counter[str]] = {}
    for each in results:
        rows.setdefault(each.scenario.error_class, Counter())[each.found.error_class] += 1
    lines = ["| class | logs | right | given instead |", "|---|---|---|---|"]
    for kind, given in sorted(rows.items()):
        wrong = ", ".join(f"{name} ({count})" for name, count in sorted(given.items()) if name != kind)
        lines.append(f"| {kind} | {given.total()} | {given[kind]} | {wrong} |")
    right, reasons = sum(each.has_class for each in results), sum(each.has_reason for each in results)
    certain = sum(not each.has_class and each.found.error_class != "other" for each in results)
    return "\n".join(
        (
            *lines,
            "",
            f"{len(results)} logs: class right in {right}, reason right in {reasons}; "
            f"{certain} with a wrong class that is not `other`.",
            "",
        )
    )


def main() -> int:
    """Print the table, or put it into the page; name what is wrong."""
    results = tried()
    for each in results:
        if not (each.has_class and each.has_reason):
            print(f"{each.scenario.name}: {each.found.error_class} | {each.found.reason}", file=sys.stderr)
    if sys.argv[1:] == ["--write"]:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    else:
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
