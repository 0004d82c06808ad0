"""Names in addresses: whatever they hold, they lead to what is named so and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

RunFiles = Callable[..., Any]
NAMES = ("a/b", "/", "//", "50%", "%2F", "%252F", "c++", "what?", "a#b", "a;b=c&d", ".", "..", "../..", "ü 1", "a\\b")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_asked_for_as_it_is(site: Any, run_file: RunFiles, name: str) -> None:
    """Escaped, the names of phase and step are the step's address, in the API and on the page; likewise in a query."""
    run = run_file("b+c")
    run.step(name, f"x{name}", seconds=61.0)
    run.step("p", "other")
    site.monitor.poll()
    place = f"{quote('b+c')}/steps/{quote(name, safe='')}/{quote(f'x{name}', safe='')}"
    status, _, body = site.get(f"/api/v1/builds/{place}")
    assert (status, json.loads(body).get("seconds")) == (200, 61.0), body
    assert "1 min 01 s" in site.page(f"/builds/{place}").words
    _, _, body = site.get(f"/api/v1/builds/b+c/steps?phase={quote(name, safe='')}")
    assert [row["seconds"] for row in json.loads(body)["steps"]] == [61.0]
    status, _, body = site.get(f"/api/v1/builds/b%2Bc/log?step={quote(f'{name}/x{name}', safe='')}")
    assert "no log is known of" in json.loads(body)["error"]["message"], status


def test_a_phase_without_a_name_has_its_steps(site: Any, run_file: RunFiles) -> None:
    """What is beyond the bounds of phases shares one that has no name; its steps are asked for all the same."""
    run = run_file("lfs")
    run.add("plan", steps=[{"phase": f"p{number}", "step": "s"} for number in range(1000)])
    run.step("more", "s")
    site.monitor.poll()
    for path in ("/api/v1/builds/lfs/steps//s", "/builds/lfs/steps//s"):
        assert site.get(path)[0] == 200
    assert site.get("/api/v1/builds//steps")[0] == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/%62uil%64s", 200), ("/%2D/healthy", 200), ("/-%2Fhealthy", 404), ("/api%2Fv1/builds", 404),
        ("/static/..%2F..%2Fpyproject.toml", 404), ("/api/v1/builds/..%2F..", 404), ("/api/v1/builds/", 307),
        ("/static/page%2ecss", 200), ("/icon/%2e%2e.svg", 404), ("/api/v1/queries/a%2Fb", 404),
    ],
)  # fmt: skip
def test_only_escapes_of_plain_characters_are_the_same_address(site: Any, path: str, status: int) -> None:
    """A letter escaped is that letter; a slash escaped is no way into another address, as for any proxy in front."""
    assert site.get(path)[0] == status
