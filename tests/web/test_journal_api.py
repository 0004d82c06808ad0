"""Events and logs over the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from build_exporter.journal.positions import Cursor, decode_cursor
from build_exporter.queries.log import coloured


def ask(served: Any, path: str) -> tuple[int, Any]:
    """Return status and decoded answer."""
    status, _, body = served.get(path)
    return status, json.loads(body)


def test_events_are_paged_by_cursor(serve: Callable[..., Any], run_file: Callable[..., Any]) -> None:
    """Pages hold every event once; the last cursor gives what came since; one kind alone can be asked for."""
    run_file("lfs", run="20260101T000000Z").step("p", "old")
    run = run_file("lfs")
    for name in ("a", "b"):
        run.step("p", name)
    run.raw(b"not json\n")
    run.add("note", message="token=abcdefgh12345678 \x1b[31mred")
    served = serve()
    found, cursor, eof = [], "", False
    while not eof:
        _, page = ask(served, f"/api/v1/builds/lfs/events?limit=2&after={cursor}")
        found += [row["event"] for row in page["events"]]
        cursor, eof = page["next"], page["eof"]
    assert [each["event"] for each in found] == ["step_started", "step_finished"] * 2 + ["note"]
    assert "abcdefgh12345678" not in found[-1]["message"]
    assert "\x1b" not in found[-1]["message"]
    assert ask(served, f"/api/v1/builds/lfs/events?after={cursor}")[1]["events"] == []
    run.add("milestone_reached", milestone="base")
    (row,) = ask(served, f"/api/v1/builds/lfs/events?after={cursor}")[1]["events"]
    assert row["event"]["milestone"] == "base"
    assert ask(served, f"/api/v1/builds/lfs/events?after={row['cursor']}")[1]["events"] == []
    all_runs = ask(served, "/api/v1/builds/lfs/events?runs=all&event=step_started")[1]["events"]
    assert [each["event"]["step"] for each in all_runs] == ["old", "a", "b"]
    place = decode_cursor(row["cursor"]).builds["lfs"]
    others = {f"{'x' * 40}{n:x}{n * 7919:x}": (place[0], n * 7919) for n in range(500)}
    of_stream = Cursor(1.78e9, {"lfs": place, **others}).encode()
    assert 4096 < len(of_stream) < 32_000, "longer than one of a page, and fits in an address"
    status, page = ask(served, f"/api/v1/builds/lfs/events?after={of_stream}")
    assert (status, page["events"]) == (200, []), "a stream's cursor of many builds"
    status, answer = ask(served, "/api/v1/builds/lfs/events?after=nonsense")
    assert (status, answer["error"]["code"]) == (404, "not-found")
    for wrong in ("event=nothing", "limit=0", "runs=some"):
        status, answer = ask(served, f"/api/v1/builds/lfs/events?{wrong}")
        assert (status, answer["error"]["code"]) == (400, "bad-request"), wrong


def test_a_log_is_read_by_bytes(serve: Callable[..., Any], run_file: Callable[..., Any], tmp_path: Path) -> None:
    """Parts are whole lines and add up to the log; `eof` and `over` say whether there is and will be more."""
    log = tmp_path / "x.log"
    lines = [f"line {number} ä" for number in range(5000)]
    log.write_text("\n".join(lines) + "\nhalf a li")
    run = run_file("lfs")
    run.add("step_started", phase="p", step="s", log=str(log))
    served = serve()
    text, offset = "", 0
    while True:
        _, part = ask(served, f"/api/v1/builds/lfs/log?step=s&offset={offset}&limit=10000")
        assert part["offset"] == offset
        if part["next"] == offset:
            break
        text, offset = text + part["text"], part["next"]
    assert text.splitlines() == lines
    assert (part["eof"], part["over"], part["size"]) == (False, False, log.stat().st_size)
    with log.open("a") as file:
        file.write("ne\n")
    part = ask(served, f"/api/v1/builds/lfs/log?step=p/s&offset={offset}")[1]
    assert (part["text"], part["eof"], part["over"]) == ("half a line\n", True, False)
    part = ask(served, "/api/v1/builds/lfs/log?step=s&offset=-30")[1]
    assert part["text"] == "line 4999 ä\nhalf a line\n"
    run.add("step_finished", phase="p", step="s", status="succeeded")
    part = ask(served, "/api/v1/builds/lfs/log?step=s&offset=999999999")[1]
    assert (part["text"], part["eof"], part["over"]) == ("", True, True)


def test_a_large_log_costs_its_part(serve: Callable[..., Any], run_file: Callable[..., Any], tmp_path: Path) -> None:
    """The end of a log of 100 MB is there as fast as that of a small one, and one line of 3 MB is passed in pieces."""
    log = tmp_path / "large.log"
    with log.open("wb") as file:
        file.truncate(100_000_000)
        file.seek(0, 2)
        file.write(b"\n" + b"x" * 3_000_000 + b"\nthe end\n")
    run_file("lfs").add("step_started", phase="p", step="s", log=str(log))
    served = serve()
    part = ask(served, "/api/v1/builds/lfs/log?step=s&offset=-100")[1]
    assert (part["text"], part["eof"]) == ("the end\n", True)
    offset, size = 100_000_001, 0
    for _ in range(4):
        part = ask(served, f"/api/v1/builds/lfs/log?step=s&offset={offset}&limit=1048576")[1]
        offset, size = part["next"], size + len(part["text"])
    assert (part["eof"], size) == (True, 3_000_000 + 1 + len("the end\n"))


def test_only_logs_that_events_name_are_read(
    serve: Callable[..., Any], run_file: Callable[..., Any], tmp_path: Path
) -> None:
    """No path can be asked for; a directory, a device, a file of /proc, a missing or an impossible path is no log."""
    run = run_file("lfs")
    paths = {"directory": str(tmp_path), "device": "/dev/zero", "missing": str(tmp_path / "no"), "nul": "/tmp/\0x"}
    paths |= {"environment": "/proc/self/environ", "kernel": "/sys/kernel/uevent_seqnum"}
    for step, path in paths.items():
        run.add("step_started", phase="p", step=step, log=path)
    run.add("step_started", phase="p", step="without")
    run.add("step_started", phase="q", step="without")
    served = serve()
    for step in (*paths, "none", "/etc/passwd", "p/without", "p/../../etc/passwd"):
        status, answer = ask(served, f"/api/v1/builds/lfs/log?step={quote(step, safe='')}")
        assert (status, answer["error"]["code"]) == (404, "not-found"), step
    assert ask(served, "/api/v1/builds/lfs/log?step=without")[0] == 400
    assert ask(served, "/api/v1/builds/lfs/log?step=missing&path=/etc/passwd")[0] == 400


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2J\x1b]0;title\x07x\x1b[31m", "x\x1b[31m"),
        ("\x1b[31\x1bm", "[31m"),
        ("a\x00\u202eb", "ab"),
    ],
)
def test_only_colours_stay(text: str, shown: str) -> None:
    """Of what steers a terminal nothing but the setting of colours gets through."""
    assert coloured(text) == shown


def test_a_secret_in_colours_is_masked() -> None:
    """Escapes within a secret do not hide it from the masking."""
    assert "hunter2hunter2" not in coloured("password=\x1b[31mhunter2hunter2\x1b[0m")
