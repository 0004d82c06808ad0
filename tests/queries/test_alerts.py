"""The history of alerts, figure by figure: what is one alert, when it was over, and what its past suggests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_exporter.config.schema import Thresholds
from build_exporter.queries.alerts import alert_stats, alerts

START = 1.78e9
STALLED = "BuildStalled"


class History:
    """Reports of Alertmanager on build `lfs`, by seconds from the start."""

    def __init__(self, build: Any) -> None:
        self.build = build
        self.build.add("build_started", after=0.0)
        self.build.add("step_started", after=0.0, phase="p", step="s")

    def report(self, starts: float, ends: float | None = None, name: str = STALLED, **fields: Any) -> None:
        """Take a report of an alert, and with `ends` one of its end."""
        words = {"name": name, "receiver": "team", "starts": START + starts, "labels": fields.pop("labels", None)}
        words |= {"fingerprint": name + repr(words["labels"]) + fields.get("tier", "")} | fields
        self.build.add("alert", status="firing", **words)
        if ends is not None:
            self.build.add("alert", status="resolved", ends=START + ends, **words)

    def rows(self, *names: str) -> list[tuple[Any, ...]]:
        """Return fields of the rows."""
        found = alerts(self.build.context(escalation=(10.0, 20.0)), "lfs").alerts
        return [tuple(getattr(row, name) for name in names) for row in found]

    def stats(self) -> Any:
        """Return the figures."""
        return alert_stats(self.build.context(thresholds=Thresholds(stalled_seconds=600.0)), "lfs")


@pytest.fixture
def history(builder: Callable[..., Any]) -> History:
    """A running build without an alert."""
    return History(builder())


def test_the_tiers_of_an_incident_are_one_alert(history: History) -> None:
    """It is over when the last of them is, and everybody who was sent any of them is named once."""
    tiers: dict[str, Any] = {"name": "BuildLate", "failure": "7", "severity": "critical"}
    history.report(10, 90, tier="1", **tiers)
    history.report(20, tier="2", **tiers, receiver="page\x1b[1m")
    history.report(20, tier="2", **tiers)
    assert history.rows("state", "since", "until", "tier", "tiers", "notified") == [
        ("firing", START + 10, None, 2, [START + 10, START + 20], ["team", "page"])
    ]
    history.build.add("acknowledged", name="BuildLate", failure="7", by="ada")
    history.report(20, 80, tier="2", **tiers)
    ((state, until, taken),) = history.rows("state", "until", "acknowledged")
    assert (state, until, taken.by) == ("resolved", START + 90, "ada")


def test_an_incident_that_stands_no_more_is_over(history: History) -> None:
    """Though its end was never reported; an alert without a number fires until then, and one of each label."""
    history.report(1, name="BuildFailed", failure="7")
    history.report(2, labels={"phase": "p", "step": "gcc"})
    history.report(3, labels={"step": "m4"})
    assert history.rows("alert", "state", "until", "step") == [
        (STALLED, "firing", None, "m4"), (STALLED, "firing", None, "p / gcc"), ("BuildFailed", "resolved", None, ""),
    ]  # fmt: skip
    shown = alerts(history.build.context(), "lfs", history=False).alerts
    assert [row.step for row in shown] == ["m4", "p / gcc"]


def test_the_next_tier_comes_at_its_limit(history: History) -> None:
    """10 s and 20 s after the failure at 50 s, until somebody has it or it is in the last one; a warning has none."""
    history.build.add("step_finished", after=50.0, phase="p", step="s", status="failed")
    failed = START + 50
    for after, tier, next_at in ((0.0, 1, failed + 10), (10.0, 2, failed + 20), (20.0, 3, None)):
        context = history.build.context(after, escalation=(10.0, 20.0))
        (row,) = alerts(context, "lfs").alerts
        assert (row.alert, row.since, row.tier, row.next_tier_at) == ("BuildFailed", failed, tier, next_at)
    history.build.add("acknowledged", after=5.0, name="BuildFailed", failure=row.failure, by="ada")
    (row,) = alerts(history.build.context(0.0, escalation=(10.0, 20.0)), "lfs").alerts
    assert (row.tier, row.next_tier_at, row.acknowledged and row.acknowledged.at) == (1, None, failed + 5)


def test_figures_are_of_the_rows(history: History) -> None:
    """Means of what was taken and of what is over, flaps within ten minutes of the end before, of the same labels."""
    history.report(0, 100)
    history.report(700, 800)
    history.report(1401, 1500, labels={"step": "x"})
    history.report(1401, 1700)
    history.report(1760, 1770)
    history.report(2000, labels={"step": "x"})
    found = history.stats()
    (named,) = found.names
    assert (found.fired, found.firing, named.fired, named.firing, named.flapped) == (6, 1, 6, 1, 3)
    assert (named.acknowledged, named.unattended, named.mean_seconds_to_acknowledge) == (0, 5, None)
    assert found.mean_seconds_to_resolve == named.mean_seconds_to_resolve == (100 + 100 + 99 + 299 + 10) / 5
    history.build.clock = START + 2050
    history.build.add("acknowledged", after=0.0, name=STALLED, by="ada")
    (named,) = history.stats().names
    assert (named.acknowledged, named.unattended, named.mean_seconds_to_acknowledge) == (1, 5, 50.0)


@pytest.mark.parametrize(
    ("name", "lengths", "firing", "suggests"),
    [
        (STALLED, (60,) * 3, 0, "; thresholds.stalled_seconds 11 min instead of 10 min would have spared 3."),
        (STALLED, (60,) * 9 + (600, 601), 0,
         "; thresholds.stalled_seconds 21 min instead of 10 min would have spared 10."),
        (STALLED, (60,) * 4, 1, "; thresholds.stalled_seconds 11 min instead of 10 min would have spared 4."),
        (STALLED, (60,) * 2, 0, None), (STALLED, (60,) * 3, 1, None),
        ("BuildLate", (60,) * 5, 0, "."), ("BuildLate", (60,) * 4, 0, None),
    ],
)  # fmt: skip
def test_advice_is_given_where_four_of_five_ended_by_themselves(
    history: History, name: str, lengths: tuple[int, ...], firing: int, suggests: str | None
) -> None:
    """From three on, with a threshold that would have spared nine of ten; from five on where there is none."""
    for number, length in enumerate(lengths):
        history.report(number * 5000, number * 5000 + length, name)
    for number in range(firing):
        history.report(900_000 + number, name=name)
    fired, ended = len(lengths) + firing, len(lengths)
    words = f"{name} fired {fired} times, and {ended} ended before anybody acknowledged them"
    assert history.stats().advice == ([words + suggests] if suggests is not None else [])
