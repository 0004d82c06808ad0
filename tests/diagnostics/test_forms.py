"""Output in the form that builds print it: each gives the reason a person would point to, and its class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from build_exporter.diagnostics.diagnosis import diagnose

FORMS = Path(__file__).parent / "forms"


class Form(NamedTuple):
    """Output, and what is right."""

    error_class: str
    reason: str
    lines: list[str]


def forms() -> Iterator[Form]:
    """Yield the inputs of the files: a head `=== class | reason` each, and the lines after it."""
    for path in sorted(FORMS.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("\n=== "):
            head, _, body = block.removeprefix("=== ").partition("\n")
            kind, _, reason = head.partition(" | ")
            yield Form(kind, reason, body.rstrip("\n").split("\n"))


@pytest.mark.parametrize("form", list(forms()), ids=lambda form: form.reason[:50])
def test_the_reason_is_the_line_a_person_points_to(form: Form) -> None:
    """At two in the morning the one line and the one word are right."""
    found = diagnose(form.lines)
    assert (found.error_class, found.reason) == (form.error_class, form.reason.strip())
