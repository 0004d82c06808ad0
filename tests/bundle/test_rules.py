"""What every alert must have, and that the rules name nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml

from build_exporter import __version__
from build_exporter.config.schema import Thresholds

TESTS: Final = Path(__file__).parents[2] / "prometheus" / "tests"

LONGEST_GAP: Final = 60.0
"""Seconds between the last look at which a tested alert must be silent and the one at which it must fire."""

Json = dict[str, Any]


def seconds(duration: str) -> float:
    """Return the seconds of a duration as Prometheus writes it."""
    return promql_parser.parse_duration(duration).total_seconds() if duration not in ("0", "0s") else 0.0


def kind(rule: Json) -> tuple[str, str, str]:
    """Return what distinguishes the variants of an alert: name, severity, tier."""
    return rule["alert"], rule["labels"]["severity"], rule["labels"].get("tier", "")


def polls(repository: Path) -> list[tuple[int, str, float, set[tuple[str, str, str]]]]:
    """Return each look of the promtool tests: test block, alert, time, and the variants that must fire."""
    found = []
    block = 0
    for path in sorted((repository / "prometheus/tests").glob("*_test.yml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            block += 1
            for poll in test["alert_rule_test"]:
                name = poll["alertname"]
                fires = {
                    (name, each["exp_labels"]["severity"], each["exp_labels"].get("tier", ""))
                    for each in poll["exp_alerts"]
                }
                found.append((block, name, seconds(poll["eval_time"]), fires))
    return found


def test_every_alert_is_tried_just_before_it_fires_and_when_it_does(repository: Path, alerts: list[Json]) -> None:
    """Each variant of each alert has a test in which it is silent at one look and fires at most a minute later."""
    by_test: dict[tuple[int, str], list[tuple[float, set[tuple[str, str, str]]]]] = {}
    for block, name, time, fires in polls(repository):
        by_test.setdefault((block, name), []).append((time, fires))
    tried = {
        variant
        for found in by_test.values()
        for time, fires in found
        for variant in fires
        if any(0 < time - before <= LONGEST_GAP and variant not in silent for before, silent in found)
    }
    wanted = {kind(rule) for rule in alerts} - {("BuildDeadMansSwitch", "info", "")}
    assert wanted - tried == set()


def test_every_alert_is_tried_where_it_must_not_fire(repository: Path, alerts: list[Json]) -> None:
    """Each alert has a test in which it stays silent beyond the time for which its condition would have to hold."""
    waits: dict[str, float] = {}
    for rule in alerts:
        waits[rule["alert"]] = max(waits.get(rule["alert"], 0.0), seconds(rule.get("for", "0s")))
    blocks: dict[tuple[int, str], list[tuple[float, bool]]] = {}
    for block, name, time, fires in polls(repository):
        blocks.setdefault((block, name), []).append((time, bool(fires)))
    never = {
        name
        for (_, name), found in blocks.items()
        if not any(fired for _, fired in found) and max(time for time, _ in found) > waits[name]
    }
    assert set(waits) - never == {"BuildDeadMansSwitch"}


def test_every_alert_says_how_bad_it_is_and_what_to_do(repository: Path, alerts: list[Json]) -> None:
    """Severity, a summary that never changes, a description that says which, a runbook entry and a dashboard."""
    headings = re.findall(r"^## (\w+)$", (repository / "alertmanager/runbook.md").read_text(), re.MULTILINE)
    for rule in alerts:
        name, annotations = rule["alert"], rule["annotations"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        assert "{{" not in annotations["summary"], name
        assert annotations["summary"].endswith("."), name
        assert "{{" in annotations["description"] or name == "BuildDeadMansSwitch", name
        # an incident's links are made by the exporter, where it knows its own address
        is_incident = "build_failure{" in rule["expr"]
        assert is_incident or annotations["runbook_url"].endswith(f"/runbook#{name.lower()}"), name
        assert "build_failure_info" in annotations["runbook_url"] if is_incident else "build_exporter_link_info", name
        assert 'label "dashboard_url"' in annotations["dashboard_url"], name
    assert sorted(headings) == sorted({rule["alert"] for rule in alerts})


def test_good_news_is_information(alerts: list[Json]) -> None:
    """Messages of success have severity info, so that routes neither drop them nor take them for trouble."""
    good = {rule["alert"] for rule in alerts if rule["labels"].get("outcome") == "success"}
    assert good == {"BuildFinished", "BuildMilestoneReached"}
    assert {r["labels"]["severity"] for r in alerts if r["alert"] in good} == {"info"}


def test_the_second_tier_asks_the_same_and_waits_longer(alerts: list[Json]) -> None:
    """Escalation is a matter of time alone."""
    second = [rule for rule in alerts if rule["labels"].get("tier") == "2"]
    incidents = {"BuildFailed", "BuildWaitingForInput", "BuildDiskFull", "BuildOutOfMemory"}
    assert {rule["alert"] for rule in second} == incidents | {"BuildStalled", "BuildStepStuck", "BuildHostDiskLow"}
    for rule in second:
        if rule["alert"] in incidents:
            # the exporter counts the time, and knows who acknowledged
            assert rule["expr"].endswith(">= 2")
            continue
        first = [r for r in alerts if r["alert"] == rule["alert"] and r["labels"].get("tier") == "1"]
        same = [r["expr"].strip() for r in first if rule["expr"].startswith(r["expr"].strip())]
        assert same, rule["alert"]
        time = rule["expr"].removeprefix(same[0])
        assert 'name="escalation_2_seconds"' in time
        assert f'alertname="{rule["alert"]}",tier="1"' in time
        assert rule["labels"]["severity"] == "critical"


def test_rules_name_families_and_labels_that_exist(rules: list[Json], labels: Any) -> None:
    """Every family and label in every expression is in the catalog, or of Prometheus and Alertmanager themselves."""
    for rule in rules:
        assert labels.of(rule["expr"]) is not None, rule


def test_messages_name_labels_the_alert_has(alerts: list[Json], labels: Any) -> None:
    """No message has a hole where a label was hoped for; the aggregation decides which labels there are."""
    for rule in alerts:
        have = labels.of(rule["expr"]) | set(rule["labels"])
        if rule["alert"] == "BuildExporterDown":
            have = {"job"}  # absent() takes its labels from the selector
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        # where there is no builder the template has the empty text, which is right in the queries it is used in
        assert used - {"builder"} <= have, (rule["alert"], used - have)


def test_queries_in_messages_name_what_exists(alerts: list[Json], labels: Any) -> None:
    """The PromQL within messages names families and labels that exist, like that of the rules."""
    asked = 0
    for rule in alerts:
        for text in rule["annotations"].values():
            for query in re.findall(r'printf\s+"((?:[^"\\]|\\.)*)"[^|}]*\|\s*query', text):
                asked += 1
                assert labels.of(query.replace('\\"', '"').replace("%q", '"x"')) is not None
    assert asked > 10


def test_thresholds_are_those_of_the_configuration(rules: list[Json]) -> None:
    """A rule compares with thresholds the exporter exports; a misspelt one would never fire."""
    used = set(re.findall(r'build_threshold:max\{name="(\w+)"', " ".join(rule["expr"] for rule in rules)))
    assert len(used) > 15
    tiers = {"escalation_2_seconds", "escalation_3_seconds"}
    assert used <= {*Thresholds.__struct_fields__, "late_ratio", *tiers}


def test_no_rule_uses_what_old_or_new_servers_lack(repository: Path) -> None:
    """The rules keep to what Prometheus 2.42 and 3.x both take."""
    for path in (repository / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            assert set(group) <= {"name", "interval", "rules"}, path
            for rule in group["rules"]:
                assert set(rule) <= {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("build_stat", "no such family"),
        ('build_state{stat="running"}', "no label"),
        ("max by (step) (build_state)", "no label"),
        ("build_state > on (step) group_left () build_step_status", "no label"),
    ],
)
def test_the_check_of_names_finds_faults(expr: str, complaint: str, labels: Any) -> None:
    """A misspelt family, label, grouping or matching is found."""
    with pytest.raises(AssertionError, match=complaint):
        labels.of(expr)


def test_promtool_accepts_rules_and_configuration(promtool: Callable[..., Any], repository: Path) -> None:
    """Prometheus' own tool finds nothing to say, warnings of duplicates included."""
    files = sorted(str(path) for path in (repository / "prometheus/rules").glob("*.yml"))
    checked = promtool("check", "rules", "--lint-fatal", *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = promtool("check", "config", "--lint-fatal", "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.glob("*_test.yml")))
def test_alerts_fire_as_their_tests_say(promtool: Callable[..., Any], name: str) -> None:
    """Prometheus' own tool runs the tests of the rules: silence, firing, and the messages word for word."""
    ran = promtool("test", "rules", str(TESTS / name))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_say_which_version_they_are_of(rules: list[Json]) -> None:
    """`doctor` finds rules of another version by this."""
    (info,) = [rule for rule in rules if rule.get("record") == "build:rules:info"]
    assert info["labels"] == {"version": __version__}
