"""The OpenAPI document, and whether the running API keeps what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.web.routes import ENDPOINTS


@pytest.fixture(scope="module")
def served(serve_all: Callable[..., Any], run_file_of_all: Callable[..., Any]) -> Any:
    """An exporter over a build with something of everything."""
    run = run_file_of_all("lfs")
    run.add("build_started", target="x86_64-lfs-linux-gnu")
    run.add("plan", steps=[{"phase": "p", "step": name, "expected_seconds": 9.0} for name in ("a", "b", "c")])
    run.step("p", "a", cpu_seconds=3.5, warnings=2)
    run.add("tests_reported", phase="p", step="a", suite="check", passed=5, failed=1)
    run.step("p", "b", status="failed", error_class="compiler-error", message="boom")
    return serve_all()


def test_the_document_is_valid_and_whole(served: Any) -> None:
    """What is served is OpenAPI 3.1 by the standard's own schema, and names every endpoint."""
    validate = pytest.importorskip("openapi_spec_validator").validate
    status, _, body = served.get("/api/v1/openapi.json")
    document = json.loads(body)
    assert status == 200
    validate(document)
    methods = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert len(methods) == len(ENDPOINTS) > 8
    steps, report = (document["paths"][f"/api/v1/builds/{{build}}/{name}"]["get"] for name in ("steps", "report"))
    assert steps["parameters"]
    assert str(served.get("/api/v1/builds/lfs/steps?after=" + "x" * 32768)[0]) in steps["responses"].keys() - {"404"}
    csv = served.get("/api/v1/builds/lfs/report?format=csv")[1]["content-type"].partition(";")[0]
    assert csv in report["responses"]["200"]["content"].keys() - {"application/json"}


def test_answers_keep_to_the_document(served: Any) -> None:
    """Schemathesis, asking what the document allows and what it forbids, finds no answer that breaks it."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415 - with schemathesis alone

    refuses_valid = pytest.importorskip("schemathesis.specs.openapi.checks").positive_data_acceptance
    schema = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            nonlocal asked
            asked += 1
            # an event may be refused for what no schema says: a time ahead of the clock, 7.0 where 7 is meant
            skipped = [refuses_valid] if case.method == "POST" else []
            case.call_and_validate(excluded_checks=skipped)

        check()
    assert asked > 50
    assert served.process.poll() is None
    assert "Traceback" not in served.log.read_text()


def test_prometheus_finds_the_exporter(served: Any) -> None:
    """http_sd returns the address that was asked and the path of the metrics."""
    status, headers, body = served.get("/api/v1/sd")
    assert (status, headers["content-type"]) == (200, "application/json")
    (target,) = json.loads(body)
    assert target["targets"] == [f"127.0.0.1:{served.port}"]
    assert target["labels"]["__metrics_path__"] == "/metrics"
