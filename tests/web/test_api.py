"""The API as a program meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

Serve = Callable[..., Any]


def ask(served: Any, path: str) -> tuple[int, Any]:
    """Return status and decoded answer."""
    status, headers, body = served.get(path)
    assert headers["content-type"] == "application/json"
    return status, json.loads(body)


@pytest.fixture(scope="module")
def served(serve_all: Serve, run_file_of_all: Callable[..., Any]) -> Any:
    """An exporter over a build with one finished, one failed and one step to come, and a run before it."""
    run_file_of_all("lfs", run="20260101T000000Z").step("p", "a/b", seconds=4.0)
    run = run_file_of_all("lfs")
    run.add("plan", steps=[{"phase": "p", "step": name} for name in ("a/b", "c", "d")])
    run.step("p", "a/b", seconds=5.0)
    run.step("p", "c", status="failed", error_class="compiler-error", message="boom")
    return serve_all()


def test_builds_steps_and_failures_are_served(served: Any, poll: Callable[..., None]) -> None:
    """Each query has its address, and a step is addressed by its names, a slash in them as it is or escaped."""
    assert [row["build"] for row in ask(served, "/api/v1/builds")[1]["builds"]] == ["lfs"]
    board = ask(served, "/api/v1/builds/lfs")[1]
    assert (board["state"], board["steps"]["total"]) == ("failed", 3)
    assert [each["step"] for each in ask(served, "/api/v1/builds/lfs/steps?state=pending")[1]["steps"]] == ["d"]
    assert ask(served, "/api/v1/builds/lfs/failures")[1]["failures"][0]["class"] == "compiler-error"
    poll(lambda: ask(served, "/api/v1/builds/lfs/runs")[1]["complete"], what="the history is read")
    assert [row["newest"] for row in ask(served, "/api/v1/builds/lfs/runs")[1]["runs"]] == [True, False]
    for name in ("a/b", quote("a/b", safe="")):
        step = ask(served, f"/api/v1/builds/lfs/steps/p/{name}")[1]
        assert (step["seconds"], [each["seconds"] for each in step["earlier"]]) == (5.0, [4.0])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/builds/none", 404, "not-found"),
        ("/api/v1/builds/lfs/steps/p/none", 404, "not-found"),
        ("/api/v1/builds/lfs/steps?limit=0", 400, "bad-request"),
        ("/api/v1/builds/lfs/steps?limit=1001", 400, "bad-request"),
        ("/api/v1/builds/lfs/steps?limit=x", 400, "bad-request"),
        ("/api/v1/builds/lfs/steps?state=lost", 400, "bad-request"),
        ("/api/v1/builds/lfs/steps?limit=1&limit=2", 400, "bad-request"),
        ("/api/v1/builds/lfs/steps?build=other", 400, "bad-request"),
        ("/api/v1/builds?colour=red", 400, "bad-request"),
        ("/api/v1/nothing", 404, "not-found"),
    ],
)
def test_wrong_questions_have_one_form(served: Any, path: str, status: int, code: str) -> None:
    """What is not there is 404, what is asked wrongly 400, both in the one form that all errors have."""
    got, answer = ask(served, path)
    assert (got, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]


def test_requests_are_counted_by_endpoint(served: Any) -> None:
    """However many builds are asked for, an endpoint is one series a status."""

    def counts() -> list[float]:
        named = {"handler": "/api/v1/builds/{build}"}
        return [served.value("build_exporter_http_requests_total", code=code, **named) or 0 for code in ("200", "404")]

    before = counts()
    for name in ("lfs", "lfs", "lfs", "none", "other"):
        served.get(f"/api/v1/builds/{name}")
    assert counts() == [before[0] + 3, before[1] + 2]


def test_a_run_is_reported_as_a_document(served: Any) -> None:
    """The newest run, or one by name, comes as JSON or as a page that may run and load nothing."""
    status, report = ask(served, "/api/v1/builds/lfs/report")
    assert (status, report["board"]["run"], len(report["steps"])) == (200, "20260102T030405Z", 3)
    assert ask(served, "/api/v1/builds/lfs/report?run=20260101T000000Z")[1]["steps"][0]["seconds"] == 4.0
    for form, kind in (("html", "text/html"), ("md", "text/markdown"), ("csv", "text/csv")):
        status, headers, body = served.get(f"/api/v1/builds/lfs/report?format={form}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind)
        assert headers["content-security-policy"].startswith("sandbox")
        assert b"a/b" in body
    assert ask(served, "/api/v1/builds/lfs/report?run=20250101T000000Z")[0] == 404
    assert ask(served, "/api/v1/builds/lfs/report?format=pdf")[0] == 400
