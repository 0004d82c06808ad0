"""What the tests of the bundle share: its files, the programs that check them, and what labels a PromQL expression has.

Where `BUNDLE_TOOLS` names directories (as PATH does), the programs in them are tried too, beside those on PATH: so one
run checks several versions of promtool, amtool and Alertmanager.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from generate import DASHBOARDS

from build_exporter.catalog import CATALOG, Kind

TOP: Final = Path(__file__).resolve().parents[2]

TARGET_LABELS: Final = frozenset({"instance", "job", "builder"})
"""What Prometheus adds to every series; `builder` only where prometheus/sd says so."""

_OF_ALERTS: Final = frozenset({"alertname", "severity", "tier", "build", "phase", "step", "mountpoint", "device"})

FOREIGN: Final = {
    "up": frozenset[str](),
    "scrape_duration_seconds": frozenset[str](),
    "prometheus_notifications_errors_total": frozenset({"alertmanager"}),
    "prometheus_notifications_alertmanagers_discovered": frozenset[str](),
    "prometheus_rule_evaluation_failures_total": frozenset({"rule_group"}),
    "alertmanager_notifications_failed_total": frozenset({"integration", "reason"}),
    "ALERTS": _OF_ALERTS | {"alertstate"},
    "ALERTS_FOR_STATE": _OF_ALERTS,
}
"""Families of others that rules and dashboards use, with those of their labels that are used."""


def found(name: str) -> list[str]:
    """Return the programs of a name: on PATH and in the directories of `BUNDLE_TOOLS`."""
    places = ["", *os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep)]
    programs = [shutil.which(name, path=place or None) for place in dict.fromkeys(places)]
    return list(dict.fromkeys(program for program in programs if program))


def _each(name: str) -> list[Any]:
    missing = pytest.param("", marks=pytest.mark.skip(reason=f"{name} is not installed"))
    return [*found(name)] or [missing]


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=_each("promtool"))
def promtool(request: pytest.FixtureRequest) -> Run:
    """Run promtool, each version that is there, in prometheus/."""
    return _runner(request.param, TOP / "prometheus")


@pytest.fixture(params=_each("amtool"))
def amtool(request: pytest.FixtureRequest) -> Run:
    """Run amtool, each version that is there, in alertmanager/."""
    return _runner(request.param, TOP / "alertmanager")


def _runner(program: str, directory: Path) -> Run:
    def run(*arguments: str, cwd: Path = directory, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=280, **options
        )

    return run


@pytest.fixture(scope="session")
def rules() -> list[dict[str, Any]]:
    """Every rule of prometheus/rules, in the files' order."""
    documents = [yaml.safe_load(path.read_text()) for path in sorted((TOP / "prometheus/rules").glob("*.yml"))]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def alerts(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every alert of prometheus/rules."""
    return [rule for rule in rules if "alert" in rule]


@pytest.fixture(scope="session")
def boards() -> list[dict[str, Any]]:
    """Every dashboard, made anew."""
    return [make() for make in DASHBOARDS]


class Labels:
    """Which labels the result of an expression can have; an assertion fails where one is used that can't be there."""

    def __init__(self, recorded: dict[str, str]) -> None:
        self._recorded = recorded
        self._known: dict[str, frozenset[str]] = {}

    def of(self, text: str) -> frozenset[str]:
        """Return the labels of an expression's result."""
        return self._of(promql_parser.parse(text))

    def _of(self, expr: Any) -> frozenset[str]:
        if isinstance(expr, promql_parser.ParenExpr | promql_parser.UnaryExpr | promql_parser.SubqueryExpr):
            return self._of(expr.expr)
        kinds: dict[type[Any], Callable[[Any], frozenset[str]]] = {
            promql_parser.VectorSelector: self._of_selector,
            promql_parser.MatrixSelector: lambda matrix: self._of_selector(matrix.vector_selector),
            promql_parser.AggregateExpr: self._of_aggregate,
            promql_parser.BinaryExpr: self._of_binary,
            promql_parser.Call: self._of_call,
        }
        kind = kinds.get(type(expr))
        # what is left are numbers and strings
        return kind(expr) if kind is not None else frozenset()

    def _of_selector(self, selector: promql_parser.VectorSelector) -> frozenset[str]:
        name = selector.name or ""
        labels = self._of_family(name)
        used = {matcher.name for matcher in selector.matchers.matchers}
        assert used <= labels, f"{name} has no label {sorted(used - labels)}"
        return labels

    def _of_family(self, name: str) -> frozenset[str]:
        if name in self._recorded:
            if name not in self._known:
                # a rule that looks at itself has the labels its other side gives
                self._known[name] = frozenset({"build", "builder"})
                self._known[name] = self.of(self._recorded[name])
            return self._known[name]
        if name in FOREIGN:
            return FOREIGN[name] | TARGET_LABELS
        family, _, part = name.rpartition("_")
        histogram = CATALOG.get(family)
        if histogram is not None and histogram.kind is Kind.HISTOGRAM:
            return frozenset({*histogram.labels, *(("le",) if part == "bucket" else ())}) | TARGET_LABELS
        assert name in CATALOG, f"no such family: {name}"
        return frozenset(CATALOG[name].labels) | TARGET_LABELS

    def _of_aggregate(self, expr: promql_parser.AggregateExpr) -> frozenset[str]:
        labels = self._of(expr.expr)
        if str(expr.op) in ("topk", "bottomk"):
            # they choose series, which keep their labels
            return labels
        if expr.modifier is None:
            return frozenset()
        assert expr.modifier.type == promql_parser.AggModifierType.By, "say which labels stay, not which go"
        by = frozenset(expr.modifier.labels)
        assert by <= labels, f"no label {sorted(by - labels)} in {expr}"
        return by

    def _of_call(self, call: Any) -> frozenset[str]:
        sides = [self._of(argument) for argument in call.args]
        labels = frozenset[str]().union(*sides)
        return labels - {"le"} if call.func.name == "histogram_quantile" else labels

    def _of_binary(self, expr: promql_parser.BinaryExpr) -> frozenset[str]:
        left, right = self._of(expr.lhs), self._of(expr.rhs)
        modifier = expr.modifier
        if modifier is None or modifier.matching is None:
            return left | right if str(expr.op) == "or" else left or right
        on = frozenset(modifier.matching.labels)
        assert on <= left, f"no label {sorted(on - left)} left of {expr.op} in {expr}"
        assert on <= right, f"no label {sorted(on - right)} right of {expr.op} in {expr}"
        if str(expr.op) == "or":
            return left | right
        copied = frozenset(modifier.group_labels or ())
        assert copied <= right, f"no label {sorted(copied - right)} right of {expr.op} in {expr}"
        return on if modifier.card == promql_parser.VectorMatchCardinality.OneToOne else left | copied


@pytest.fixture(scope="session")
def labels(rules: list[dict[str, Any]]) -> Labels:
    """Return the labels of expressions, with the recording rules known."""
    return Labels({rule["record"]: rule["expr"] for rule in rules if "record" in rule})


@pytest.fixture
def wrapped(tmp_path: Path) -> Callable[[list[str]], Path]:
    """Write expressions as recording rules, so that promtool judges them."""

    def write(expressions: list[str]) -> Path:
        rules = [{"record": f"checked:query_{place}:value", "expr": expr} for place, expr in enumerate(expressions)]
        path = tmp_path / "queries.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
        return path

    return write
