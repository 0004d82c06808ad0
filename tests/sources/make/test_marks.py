"""Lines of a console that are not read closely: no pattern but a compiler's command knows them."""

from __future__ import annotations

import re

import pytest
from alternatives import parse, samples

from build_exporter.sources.make import directories, patterns, text
from build_exporter.sources.make.marks import marked
from build_exporter.sources.step_logs import counters

PATTERNS = {
    **{name: found for name, found in vars(patterns).items() if isinstance(found, re.Pattern)},
    **{f"turn {turn.stage} {number}": found for number, (found, turn) in enumerate(patterns._TURNS)},
    **{f"fatal {number}": found for number, (found, _) in enumerate(patterns._FATAL)},
    "announced": directories._ANNOUNCED,
    "script": text._SCRIPT,
    "status": counters._STATUS,
}
OTHERS = (
    # a compiler's command is looked for in all lines, and so is noise without words
    *("_COMPILER", "NOISE", "_ANY_TURN"),
    # parts of lines that other patterns have found
    *(
        "_STATUS", "_TARGET", "_DELETING", "_NEEDED", "_WAITING", "_STOPPED", "_INSIDE", "_TEMPORARY", "_WORKING",
        "BUILDING",
    ),
    "_PORTAGE",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - set(OTHERS)))
def test_what_a_pattern_knows_is_read(name: str) -> None:
    """A build's stages, directories, failures and counts are found however large the block they stand in."""
    pattern = PATTERNS[name]
    known = [each for each in samples(parse(pattern.pattern).data, 500) if pattern.search(each.replace("\0", "a"))]
    known = [each.replace("\0", "a") for each in known]
    lines = [line for each in known for line in ("gcc -c -o a.o a.c", each)]
    assert known
    assert {2 * number + 1 for number in range(len(known))} - marked(lines) == set()


def test_work_is_not_read() -> None:
    """Commands and what they print, the mass of a console, are only counted."""
    assert marked(["gcc -c -o a.o a.c", "mv -f .deps/a.Tpo .deps/a.Plo", "", "      |   ^~~~"]) <= {3}
