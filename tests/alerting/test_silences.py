"""What is recorded and asked of Alertmanager for people who acknowledge, at every limit; others test a real one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from build_exporter.alerting import acknowledgements, silences
from build_exporter.alerting.client import UnreachableError
from build_exporter.alerting.silences import Silences, matchers_of
from build_exporter.model.events import BuildFinished, BuildStarted, StepFinished, StepStarted, encode_line
from build_exporter.queries.alerts import Acknowledgement, AlertRow
from build_exporter.queries.context import BadRequestError, Context, NotFoundError
from build_exporter.tracker import Tracker, apply_all

NOW = 1.78e9
ADA = Acknowledgement(at=NOW - 50, by="ada", message="on it")
FOR_LFS = [("alertname", "BuildFailed"), ("build", "lfs"), ("failure", "7")]


def row(by: Acknowledgement | None = ADA, **fields: Any) -> AlertRow:
    """Return an alert that fires since 100 s, with failure 7."""
    words: dict[str, Any] = dict.fromkeys(("summary", "description", "step"), "")
    words |= {"build": "lfs", "alert": "BuildFailed", "severity": "critical", "failure": "7", "labels": {}, "tier": 1}
    words |= {"since": NOW - 100, "until": None, "tiers": [], "next_tier_at": None, "notified": []}
    return AlertRow(**(words | {"state": "firing", "acknowledged": by} | fields))


def at(seconds: float) -> str:
    """Return a time as Alertmanager writes it."""
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


def silence(number: str, ends: float, starts: float = -60, owner: str = "me", **fields: Any) -> dict[str, Any]:
    """Return a silence of failure 7 in force."""
    matchers = [{"name": name, "value": value} for name, value in FOR_LFS]
    found = {"id": number, "startsAt": at(starts), "endsAt": at(ends), "createdBy": owner, "comment": "disk comes"}
    return found | {"matchers": matchers, "status": {"state": "active"}} | fields


class Alertmanager:
    """Answers with silences, and with alerts one answer after the other; keeps what it was asked to change."""

    url = "http://am"

    def __init__(self, found: Sequence[Any] = (), *alerts: list[dict[str, Any]]) -> None:
        self.silences, self.alerts, self.changes = list(found), list(alerts), list[tuple[str, str, Any]]()
        self.filters: list[str] = []
        self.fails = False

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Answer a request."""
        if self.fails:
            raise UnreachableError("away")
        if method != "GET":
            self.changes.append((method, path.removeprefix("/api/v2/"), body))
            return None
        if path == "/api/v2/silences":
            return self.silences
        self.filters = [value for _, value in parse_qsl(urlsplit(path).query)]
        return self.alerts.pop(0) if self.alerts else []


def keeping(rows: list[AlertRow], **options: Any) -> tuple[Silences, list[tuple[str, str, str]]]:
    """Return what keeps the silences of alerts, and who was recorded to have one."""
    taken: list[tuple[str, str, str]] = []
    record = lambda row, by, message: taken.append((row.build, by, message))  # noqa: E731
    return Silences(lambda: rows, record, lambda: "me", clock=lambda: NOW, **options), taken


def reconciled(kept: Silences, server: Any) -> list[tuple[str, str, Any]]:
    """Return what one pass changes."""
    asyncio.run(kept._reconcile(server))
    changes: list[tuple[str, str, Any]] = server.changes
    server.changes = []
    return changes


def test_a_silence_is_of_this_failure_alone() -> None:
    """Name, build and number, the machine's name where it has one, further labels; the next failure rings."""
    assert matchers_of(row(), None) == frozenset(FOR_LFS)
    assert matchers_of(row(), "box") == {*FOR_LFS, ("builder", "box")}
    assert matchers_of(row(failure="", labels={"step": "gcc"}), None) == {*FOR_LFS[:2], ("step", "gcc")}


@pytest.mark.parametrize(
    ("held", "deleted", "renews", "until"),
    [
        ([], [], {"startsAt": at(0)}, 7200.0),
        ([silence("a", 3601)], [], None, 3601.0),
        ([silence("a", 3600)], [], {"startsAt": at(-60), "id": "a"}, 7200.0),
        ([silence("a", 5000), silence("b", 6000), silence("c", 4000)], ["a", "c"], None, 6000.0),
        ([silence("a", 5000, status={"state": "pending"})], [], None, 5000.0),
        ([silence("a", 5000, status={"state": "expired"})], [], {"startsAt": at(0)}, 7200.0),
        ([silence("a", 5000, owner="other exporter")], [], {"startsAt": at(0)}, 7200.0),
    ],
)
def test_a_silence_is_made_once_and_renewed_in_its_last_hour(
    held: list[Any], deleted: list[str], renews: dict[str, str] | None, until: float
) -> None:
    """Of two of its own the one that lasts longer stays; others' are left alone."""
    kept, _ = keeping([row()])
    changes = reconciled(kept, Alertmanager(held))
    assert [path for method, path, _ in changes if method == "DELETE"] == [f"silence/{each}" for each in deleted]
    matchers = [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in FOR_LFS]
    body = {"matchers": matchers, "endsAt": at(7200), "createdBy": "me", "comment": "acknowledged by ada: on it"}
    posts = [("POST", "silences", body | renews)] if renews is not None else []
    assert [each for each in changes if each[0] == "POST"] == posts
    assert kept.until == {frozenset(FOR_LFS): NOW + until}


@pytest.mark.parametrize(
    ("by", "message", "comment"),
    [("ada", "", "acknowledged by ada"), ("", "x", "acknowledged by somebody: x")],
)
def test_the_comment_names_who_has_it(by: str, message: str, comment: str) -> None:
    """Alertmanager's page shows who, and what they wrote."""
    kept, _ = keeping([row(Acknowledgement(at=NOW, by=by, message=message))])
    assert reconciled(kept, Alertmanager())[0][2]["comment"] == comment


@pytest.mark.parametrize(
    ("known", "found", "ends", "taken"),
    [
        (None, silence("a", 600, -100, "grace"), 60, [("lfs", "grace", "disk comes")]),
        (None, silence("a", 600, -101, "grace"), 60, []),
        (None, silence("a", 600, -50, "grace"), 0, []),
        (None, silence("a", 600, -50, "grace", status={"state": "expired"}), 60, []),
        (None, silence("b", 600, -50, "grace"), 60, []),
        (None, silence("a", 600, -50, "me"), 60, []),
        (ADA, silence("a", 600, -50, "grace"), 60, []),
    ],
)
def test_a_persons_silence_acknowledges_an_alert_that_fired_before_it(
    known: Acknowledgement | None, found: dict[str, Any], ends: float, taken: list[Any]
) -> None:
    """A window of maintenance that was there before, one of ours, or of what nobody needs, is nobody's word."""
    kept, who = keeping([row(known)])
    reconciled(kept, Alertmanager([found], [{"endsAt": at(ends), "status": {"silencedBy": ["a"]}}]))
    assert who == taken


def test_names_are_quoted_where_alerts_are_asked_for() -> None:
    """A build whose name holds a quote asks for its own alerts and no others'."""
    kept, _ = keeping([row(None, build='a"b\\c', failure="")])
    server = Alertmanager([silence("a", 600, owner="grace")])
    reconciled(kept, server)
    assert server.filters == ['alertname="BuildFailed"', 'build="a\\"b\\\\c"']


def test_an_alert_without_number_is_held_until_it_ends_or_another_one_begins() -> None:
    """One absent for three minutes is over, as after a restart Alertmanager has none; one that began later rings."""
    clock = [NOW]
    rows = [row(failure="")]
    kept = Silences(lambda: rows, lambda *_: None, lambda: "me", clock=lambda: clock[0])
    firing = [{"startsAt": at(-60), "endsAt": at(9000)}]
    for passed, alerts, holds in (
        (0, [], True),
        (180, [], True),
        (181, [], False),
        (182, firing, True),
        (200, [], True),
        (380, [], True),
        (381, [], False),
        (382, [{"startsAt": at(-50), "endsAt": at(9000)}], True),
        (383, [{"startsAt": at(-49), "endsAt": at(9000)}], False),
        (384, [*firing, {"startsAt": at(-49), "endsAt": at(9000)}], True),
    ):
        clock[0] = NOW + passed
        changes = reconciled(kept, Alertmanager([], alerts))
        assert [path for _, path, _ in changes] == ["silences"] * holds, passed


def test_a_silence_ends_with_its_alert_and_the_end_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the end; what ended while it was silenced is sent anew; what is acknowledged again stays."""
    monkeypatch.setattr(silences, "_STEP_SECONDS", 0.0)
    held = [silence("a", 6000)]
    alert = {"fingerprint": "f", "labels": {"a": "b"}, "startsAt": at(-60), "endsAt": at(60), "annotations": {}}
    end = {"labels": {"a": "b"}, "startsAt": at(-60), "endsAt": at(0)}
    kept, _ = keeping([])
    kept.until[frozenset(FOR_LFS)] = kept.until[frozenset()] = NOW
    assert reconciled(kept, Alertmanager(held)) == [("DELETE", "silence/a", None)]
    assert kept.until == {}
    changes = [("DELETE", "silence/a", None), ("POST", "alerts", [end])]
    assert reconciled(kept, Alertmanager(held, [alert], [alert], [])) == changes
    nameless = [held[0] | {"matchers": held[0]["matchers"][:2]}]
    assert reconciled(kept, Alertmanager(nameless, [alert], [])) == changes[:1], "its end is Prometheus' to send"
    answers = [[], [row()]]
    kept.firing = lambda: answers.pop(0)
    assert reconciled(kept, Alertmanager(held)) == [], "acknowledged meanwhile"


def test_trouble_is_logged_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is one line in the log, and the next one another; an answer that makes no sense ends nothing."""
    caplog.set_level(logging.WARNING)
    kept, _ = keeping([row()])
    server: Any = Alertmanager()
    for fails in (True, True, False, True):
        server.fails = fails
        asyncio.run(kept._try(server))
    assert [each.message for each in caplog.records] == ["silences cannot be kept, trying again: away"] * 2
    asyncio.run(kept._try(Alertmanager([silence("a", 1, endsAt="?")])))  # type: ignore[arg-type] # answers alike
    assert caplog.records[-1].levelname == "ERROR"


@pytest.mark.parametrize(
    ("state", "again"),
    [({}, False), ({"_complained": {"x"}}, True), ({"until": {frozenset(): 1.0}}, True), ({"_seen": {1}}, True)],
)
def test_alertmanager_is_asked_again_only_with_reason(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], again: bool
) -> None:
    """With nothing to keep it is asked at each change alone."""
    monkeypatch.setattr(silences, "CHECK_SECONDS", 0.001)
    rows: list[AlertRow] = []
    kept, _ = keeping(rows, clients=(object(),))
    asked: list[object] = []

    async def until(count: int) -> None:
        async with asyncio.timeout(30):
            while len(asked) < count:
                await asyncio.sleep(0.001)

    async def play() -> None:
        monkeypatch.setattr(Silences, "_try", ask)
        for name, value in state.items():
            setattr(kept, name, value)
        task = asyncio.create_task(kept.run())
        await (until(3) if again else asyncio.sleep(0.02))
        assert again or len(asked) == 1
        kept._complained, kept.until, kept._seen = set(), {}, frozenset()
        rows.append(row())
        kept.check()
        await until(len(asked) + 1)
        task.cancel()

    async def ask(_: object, client: object) -> None:
        asked.append(client)

    asyncio.run(play())


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """One build with a run in a journal."""
    tracker, start = Tracker(), BuildStarted(time=NOW, build="lfs")
    tracker.feed("lfs", "20260101T000000Z", [start])
    (tmp_path / "lfs").mkdir()
    (tmp_path / "lfs" / "20260101T000000Z.jsonl").write_bytes(encode_line(start))
    return Context(tracker.builds, NOW + 0.1234567, journal=str(tmp_path))


@pytest.mark.parametrize(
    ("fields", "to", "reached"),
    [
        ({}, None, 2),
        ({"tier": 2}, None, 3),
        ({}, 3, 3),
        ({"tier": 3}, None, None),
        ({"tier": 2}, 2, None),
        ({}, 4, None),
        ({"severity": "warning"}, None, None),
        ({"failure": ""}, None, None),
    ],
)
def test_an_alert_goes_to_a_higher_tier_of_three(
    context: Context, fields: dict[str, Any], to: int | None, reached: int | None
) -> None:
    """The next one, or the one named; what has none, or is there already, is refused and not recorded."""
    if reached is None:
        with pytest.raises(BadRequestError):
            acknowledgements.escalate(context, [row(**fields)], "ada", tier=to)
        return
    (answer,) = acknowledgements.escalate(context, [row(**fields)], " a\x1b[1mda ", "m" * 99_999, to)
    assert (answer.tier, answer.before) == (reached, ADA)
    event = last_event(context)
    assert (event["event"], event["tier"], event["failure"], event["by"]) == ("escalated", reached, "7", "ada")


def last_event(context: Context) -> dict[str, Any]:
    """Return the newest event of the journal."""
    found: dict[str, Any] = json.loads(
        (Path(context.journal) / "lfs" / "20260101T000000Z.jsonl").read_text().split("\n")[-2]
    )
    return found


def test_a_person_answers_for_the_alerts_they_name(context: Context) -> None:
    """By build, name and number, of what fires; what does not fire is refused with what does."""
    step: dict[str, Any] = {"build": "lfs", "phase": "p", "step": "s"}
    run = context.builds["lfs"].current
    assert run is not None
    failed = StepFinished(time=NOW, status="failed", **step)
    apply_all(run, [StepStarted(time=NOW, **step), failed, BuildFinished(time=NOW, build="lfs", status="failed")])
    (found,) = acknowledgements.firing(context, "lfs")
    assert acknowledgements.firing(context, "lfs", "BuildFailed", found.failure) == [found]
    for alert, failure in (("BuildStalled", None), (None, "8"), ("BuildFailed", "8")):
        with pytest.raises(NotFoundError, match="there are: BuildFailed"):
            acknowledgements.firing(context, "lfs", alert, failure)


def test_an_acknowledgement_says_who_has_what(context: Context) -> None:
    """Time to the microsecond, name, number and words; what is empty is left out; without a run there is no place."""
    acknowledgements.acknowledge(context, [row(None)], "ada", "on it")
    words = {"event": "acknowledged", "time": NOW + 0.123457, "build": "lfs", "name": "BuildFailed", "failure": "7"}
    assert last_event(context).items() >= (words | {"by": "ada", "message": "on it"}).items()
    acknowledgements.acknowledge(context, [row(None, failure="")], " ")
    assert not last_event(context).keys() & {"failure", "by", "message"}
    with pytest.raises(NotFoundError):
        acknowledgements.acknowledge(context, [row(build="other")], "ada")
