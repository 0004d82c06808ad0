"""The query commands over HTTP and from a running exporter: earlier runs too, and mistakes in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def served(serve: Callable[..., Any], run_file: Callable[..., Any]) -> Any:
    """An exporter over a build with a failed run and one that succeeded."""
    for run, status in (("20260101T000000Z", "failed"), ("20260102T000000Z", "succeeded")):
        each = run_file("lfs", run, clock=1.78e9 + (0 if status == "failed" else 86400))
        each.add("build_started")
        each.step("p", "gcc", 10, status, error_class="compiler-error" if status == "failed" else None)
        each.add("build_finished", status=status)
    return serve()


def get(served: Any, path: str) -> tuple[int, Any]:
    """Return status and body."""
    status, _, body = served.get(path)
    return status, json.loads(body)


def test_every_query_answers_over_http(served: Any) -> None:
    """What is listed can be asked, live and of an earlier run, with the verdict that scripts exit by."""
    status, listed = get(served, "/api/v1/queries")
    names = [row["query"] for row in listed]
    assert (status, len(names) > 12) == (200, True)
    for name in names:
        assert get(served, f"/api/v1/queries/{name}?build=lfs")[0] == 200, name
    _, newest = get(served, "/api/v1/queries/tasks?build=lfs&status=succeeded")
    assert [row["step"] for row in newest["rows"]] == ["gcc"]
    assert not newest["not_fine"]
    _, before = get(served, "/api/v1/queries/progress?build=lfs&run=previous")
    assert before["not_fine"]
    assert before["rows"][0]["run"] == "20260101T000000Z"
    assert len(get(served, "/api/v1/queries/progress?build=lfs&limit=1")[1]["rows"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("nope?build=lfs", 404, "progress"),
        ("progress?build=nope", 404, "nope"),
        ("progress?build=lfs&run=19990101T000000Z", 404, "newest"),
        ("progress?build=lfs&status=failed", 400, "takes no status"),
        ("tasks?build=lfs&colour=red", 400, "colour"),
        ("tasks?build=lfs&since=20&until=10", 400, "before it begins"),
    ],
)
def test_mistakes_are_one_sentence(served: Any, path: str, status: int, words: str) -> None:
    """A query, build, run, filter or window that is not there is named, with what there is."""
    answered = get(served, f"/api/v1/queries/{path}")
    assert answered[0] == status
    assert words in answered[1]["error"]["message"]


def test_a_command_knows_earlier_runs_of_an_exporter(served: Any, command: Callable[..., Any], tmp_path: Path) -> None:
    """`--exporter` with `--run previous` and `history` answer as the journal would, without reading it."""
    (tmp_path / "none").mkdir()
    far = ("--exporter", served.url, "--journal", str(tmp_path / "none"), "--output", "json")
    before = command("errors", *far, "--build", "lfs", "--run", "previous")
    assert before.returncode == 1, before.stderr
    (row,) = json.loads(before.stdout)["rows"]
    assert (row["step"], row["run"]) == ("gcc", "20260101T000000Z")
    history = json.loads(command("history", *far, "--build", "lfs").stdout)
    assert len({row["run"] for row in history["rows"]}) == 2
