"""When the fast path sends an alert, again, and its end: both sides of each limit, by a clock that is set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from build_exporter.alerting import fast_path
from build_exporter.alerting.client import RefusedError, UnreachableError
from build_exporter.alerting.fast_path import BURST, FastPath
from build_exporter.queries.incidents import Incident, Kind

NOW = 1.78e9
USUAL = {name: getattr(fast_path, name) for name in ("DELAYS", "SETTLE_SECONDS", "END_SECONDS")}


def incident(build: str = "lfs", *tiers: float, kind: Kind = Kind.FAILED, **fields: Any) -> Incident:
    """Return an incident that reached its tiers so many seconds after `NOW`; tier 1 then, unless others are given."""
    times = tuple(NOW + each for each in tiers or (0.0,))
    words: dict[str, Any] = {"failure": "7", "since": times[0], "description": "x", "tiers": times}
    return Incident(build=build, kind=kind, **(words | fields))


class Stage:
    """A fast path with one Alertmanager, the incidents that stand, and what was posted."""

    url = "http://am"

    def __init__(self) -> None:
        self.now, self.scraped = NOW, NOW + 9999.0
        self.standing: list[Incident] = []
        self.posted: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        words = lambda found: {"description": found.description}  # noqa: E731
        clients: Any = (self,)
        self.path = FastPath(
            lambda now: self.standing, words, lambda: self.scraped, clients, "box", clock=lambda: self.now
        )

    async def ask(self, method: str, path: str, body: list[dict[str, Any]]) -> None:
        """Take a post, unless an error is due."""
        assert (method, path) == ("POST", "/api/v2/alerts")
        if self.errors:
            raise self.errors.pop(0)
        self.posted += body

    async def check(self, after: float, *standing: Incident) -> list[dict[str, Any]]:
        """Let these stand some seconds after `NOW`, and return what is posted."""
        self.now, self.standing, self.posted = NOW + after, list(standing), []
        self.path.check()
        while self.path._tasks:
            await asyncio.gather(*self.path._tasks)
        return self.posted


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Stage], Coroutine[Any, Any, None]]], None]:
    """Run a test's coroutine in which nothing is waited for."""
    monkeypatch.setattr(fast_path, "DELAYS", (0.0, 0.0))
    for name in ("SETTLE_SECONDS", "END_SECONDS"):
        monkeypatch.setattr(fast_path, name, 0.0)
    return lambda test: asyncio.run(test(Stage()))


def at(seconds: float) -> str:
    """Return a time as Alertmanager is given it."""
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


def test_each_tier_is_sent_once_with_the_labels_of_its_rule(play: Any) -> None:
    """A tier begins when it was reached and ends by itself 5 minutes from now; one a minute old was not seen."""

    async def test(stage: Stage) -> None:
        (first,) = await stage.check(1, incident())
        labels = {"alertname": "BuildFailed", "severity": "critical", "build": "lfs", "failure": "7", "builder": "box"}
        times = {"startsAt": at(0), "endsAt": at(301)}
        assert first == {"labels": labels | {"tier": "1"}, "annotations": {"description": "x"}, **times}
        (second,) = await stage.check(60, incident("lfs", 0, 50))
        assert (second["labels"]["tier"], second["startsAt"], second["endsAt"]) == ("2", at(50), at(360))
        assert await stage.check(61, incident("lfs", 0, 50)) == []
        warned = incident("b", 60, kind=Kind.STEP_FAILED)
        (third,) = await stage.check(61, incident("lfs", 0, 50), warned)
        assert (third["labels"]["severity"], "tier" in third["labels"]) == ("warning", False)
        stands = (incident("lfs", 0, 50), warned)
        fresh = await stage.check(120, *stands, incident("old", 59.9), incident("new", 60), incident("late", 0, 60))
        assert {(each["labels"]["build"], each["labels"]["tier"]) for each in fresh} == {("new", "1"), ("late", "2")}

    play(test)


def test_fifty_in_ten_seconds_are_enough(play: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Prometheus brings the others: they are counted, the log says so once, and later ones are sent again."""

    async def test(stage: Stage) -> None:
        many = [incident(f"b{number}") for number in range(BURST + 2)]
        assert len(await stage.check(0, *many)) == 50
        assert (stage.path.posts["sent"], stage.path.posts["held_back"]) == (50, 2)
        assert len(await stage.check(9.9, *many, incident("x"))) == 0
        assert len(await stage.check(10, *many, incident("x"), incident("y"))) == 1
        stage.path.enabled = False
        assert await stage.check(30, *stage.standing, incident("z", 29)) == []
        assert stage.path.posts["held_back"] == 3

    play(test)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_what_nobody_carries_on_is_sent_again_each_minute(play: Any) -> None:
    """From a minute after the first time, while Prometheus has not come for more than half a minute."""

    async def test(stage: Stage) -> None:
        found = incident()
        for after, scraped, sent in (
            (0, 0, 1), (59.9, 0, 0), (60, 30, 0), (60, 29.9, 1), (119.9, 0, 0), (120, 0, 1),
            (180, 150, 0), (181, 150, 1),
        ):  # fmt: skip
            stage.scraped = NOW + scraped
            assert len(await stage.check(after, found)) == sent, after

    play(test)


def test_an_end_is_sent_of_what_was_sent(play: Any) -> None:
    """At the time it was over, and not where it stands again by then or its own end has come."""

    async def test(stage: Stage) -> None:
        await stage.check(0, incident(), incident("old", -61), incident("back"), incident("long"))
        stage.standing = []
        (end,) = await stage.check(9, incident("back"), incident("long"))
        assert (end["labels"]["build"], end["startsAt"], end["endsAt"]) == ("lfs", at(0), at(9))
        stage.now, stage.standing = NOW + 20, [incident("long")]
        stage.path.check()
        stage.standing = [incident("long"), incident("back")]
        stage.path.check()
        assert [each["labels"]["build"] for each in await stage.check(21, *stage.standing)] == ["back"], "no end"
        stage.now, stage.standing, stage.posted = NOW + 30, [incident("back")], []
        stage.path.check()
        stage.now += 300
        await asyncio.gather(*stage.path._tasks)
        assert stage.posted == []

    play(test)


def test_an_alert_is_tried_again_while_it_stands(
    monkeypatch: pytest.MonkeyPatch, play: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Trouble is counted and logged once until it is over; what is refused is not tried again."""
    caplog.set_level(logging.WARNING)

    async def test(stage: Stage) -> None:
        stage.errors = [UnreachableError("away")] * 3
        assert len(await stage.check(0, incident())) == 1
        assert dict(stage.path.posts) == {"failed": 3, "sent": 1}
        stage.errors = [UnreachableError("away again")]
        await stage.check(1, incident(), incident("b"))
        stage.errors = [RefusedError("no")]
        assert await stage.check(2, incident(), incident("b"), incident("c")) == []
        assert stage.path.posts["refused"] == 1

    async def test_delays(stage: Stage) -> None:
        delays: list[float] = []
        sleep = asyncio.sleep

        def counted(seconds: float) -> Coroutine[Any, Any, None]:
            delays.append(seconds)
            return sleep(0)

        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", counted)
            for name, usual in USUAL.items():
                patch.setattr(fast_path, name, usual)
            stage.errors = [UnreachableError("away")] * 9
            await stage.check(0, incident())
            await stage.check(1)
        assert delays == [0.02, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0, 15.0], "the last before the end"

    async def test_over(stage: Stage) -> None:
        stage.errors, stage.standing = [UnreachableError("away")] * 9, [incident()]
        stage.path.check()
        while len(stage.errors) > 5:
            await asyncio.sleep(0)
        (end,) = await stage.check(3)
        assert (end["endsAt"], stage.path.posts["sent"]) == (at(3), 1), "of what is over only the end is sent"

    play(test_over)
    play(test_delays)
    play(test)
    texts = [record.getMessage() for record in caplog.records]
    assert [text.rpartition(": ")[2] for text in texts] == ["away"] * 3 + ["away again", "no"]


@pytest.mark.parametrize(("limit", "words"), [(30.0, "why"), (0.0, "x")])
def test_a_failure_waits_for_its_reason(monkeypatch: pytest.MonkeyPatch, play: Any, limit: float, words: str) -> None:
    """The one message says why, where that comes in time; what is over by then is not sent."""
    monkeypatch.setattr(fast_path, "REASON_SECONDS", limit)

    async def test(stage: Stage) -> None:
        stage.standing = [incident(is_reason_due=True), incident("gone", is_reason_due=limit > 0)]
        stage.path.check()
        for _ in range(9):
            await asyncio.sleep(0)
        assert len(stage.posted) == (0 if limit else 2)
        await stage.check(1, incident(description="why"))
        sent = [each for each in stage.posted if each["endsAt"] > at(9)]
        assert [each["annotations"]["description"] for each in sent] == ([words] if limit else [])

    play(test)
