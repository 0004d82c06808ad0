"""Steps of a build: filtered, searched, paged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.queries.context import NotFoundError
from build_exporter.queries.steps import StepFilter, steps


def planned(builder: Callable[..., Any], count: int = 7) -> Any:
    """Return a build with so many planned steps, of which the first failed."""
    build = builder()
    plan = [{"phase": f"p{n % 2}", "step": f"s{n}", "package": "GCC" if n == 3 else None} for n in range(count)]
    build.add("plan", steps=plan)
    build.step("p0", "s0", status="failed")
    return build


@pytest.mark.parametrize(("limit", "pages"), [(1, 7), (3, 3), (7, 1), (100, 1)])
def test_pages_hold_every_step_once(builder: Callable[..., Any], limit: int, pages: int) -> None:
    """Following `next` gives every step once, in the order of the plan, and ends."""
    context = planned(builder).context()
    found: list[str] = []
    cursor: str | None = ""
    count = 0
    while cursor is not None:
        page = steps(context, "lfs", StepFilter(limit=limit, after=cursor))
        found += [each.step for each in page.steps]
        cursor, count = page.next, count + 1
        assert page.matching == 7
    assert (found, count) == ([f"s{n}" for n in range(7)], pages)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (StepFilter(state="failed"), ["s0"]),
        (StepFilter(state="succeeded"), []),
        (StepFilter(phase="p1"), ["s1", "s3", "s5"]),
        (StepFilter(q="gcc"), ["s3"]),
        (StepFilter(q="P1"), ["s1", "s3", "s5"]),
        (StepFilter(q="s6", phase="p0"), ["s6"]),
        (StepFilter(q="nothing"), []),
    ],
)
def test_filters_and_search(builder: Callable[..., Any], wanted: StepFilter, found: list[str]) -> None:
    """State, phase and a text in any case narrow the steps down; together they must all hold."""
    answer = steps(planned(builder).context(), "lfs", wanted)
    assert [each.step for each in answer.steps] == found
    assert (answer.matching, answer.next) == (len(found), None)


@pytest.mark.parametrize("cursor", ["nonsense", "!", "WyJwMCJd", "WyJwMCIsICJ4Il0", "ey4", "bnVsbA", "\u00e4"])
def test_a_wrong_cursor_is_refused(builder: Callable[..., Any], cursor: str) -> None:
    """What is no cursor of the build is an error that says so."""
    with pytest.raises(NotFoundError, match="no cursor"):
        steps(planned(builder).context(), "lfs", StepFilter(after=cursor))


def test_a_page_goes_on_where_it_was_when_the_plan_has_grown(builder: Callable[..., Any]) -> None:
    """A cursor names a step, so steps added meanwhile are neither lost nor repeated."""
    build = planned(builder, 4)
    first = steps(build.context(), "lfs", StepFilter(limit=2))
    build.add("plan", steps=[{"phase": "p0", "step": "s9"}], continues=True)
    rest = steps(build.context(), "lfs", StepFilter(after=first.next or ""))
    assert [each.step for each in rest.steps] == ["s2", "s3", "s9"]
