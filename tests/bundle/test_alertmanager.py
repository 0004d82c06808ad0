"""Alertmanager's files: routes and messages, as its own tool sees them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Json = dict[str, Any]

EXAMPLES: Final = ("email", "sms", "slack", "telegram", "ntfy", "webhook", "discord", "matrix")

NASTY: Final = "<script>alert(1)</script> & `x` <!channel>\nline two"
NASTY_STEP: Final = 'chapter-8 / 813-gcc\r\nBcc: thief@example.org "x"'


def message(**changes: Any) -> Json:
    """Return what Alertmanager hands to a template: one group with one alert of a failed build."""
    labels = {"alertname": "BuildFailed", "build": "lfs+12.4", "severity": "critical", "tier": "1"}
    annotations = {
        "summary": "A build has failed and stopped.",
        "description": "Build lfs+12.4 failed.",
        "failed_step": "chapter-8 / 813-gcc",
        "failure_class": "compiler-error",
        "excerpt": "a.c:1: error: x",
        "hint": "The compiler found a fault.",
        "progress": "3 of 9 steps done, 33.0 %; about 2 h 10 min of work left; 5 steps wait for this one.",
        "page_url": "http://forge:10110/builds/lfs%2B12.4",
        "runbook_url": "http://forge:10110/runbook#buildfailed",
        "acknowledge_url": "http://forge:10110/alerts/acknowledge?link=abc",
        "dashboard_url": "http://localhost:3000/d/build-now?var-build=lfs%2B12.4",
    }
    labels = {**labels, **changes.get("labels", {})}
    annotations = {**annotations, **changes.get("annotations", {})}
    status = changes.get("status", "firing")
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-11-21T03:04:05Z",
        "endsAt": "2026-11-21T04:04:05Z",
    }
    return {
        "receiver": "page",
        "status": status,
        "externalURL": "http://localhost:9093",
        "groupLabels": {"alertname": labels["alertname"]},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "alerts": [alert] * changes.get("count", 1),
    }


@pytest.fixture
def render(amtool: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Render one of the shipped templates for a message."""

    def run(name: str, data: Json, kind: str = "text") -> str:
        path = tmp_path / "data.json"
        path.write_text(json.dumps(data))
        arguments = ("--template.glob=templates/*.tmpl", f"--template.type={kind}", f"--template.data={path}")
        done = amtool("template", "render", *arguments, f'--template.text={{{{ template "{name}" . }}}}')
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    return run


def test_amtool_accepts_the_configuration(amtool: Callable[..., Any]) -> None:
    """Alertmanager's own tool takes the shipped configuration and its templates."""
    checked = amtool("check-config", "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 templates" in checked.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_takes_the_place_of_the_configuration(
    name: str, amtool: Callable[..., Any], repository: Path, tmp_path: Path
) -> None:
    """An example copied over alertmanager.yml is accepted as it stands, and differs from it in receivers alone."""
    source = repository / "alertmanager"
    shutil.copytree(source / "templates", tmp_path / "templates")
    shutil.copy(source / "examples" / f"{name}.yml", tmp_path / "alertmanager.yml")
    checked = amtool("check-config", "alertmanager.yml", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    example = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())
    shipped = yaml.safe_load((source / "alertmanager.yml").read_text())
    for section in ("route", "inhibit_rules", "time_intervals", "templates"):
        assert example[section] == shipped[section], section
    assert [r["name"] for r in example["receivers"]] == [r["name"] for r in shipped["receivers"]]
    emits = {key for receiver in example["receivers"] for key in receiver} - {"name"}
    assert emits == {
        "webhook_configs",
        f"{ {'sms': 'sns', 'ntfy': 'webhook', 'matrix': 'webhook'}.get(name, name) }_configs",
    }


def test_there_is_an_example_of_each_way(repository: Path) -> None:
    """The list the tests go through is the directory's."""
    assert {path.stem for path in (repository / "alertmanager/examples").glob("*.yml")} == set(EXAMPLES)


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("page", "alertname=BuildFailed build=lfs severity=critical tier=1"),
        ("on-call", "alertname=BuildFailed build=lfs severity=critical tier=2"),
        ("on-call", "alertname=BuildStalled build=lfs severity=critical tier=2"),
        ("team", "alertname=BuildStalled build=lfs severity=warning tier=1"),
        ("team", "alertname=BuildHostMemoryLow instance=a severity=warning"),
        ("page", "alertname=BuildHostOutOfMemoryKill instance=a severity=critical"),
        ("notices", "alertname=BuildFinished build=lfs severity=info outcome=success"),
        ("notices", "alertname=BuildMilestoneReached build=lfs milestone=m severity=info outcome=success"),
        ("heartbeat", "alertname=BuildDeadMansSwitch severity=info"),
        ("team", "alertname=SomebodyElses severity=unheard-of"),
    ],
)
def test_alerts_go_to_their_receivers(receiver: str, labels: str, amtool: Callable[..., Any]) -> None:
    """Severity and tier decide who is notified; nothing is dropped."""
    tried = amtool(
        "config", "routes", "test", "--config.file=alertmanager.yml", f"--verify.receivers={receiver}", *labels.split()
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_every_alert_of_the_rules_is_routed_as_its_severity_says(
    alerts: list[Json], amtool: Callable[..., Any]
) -> None:
    """No alert in the rules falls to a receiver that its severity and tier do not ask for."""
    wanted = {"critical": "page", "warning": "team", "info": "notices"}
    for kind in sorted({(r["labels"]["severity"], r["labels"].get("tier", "")) for r in alerts}):
        severity, tier = kind
        receiver = "on-call" if tier in ("2", "3") else wanted[severity]
        tried = amtool(
            *("config", "routes", "test", "--config.file=alertmanager.yml", f"--verify.receivers={receiver}"),
            *("alertname=X", f"severity={severity}", f"tier={tier}"),
        )
        assert tried.returncode == 0, (kind, tried.stdout)


def test_only_good_news_keeps_quiet_at_night(repository: Path) -> None:
    """Quiet hours mute the notices alone, cover the night, and end before a notice does, so that it is sent then."""
    config = yaml.safe_load((repository / "alertmanager/alertmanager.yml").read_text())
    muted = [route["receiver"] for route in config["route"]["routes"] if "mute_time_intervals" in route]
    assert muted == ["notices"]
    (hours,) = config["time_intervals"]
    spans = [(t["start_time"], t["end_time"]) for t in hours["time_intervals"][0]["times"]]
    minutes = sum(_minutes(end) - _minutes(start) for start, end in spans)
    rules = (repository / "prometheus/rules/builds.yml").read_text()
    (reported_for,) = set(re.findall(r"timestamp_seconds\) < (\d+)", rules))
    assert minutes * 60 + 600 < int(reported_for)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def test_inhibition_names_labels_and_alerts_that_exist(repository: Path, alerts: list[Json]) -> None:
    """A misspelt alert in an inhibition would never be inhibited."""
    config = yaml.safe_load((repository / "alertmanager/alertmanager.yml").read_text())
    known = {rule["alert"] for rule in alerts}
    named = set()
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            found = re.fullmatch(r'alertname=~?"([\w|]+)"', matcher)
            named |= set(found[1].split("|")) if found else set()
    assert len(named) >= 8
    assert named <= known


def test_the_subject_says_which_build_failed_and_where(render: Callable[..., str]) -> None:
    """A telephone's lock screen shows severity, build, step and class."""
    assert render("build.subject", message()) == "[CRITICAL] lfs+12.4: 813-gcc failed (compiler-error)"


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"status": "resolved"}, "[OVER] lfs+12.4: 813-gcc failed (compiler-error)"),
        ({"count": 3}, "[CRITICAL x3] lfs+12.4: 813-gcc failed (compiler-error)"),
        (
            {"labels": {"builder": "forge"}, "annotations": {"failed_step": "", "failure_class": ""}},
            "[CRITICAL] lfs+12.4 on forge: A build has failed and stoppe…",
        ),
        (
            {
                "labels": {"severity": "info", "outcome": "success", "milestone": "cross toolchain"},
                "annotations": {"failed_step": ""},
            },
            "[DONE] lfs+12.4: reached cross toolchain",
        ),
        (
            {
                "labels": {"build": "", "instance": "localhost:10110", "severity": "warning"},
                "annotations": {"failed_step": "", "summary": "The machine swaps."},
            },
            "[WARNING] localhost:10110: The machine swaps.",
        ),
    ],
)
def test_subjects_of_other_messages(changes: Json, subject: str, render: Callable[..., str]) -> None:
    """Resolved, grouped, good and machine-wide messages differ in their subject."""
    assert render("build.subject", message(**changes)) == subject


def test_text_from_a_log_is_never_markup_or_a_header(render: Callable[..., str]) -> None:
    """What a build printed arrives as text: escaped in HTML and Slack, on one line in subject and text message."""
    nasty = message(annotations={"excerpt": NASTY, "failed_step": NASTY_STEP, "failure_class": "<b>"})
    for name in ("build.subject", "build.sms"):
        assert "\n" not in render(name, nasty)
        assert "\r" not in render(name, nasty)
    for name in ("build.html", "build.telegram"):
        text = render(name, nasty, "html")
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "compiler <b>" not in text
    slack = render("build.slack.text", nasty)
    assert "<script" not in slack
    assert "<!channel>" not in slack
    assert "&lt;!channel&gt;" in slack
    assert slack.count("```") == 2
    assert "    line two" in render("build.text", nasty)


def test_messages_lead_to_page_dashboard_runbook_and_acknowledgement(render: Callable[..., str]) -> None:
    """Each message that is read at a alerting holds every way on; the acknowledgement is for the build, all tiers."""
    links = ("/builds/lfs%2B12.4", "/runbook#buildfailed", "/alerts/acknowledge?link=abc")
    dashboard = "http://localhost:3000/d/build-now?var-build=lfs%2B12.4"
    kinds = {"build.text": "text", "build.html": "html", "build.slack.text": "text", "build.markdown": "text"}
    for name, kind in kinds.items():
        text = render(name, message(), kind)
        for link in (*(f"http://forge:10110{link}" for link in links), dashboard):
            assert link in text, name
    text = render("build.telegram", message(), "html")
    assert "http://forge:10110/alerts/acknowledge?link=abc" in text
    assert dashboard in text


def test_no_dashboard_is_linked_where_none_is_configured(render: Callable[..., str]) -> None:
    """Without Grafana a message has no link that leads nowhere."""
    for name, kind in (("build.text", "text"), ("build.html", "html"), ("build.slack.text", "text")):
        text = render(name, message(annotations={"dashboard_url": ""}), kind)
        assert "Dashboard" not in text
        assert "localhost" not in text


def test_an_alert_without_a_link_of_its_own_is_acknowledged_on_the_page(render: Callable[..., str]) -> None:
    """Only incidents have a signed link; for all others it leads to the page of alerts, beside the runbook."""
    text = render("build.text", message(annotations={"acknowledge_url": "", "page_url": ""}))
    assert "I have it: http://forge:10110/alerts\n" in text
    assert "Live page: http://forge:10110/\n" in text


@pytest.mark.parametrize("step", ["813-gcc", "s" * 250, "käse/" * 40])
def test_a_subject_has_sixty_characters_at_most(step: str, render: Callable[..., str]) -> None:
    """What matters is on a telephone's lock screen, however long names are."""
    long = message(
        labels={"build": "b" * 100, "builder": "forge" * 10}, annotations={"failed_step": f"chapter-8 / {step}"}
    )
    subject = render("build.subject", long)
    assert len(subject) <= 60
    assert subject.startswith("[CRITICAL] bbb")


def test_a_text_message_is_short(render: Callable[..., str]) -> None:
    """It fits into one, 160 characters, whatever the step is called."""
    long = message(
        labels={"build": "b" * 100},
        annotations={"failed_step": "p / " + "s" * 250, "failure_class": "internal-compiler-error"},
    )
    assert len(render("build.sms", long)) <= 160
    sms = "CRITICAL lfs+12.4: chapter-8 / 813-gcc failed (compiler-error). 3 of 9 steps done, 33.0 %"
    assert render("build.sms", message()) == sms


def test_telegram_gets_whole_markup_of_a_large_group(render: Callable[..., str]) -> None:
    """A hundred failing suites make a message that is not cut within a tag: the first five are enough."""
    text = render("build.telegram", message(count=100), "html")
    assert len(text) < 4096
    assert text.count("<a ") == text.count("</a>") == 15
