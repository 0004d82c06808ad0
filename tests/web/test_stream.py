"""The stream as clients meet it: snapshot, events as they happen, resuming, filters, slow clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from build_exporter.journal.positions import decode_cursor

Serve = Callable[..., Any]


class Client:
    """A WebSocket client of the stream."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def message(self) -> Any:
        """Return the next message but heartbeats."""
        while (found := json.loads(self.connection.recv(timeout=10)))["type"] == "heartbeat":
            pass
        return found

    def events(self, count: int) -> list[Any]:
        """Return so many messages, which must be events."""
        found = [self.message() for _ in range(count)]
        assert {each["type"] for each in found} == {"event"}
        return found


@contextlib.contextmanager
def stream(served: Any, query: str = "", **options: Any) -> Iterator[Client]:
    """Connect a client."""
    address = f"ws://127.0.0.1:{served.port}/api/v1/stream?{query}"
    with connect(address, compression=None, **options) as connection:
        yield Client(connection)


def steps(messages: list[Any]) -> list[tuple[str, str]]:
    """Return event and step of messages."""
    return [(each["event"]["event"], each["event"].get("step", "")) for each in messages]


def test_snapshot_then_changes_then_resumed(serve: Serve, run_file: Callable[..., Any]) -> None:
    """A client gets the state, then each event within 100 ms; resumed by any cursor it misses and repeats nothing."""
    run = run_file("lfs")
    run.step("p", "a")
    served = serve()
    with stream(served, "build=lfs") as client:
        first = client.message()
        assert (first["type"], first["board"]["build"], first["builds"][0]["steps"]["succeeded"]) == (
            "snapshot",
            "lfs",
            1,
        )
        taken = []
        for name in ("b", "c", "d", "e", "f"):
            began = time.monotonic()
            run.add("step_started", phase="p", step=name, log="x")
            (message,) = client.events(1)
            taken.append(time.monotonic() - began)
            assert message["event"]["step"] == name
            run.add("step_finished", phase="p", step=name, status="succeeded")
            (last,) = client.events(1)
        assert min(taken) < 0.1
    run.add("step_progress", phase="p", step="g", ratio=0.5)
    run.add("note", message="\x1b[31mpassword=hunter2hunter2")
    with stream(served, f"build=lfs&after={first['cursor']}") as client:
        assert [each["event"]["event"] for each in client.events(12)] == ["step_started", "step_finished"] * 5 + [
            "step_progress",
            "note",
        ]
    served.kill()
    again = serve()
    run.add("step_started", phase="p", step="h")
    with stream(again, f"after={last['cursor']}") as client:
        messages = client.events(3)
        assert steps(messages) == [("step_progress", "g"), ("note", ""), ("step_started", "h")]
        assert not {"hunter2", "\x1b"} & {
            word for word in ("hunter2", "\x1b") if word in messages[1]["event"]["message"]
        }
        run.add("build_finished", status="succeeded")
        assert steps(client.events(1)) == [("build_finished", "")]


def test_a_resumed_client_crosses_runs_and_builds(serve: Serve, run_file: Callable[..., Any]) -> None:
    """While a client is away a run ends, the next begins and another build comes up: it gets it all, once."""
    run = run_file("one", run="20260101T000000Z")
    run.step("p", "a")
    served = serve()
    with stream(served) as client:
        cursor = client.message()["cursor"]
    run.add("build_finished", status="succeeded")
    run_file("one", run="20260102T000000Z").step("p", "b")
    run_file("two").step("p", "c")
    with stream(served, f"after={cursor}") as client:
        messages = client.events(5)
        assert sorted(steps(messages)) == sorted(
            [("build_finished", ""), *((kind, name) for name in "bc" for kind in ("step_started", "step_finished"))]
        )
    with stream(served, f"after={messages[2]['cursor']}") as client:
        assert steps(client.events(2)) == steps(messages[3:])


def test_a_client_gets_every_run_of_a_build_that_was_over_for_long(serve: Serve, run_file: Callable[..., Any]) -> None:
    """Cursors leave out builds that are over for five minutes; two runs of one meanwhile both come, and no others."""
    for name, ago in (("old", 330), ("late", 270)):
        for day in (1, 2):
            run = run_file(name, run=f"2026010{day}T000000Z", clock=time.time() - ago)
            run.step("p", "before", seconds=1.0)
            run.add("build_finished", status="succeeded")
    served = serve()
    with stream(served) as client:
        cursor = client.message()["cursor"]
    assert decode_cursor(cursor).builds.keys() == {"late"}
    for day, name in ((3, "a"), (4, "b")):
        run_file("old", run=f"2026010{day}T000000Z").step("p", name)
    with stream(served, f"after={cursor}") as client:
        assert steps(client.events(4)) == [(kind, name) for name in "ab" for kind in ("step_started", "step_finished")]


def test_filters_and_heartbeats(serve: Serve, run_file: Callable[..., Any]) -> None:
    """A client gets the builds and events it asked for, and its heartbeat's cursor passes over the rest."""
    one, two = run_file("one"), run_file("two")
    one.add("build_started")
    two.add("build_started")
    served = serve()
    with stream(served, "build=one&event=step_finished,note&heartbeat=0.1") as client:
        assert [row["build"] for row in client.message()["builds"]] == ["one"]
        for run in (two, one):
            run.step("p", "s")
        one.add("note", message="x")
        assert [each["event"]["event"] for each in client.events(2)] == ["step_finished", "note"]
        one.add("step_started", phase="p", step="unwanted")
        end = time.monotonic() + 10
        cursor = ""
        while time.monotonic() < end:
            beat = json.loads(client.connection.recv(timeout=5))
            assert beat["type"] == "heartbeat"
            if cursor and beat["cursor"] != cursor and served.get(f"/api/v1/builds/one/events?after={beat['cursor']}"):
                break
            cursor = beat["cursor"]
    page = json.loads(served.get(f"/api/v1/builds/one/events?after={beat['cursor']}")[2])
    assert page["events"] == []


def test_wrong_questions_are_answered_before_the_upgrade(serve: Serve) -> None:
    """What can't be streamed is refused with the API's own error; a run that is gone gives the snapshot anew."""
    served = serve()
    for query in ("after=nonsense", "build=../etc", "event=nothing", "colour=red", "heartbeat=0"):
        with pytest.raises(InvalidStatus) as refused, stream(served, query):
            pass
        assert refused.value.response.status_code == 400
        assert json.loads(refused.value.response.body)["error"]["code"] == "bad-request"
    with pytest.raises(InvalidStatus) as refused, stream(served, origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    assert served.value("build_exporter_stream_clients") == 0


def test_a_cursor_into_a_run_written_anew_gives_the_snapshot(serve: Serve, run_file: Callable[..., Any]) -> None:
    """Where what the cursor points to is gone, a client gets the state as at its first visit."""
    run = run_file("lfs")
    for name in "abc":
        run.step("p", name)
    served = serve()
    with stream(served, "build=lfs") as client:
        cursor = client.message()["cursor"]
        run.path.write_bytes(b"")
        run.step("p", "z")
        while (message := client.message())["type"] != "snapshot":
            pass
        assert message["type"] == "snapshot"
    with stream(served, f"build=lfs&after={cursor}") as client:
        found = client.message()
        assert (found["type"], [row["steps"]["total"] for row in found["builds"]]) == ("snapshot", [1])


@contextlib.contextmanager
def raw_client(served: Any) -> Iterator[socket.socket]:
    """Open a WebSocket that never reads, with a small window."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", served.port))
    client.sendall(
        b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    try:
        yield client
    finally:
        client.close()


def test_a_slow_client_is_closed_and_told_why(
    serve: Serve, run_file: Callable[..., Any], poll: Callable[..., None]
) -> None:
    """A client that takes nothing is closed with code 4008, costs bounded memory, and holds up no other client."""
    run = run_file("lfs")
    run.add("build_started")
    served = serve()
    with raw_client(served) as slow, stream(served, "heartbeat=300", max_queue=None) as quick:
        poll(lambda: served.value("build_exporter_stream_clients") == 2, what="both are there")
        quick.message()
        for number in range(600):
            run.add("note", message=f"{number} " + "words " * 2000)
        notes = quick.events(600)
        assert [int(each["event"]["message"].split()[0]) for each in notes] == list(range(600))
        poll(lambda: served.value("build_exporter_stream_clients_dropped_total") == 1, what="the slow one is closed")
        slow.settimeout(10)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := slow.recv(65536):
                received = (received + data)[-200:]
        assert b"\x0f\xa8too slow" in received
        poll(lambda: served.value("build_exporter_stream_clients") == 1, what="it is gone")
        assert served.value("process_resident_memory_bytes") < 150e6


def test_a_client_that_takes_no_answers_is_read_no_further(serve: Serve) -> None:
    """Pings of a client that takes no pong pile up with the client, not in the exporter; others are served."""
    served = serve()
    pings = (b"\x89\xfd\0\0\0\0" + b"x" * 125) * 1000
    sent, last = 0, time.monotonic()
    with raw_client(served) as client:
        client.setblocking(False)
        while sent < 30e6 and time.monotonic() - last < 1.0:
            with contextlib.suppress(BlockingIOError):
                sent += client.send(pings[sent % len(pings) :])
                last = time.monotonic()
            time.sleep(0.001)
        # what the system itself holds between the two is some megabytes
        assert 100_000 < sent < 20e6
        assert served.value("build_exporter_stream_clients") == 1


def test_more_clients_than_allowed_are_refused(serve: Serve, tmp_path: Any, poll: Callable[..., None]) -> None:
    """Beyond `web.max_stream_clients` a client is asked to come again; one that leaves makes room."""
    config = tmp_path / "config.yml"
    config.write_text("web:\n  max_stream_clients: 2\n")
    served = serve("--config", str(config))
    with stream(served), stream(served) as second:
        with pytest.raises(InvalidStatus) as refused, stream(served):
            pass
        assert refused.value.response.status_code == 503
        second.connection.close()
        poll(lambda: served.value("build_exporter_stream_clients") == 1, what="the second has left")
        with stream(served) as third:
            assert third.message()["type"] == "snapshot"
    poll(lambda: served.value("build_exporter_stream_clients") == 0, what="all have left")


def test_the_exporters_end_is_told(serve: Serve) -> None:
    """A client learns by the code that the service restarts, and the exporter does not wait for clients to leave."""
    served = serve()
    with stream(served) as client:
        client.message()
        assert served.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            client.message()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


def test_server_sent_events_are_the_same(serve: Serve, run_file: Callable[..., Any]) -> None:
    """By Accept the same messages come as server-sent events, and a browser's Last-Event-ID resumes."""
    run = run_file("lfs")
    run.step("p", "a")
    served = serve()

    def listen(count: int, **headers: str) -> list[tuple[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        named = {"Accept": "text/event-stream"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/api/v1/stream?build=lfs", headers=named)
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = []
        for _ in range(count):
            lines = [answer.readline().decode().rstrip("\n") for _ in range(3)]
            assert lines[2] == ""
            found.append((lines[0].removeprefix("id: "), json.loads(lines[1].removeprefix("data: "))))
        connection.close()
        return found

    ((cursor, snapshot),) = listen(1)
    assert (snapshot["type"], snapshot["cursor"]) == ("snapshot", cursor)
    run.step("p", "b")
    (first, second) = listen(2, Last_Event_ID=cursor)
    assert steps([first[1], second[1]]) == [("step_started", "b"), ("step_finished", "b")]
    ((_, again),) = listen(1, Last_Event_ID=first[0])
    assert again == second[1] | {"cursor": again["cursor"]}
    assert served.get("/api/v1/stream", Accept="application/json")[0] == 406
