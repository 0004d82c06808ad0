"""Events posted over HTTP: what is accepted ends up in the journal, and each line gets its answer."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NDJSON = "application/x-ndjson"


def post(served: Any, body: bytes, content_type: str = NDJSON, **headers: str) -> tuple[int, Any]:
    """Post a body and return status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        connection.request("POST", "/api/v1/events", body, {"Content-Type": content_type, **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def event(build: str, kind: str, time: float = 1.78e9, **fields: object) -> dict[str, object]:
    """Return an event as a program would post it."""
    return {"time": time, "event": kind, "build": build, **fields}


def ndjson(*events: object) -> bytes:
    """Return events one a line."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)


def journaled(journal: Path, build: str) -> dict[str, list[Any]]:
    """Return the lines of a build's runs by the file's name, oldest first."""
    files = sorted((journal / build).glob("*.jsonl"))
    return {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in files}


@pytest.fixture(scope="module")
def served(serve_all: Callable[..., Any]) -> Any:
    """One exporter for all."""
    return serve_all()


@pytest.fixture
def remote(request: pytest.FixtureRequest) -> str:
    """A build of the test's own."""
    return re.sub(r"\W+", "-", request.node.name)[:100]


@pytest.mark.parametrize("form", ["lines", "array", "pretty"])
def test_a_batch_becomes_a_run(served: Any, poll: Callable[..., None], remote: str, form: str) -> None:
    """Lines or an array, on one line or many: the build is there, and the run is named by its first event's time."""
    events = [
        event(remote, "build_started", jobs=4),
        event(remote, "step_started", 1.78e9 + 1, phase="p", step="s", unknown="kept"),
        event(remote, "step_finished", 1.78e9 + 9, phase="p", step="s", status="succeeded"),
        event(remote, "build_finished", 1.78e9 + 10, status="succeeded"),
    ]
    if form == "lines":
        status, answer = post(served, ndjson(*events))
    else:
        status, answer = post(
            served, json.dumps(events, indent=2 if form == "pretty" else None).encode(), "application/json"
        )
    assert (status, answer["accepted"], answer["rejected"], answer["errors"]) == (200, 4, 0, [])
    assert answer["results"] == ["accepted"] * 4
    poll(lambda: served.value("build_state", build=remote, state="succeeded") == 1, what="the build is read")
    assert served.value("build_step_duration_seconds", build=remote, step="s") == 8
    ((run, lines),) = journaled(served.journal, remote).items()
    assert run == "20260528T202640Z"
    assert lines == events
    assert (served.value("build_exporter_ingested_events_total", result="accepted") or 0) >= 4


def test_each_line_has_its_answer(served: Any, remote: str) -> None:
    """Good lines are accepted beside bad ones, and the answer names each bad one and its fault."""
    lines = [
        json.dumps(event(remote, "note", message="one")).encode(),
        b"{nope",
        b"[1]",
        json.dumps(event(remote, "note")).encode(),
        json.dumps(event(remote, "note", 9e9, message="x")).encode(),
        json.dumps(event("../etc", "note", message="x")).encode(),
        b'{"x": "\xff"}',
        json.dumps(event(remote, "from_tomorrow", thing=1)).encode(),
        json.dumps(event(remote, "note", message="x" * 70_000)).encode(),
        json.dumps(event(remote, "note", 1.78e9 + 1, message="two")).encode(),
    ]
    status, answer = post(served, b"\n".join(lines))
    assert status == 207
    assert answer["results"] == [
        "accepted", "not-json", "not-an-object", "wrong-field", "future", "wrong-field", "not-utf-8", "unknown-event",
        "too-long", "accepted",
    ]  # fmt: skip
    assert [each["index"] for each in answer["errors"]] == [1, 2, 3, 4, 5, 6, 8]
    assert all(each["message"] for each in answer["errors"])
    assert (answer["accepted"], answer["rejected"]) == (3, 7)
    ((_, written),) = journaled(served.journal, remote).items()
    assert [each.get("message", each["event"]) for each in written] == ["one", "from_tomorrow", "two"]
    assert not (served.journal / "../etc").exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{nope", "application/json", 400, "not-json"),
        (b"[{}, nope]", "application/json", 400, "not-json"),
        (b"", "application/json", 400, "not-json"),
        (b"[" * 100_000, "application/json", 400, "not-json"),
        (b"nope\nnope\n", NDJSON, 422, "no-event-accepted"),
        (ndjson(*[{}] * 5001), NDJSON, 413, "too-many-events"),
        (b"[" + b"1," * 5000 + b"1]", "application/json", 413, "too-many-events"),
        (b"[" + b"1," * 4999 + b"1]", "application/json", 422, "no-event-accepted"),
        (b" " * 10_485_761, NDJSON, 413, "too-large"),
    ],
    ids=["object", "array", "empty", "deep", "no line", "many", "array of many", "array of the most", "large"],
)
def test_what_is_no_batch_is_refused(served: Any, body: bytes, content_type: str, status: int, code: str) -> None:
    """A body that can't be understood, or is beyond the limits, is refused as a whole, and nothing is written."""
    before = sorted(served.journal.iterdir())
    got, answer = post(served, body, content_type)
    assert (got, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]
    assert sorted(served.journal.iterdir()) == before, "no build is begun"


def test_a_request_in_one_packet_is_taken_as_one_in_two(served: Any, poll: Callable[..., None], remote: str) -> None:
    """Batches of one connection, whole at once or with the body behind the head, are answered and kept in order."""
    sent = [event(remote, "step_started", phase="p", step="s")]
    sent += [event(remote, "step_progress", 1.78e9 + n, phase="p", step="s", ratio=n / 20) for n in range(1, 20)]
    statuses = []
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")
        for number, body in enumerate([*map(ndjson, sent), b"{}", b"[", b"\n"]):
            head = f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            for packet in [head + body] if number % 2 else [head, body]:
                connection.sendall(packet)
            statuses.append(int(answers.readline().split()[1]))
            length = 0
            while line := answers.readline().strip():
                length = int(line[15:]) if line.lower().startswith(b"content-length:") else length
            answers.read(length)
    assert statuses == [200] * 20 + [422, 400, 200]
    ((_, lines),) = journaled(served.journal, remote).items()
    assert lines == sent
    poll(lambda: served.value("build_step_progress_ratio", build=remote, step="s") == 0.95, what="the last is read")


def test_batches_join_the_run_that_goes_on(served: Any, remote: str) -> None:
    """Batches of a build make one run until it ends; work after that makes the next one, a late note does not."""
    post(served, ndjson(event(remote, "step_started", phase="p", step="a")))
    post(served, ndjson(event(remote, "step_finished", 1.78e9 + 5, phase="p", step="a", status="succeeded")))
    post(
        served,
        ndjson(
            event(remote, "build_finished", 1.78e9 + 6, status="succeeded"),
            event(remote, "note", 1.78e9 + 7, message="late"),
        ),
    )
    assert [len(lines) for lines in journaled(served.journal, remote).values()] == [4]
    post(served, ndjson(event(remote, "build_started", 1.78e9 + 60)))
    post(served, ndjson(event(remote, "step_started", 1.78e9 + 61, phase="p", step="a")))
    runs = journaled(served.journal, remote)
    assert list(runs) == ["20260528T202640Z", "20260528T202740Z"]
    assert [len(lines) for lines in runs.values()] == [4, 2]


def test_a_run_that_another_writer_ended_is_not_gone_on_with(
    served: Any, run_file_of_all: Callable[..., Any], remote: str
) -> None:
    """Between two batches somebody else may end the run: the second batch begins a new one."""
    post(served, ndjson(event(remote, "step_started", phase="p", step="a")))
    run_file_of_all(remote, run="20260528T202640Z").add("build_finished", status="failed")
    post(served, ndjson(event(remote, "step_started", 1.78e9 + 9, phase="p", step="b")))
    assert [len(lines) for lines in journaled(served.journal, remote).values()] == [2, 1]


def test_files_and_processes_of_this_machine_cannot_be_named(served: Any, remote: str) -> None:
    """Who may post events need not be a user here: paths of logs and pids in them would be those of other people."""
    status, _ = post(
        served, ndjson(event(remote, "step_started", phase="p", step="s", log="/etc/shadow", pid=1, package="x"))
    )
    assert status == 200
    ((_, (line,)),) = journaled(served.journal, remote).items()
    assert line == event(remote, "step_started", phase="p", step="s", package="x")


@pytest.mark.parametrize("build", ["one", "two"])
def test_an_escaped_name_of_such_a_field_is_the_same_name(served: Any, remote: str, build: str) -> None:
    """`"l\\u006fg"` is `log` in JSON, in a batch of one build as in one of several."""
    line = ndjson(event(remote, "step_started", phase="p", step="s", log="/etc/shadow", pid=1))
    line = line.replace(b'"log"', rb'"l\u006fg"').replace(b'"pid"', rb'"\u0070id"')
    others = ndjson(event(f"{remote}-{build}", "note", message="x")) if build == "two" else b""
    assert post(served, line + others)[0] == 200
    ((_, (kept,)),) = journaled(served.journal, remote).items()
    assert kept == event(remote, "step_started", phase="p", step="s")


def test_a_full_or_closed_journal_is_told(served: Any, remote: str) -> None:
    """Where the journal can't be written the poster learns it, and may try again."""
    (served.journal / remote).write_text("a file where a directory should be")
    status, answer = post(served, ndjson(event(remote, "note", message="x")))
    assert (status, answer["error"]["code"]) == (507, "journal-not-writable")
    (served.journal / remote).unlink()
    assert post(served, ndjson(event(remote, "note", message="x")))[0] == 200
