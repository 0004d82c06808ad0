"""What the beginning and the end of a step's log say, figure by figure."""

from __future__ import annotations

import pytest

from build_exporter.sources.files import Ends
from build_exporter.sources.jhalfs.log import parse_ends

DATE = "Sat Mar 30 08:24:21 UTC 2024\n"
KIB = 1024


@pytest.mark.parametrize(
    ("head", "tail", "begun", "figures"),
    [
        # seconds; bytes more on the disk, and before
        (f"{DATE}KB: 700\t/l/\n", "x\nTotalseconds: 625\n\nKB: 900\t/l/\n", True, (625, 200 * KIB, 700 * KIB)),
        (f"\n\n{DATE}KB: 700\n", "Totalseconds: 1\nKB: 600\n", True, (1, -100 * KIB, 700 * KIB)),
        # a package that prints such lines itself: the last one counts, and the disk after it
        (f"{DATE}KB: 700\n", "KB: 1\nTotalseconds: 5\nKB: 2\nTotalseconds: 625\nKB: 900\n", True,
         (625, 200 * KIB, 700 * KIB)),
        (f"{DATE}KB: 700\n", "KB: 1\nTotalseconds: 5\n", True, (5, None, None)),
        (DATE, "Totalseconds: 5\nKB: 900\n", True, (5, None, None)),
        (f"{DATE}KB: 700\n", "Totalseconds: 5", True, (None, None, None)),
        (f"{DATE}KB: 700\n", "my Totalseconds: 5\nKB: 900\n", True, (None, None, None)),
        # the line with the date is still being written
        (DATE[:-1], "", False, (None, None, None)),
        ("", "", False, (None, None, None)),
    ],
)  # fmt: skip
def test_a_log_has_its_own_figures(
    head: str, tail: str, begun: bool, figures: tuple[int | None, int | None, int | None]
) -> None:
    """When the step began, the seconds that its commands took and how much more the disk held, in bytes."""
    found = parse_ends(Ends(head, tail, 77, 1.7e9))
    assert (found.seconds, found.disk_bytes, found.disk_before_bytes) == figures
    assert (found.is_begun, found.began is not None, found.size, found.changed) == (begun, begun, 77, 1.7e9)
