"""Attack a running exporter as a careless or hostile neighbour may, and report what everyone else sees meanwhile.

    python bench/break_in.py [--only NAME] [--quick]

With `BASELINE`, the top folder of another version of this repository, that one is attacked beside it in the same run.
It ends with 1 where this version exceeds a limit; each attack has its limits in its rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "lib")]

from secret_forms import ORDINARY, SECRET_FORMS, VALUE  # noqa: E402

from bench.attacked import NEVER, Row, Target, connections, write_builds  # noqa: E402
from bench.harness import workplace  # noqa: E402

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
PASSWORD = "correct horse"


def idle(target: Target, place: Path) -> Iterator[Row]:
    """1,060 connections that say nothing."""
    write_builds(place, 1)
    with target.serve(place) as served, connections(served.port, 1060):
        yield Row("1,060 idle sockets: seconds to /-/healthy", served.seconds_for("/-/healthy"), 2.0)
        yield Row("1,060 idle sockets: seconds to /metrics", served.seconds_for("/metrics"), 2.0)


def few_descriptors(target: Target, place: Path) -> Iterator[Row]:
    """300 builds and 400 clients with 256 descriptors."""
    write_builds(place, 300)
    with target.serve(place, prefix=("prlimit", "--nofile=256:256")) as served:
        logged, used, began = served.log.stat().st_size, served.cpu_seconds(), time.monotonic()
        with connections(served.port, 400):
            time.sleep(5.0)
            passed = time.monotonic() - began
            yield Row("256 descriptors, 300 builds: share of a core", (served.cpu_seconds() - used) / passed, 0.5)
            yield Row("  … log, kB/s", (served.log.stat().st_size - logged) / passed / 1000, 1.0)
            yield Row("  … seconds to /metrics", served.seconds_for("/metrics"), 5.0)
        shown = served.ask("/metrics")[1].count(b'build_state{build="build-')
        yield Row("  … not shown of the 100 newest builds", 100 - shown / 5, 0)


def many_builds(target: Target, place: Path) -> Iterator[Row]:
    """3,000 builds."""
    write_builds(place, 300 if target.quick else 3000)
    with target.serve(place) as served:
        yield Row("3,000 builds: descriptors", served.descriptors(), 200)
        served.ask("/metrics", patience=120.0)
        yield Row("  … CPU seconds until the first scrape", served.cpu_seconds(), 15.0)
        used = served.cpu_seconds()
        served.ask("/metrics", patience=120.0)
        yield Row("  … CPU seconds of the second, and what goes on", served.cpu_seconds() - used, 1.0)
        yield Row("  … resident MB", served.megabytes(), 250)


def pipelining(target: Target, place: Path) -> Iterator[Row]:
    """200,000 requests of a client that reads nothing."""
    write_builds(place, 1)
    count = 20_000 if target.quick else 200_000
    with target.serve(place) as served, connections(served.port, 1) as (client,):
        served.ask("/metrics")
        before, block, sent, end = served.megabytes(), GET % b"/metrics" * 1000, 0, time.monotonic() + 60
        most, last, longest = 0.0, time.monotonic(), 0.0
        client.setblocking(False)
        while sent < count and time.monotonic() < end and time.monotonic() - last < 5.0:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                sent += client.send(block) // len(GET % b"/metrics")
                last = time.monotonic()
            most = max(most, served.megabytes() - before)
            time.sleep(0.002)
        longest = served.seconds_for("/metrics")
        yield Row("200,000 requests unread: MB more at most", max(most, served.megabytes() - before), 30)
        yield Row("  … seconds to /metrics", longest, 2.0)


def wrong_logins(target: Target, place: Path) -> Iterator[Row]:
    """20 wrong passwords at cost 12, at once."""
    import bcrypt  # noqa: PLC0415 - for this one

    write_builds(place, 1)
    hashes = {"scraper": 4, "victim": 12}
    lines = [
        f"  {name}: {bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(cost)).decode()}" for name, cost in hashes.items()
    ]
    web = place / "web.yml"
    web.write_text("basic_auth_users:\n" + "\n".join(lines) + "\n")
    with target.serve(place, "--web.config.file", str(web)) as served:
        who = ("scraper", PASSWORD)
        served.ask("/metrics", who)
        guesses = [threading.Thread(target=served.ask, args=("/metrics", ("victim", f"guess {n}"))) for n in range(20)]
        for each in guesses:
            each.start()
        time.sleep(0.1)
        yield Row("20 wrong logins at cost 12: seconds of a known scrape", served.seconds_for("/metrics", who), 1.0)
        for each in guesses:
            each.join()
        took = {
            name: min(served.ask("/metrics", (name, f"x{n}"))[2] for n in range(3)) for name in ("scraper", "nobody")
        }
        yield Row("  … seconds between an unknown and a known user", abs(took["scraper"] - took["nobody"]), 0.15)


def secrets(target: Target, place: Path) -> Iterator[Row]:
    """Every form of a secret, and ordinary diagnostics, as the reason of a failure."""
    texts = {f"secret-{n}": form.replace("VALUE", VALUE) for n, form in enumerate(SECRET_FORMS)}
    ordinary = {f"plain-{n}": text for n, text in enumerate(ORDINARY) if text.strip()}
    directory = place / "journal" / "build"
    directory.mkdir(parents=True)
    common = {"event": "step_finished", "build": "build", "phase": "p", "status": "failed", "exit_code": 1}
    events = [
        {"time": 1.78e9 + n, "step": step, "message": text, **common}
        for n, (step, text) in enumerate((texts | ordinary).items())
    ]
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (directory / "20260101T000000Z.jsonl").write_text(lines)
    with target.serve(place) as served:
        metrics = served.ask("/metrics")[1].decode()
        lost = {step for step in texts if re.search(rf'step="{step}"[^\n]*{VALUE}', metrics)}
        yield Row(f"{len(texts)} forms of secrets: shown in /metrics", len(lost), len(texts) * 0.05)
        page = served.ask("/builds/build")[1] + served.ask("/api/v1/builds/build")[1] + served.ask("/")[1]
        yield Row("  … times on page and in the API", page.count(VALUE.encode()), 3)
    shown = dict(
        re.findall(r'build_step_failure_info\{[^\n]*step="(plain-\d+)"[^\n]*excerpt="((?:[^"\\]|\\.)*)"', metrics)
    )
    maimed = sum("***" in excerpt and "***" not in ordinary[step] for step, excerpt in shown.items())
    yield Row(f"{len(ordinary)} ordinary diagnostics: maimed", maimed, 0)


def hostile_lines(target: Target, place: Path) -> Iterator[Row]:
    """100,000 hostile lines between the steps of a build."""
    count = 10_000 if target.quick else 100_000
    chance = random.Random(20261129)
    path = place / "journal" / "build" / "20260101T000000Z.jsonl"
    path.parent.mkdir(parents=True)
    good = 0
    with path.open("wb") as file:
        for number in range(count):
            file.write(chance.choice(_HOSTILE)(number, chance) + b"\n")
            if number % 500 == 0:
                event = {"time": 1.78e9 + number, "event": "step_finished", "build": "build", "phase": "p"}
                file.write(json.dumps({**event, "step": f"good-{number}", "status": "succeeded"}).encode() + b"\n")
                good += 1
    with target.serve(place) as served:
        shown = len(set(re.findall(rb'build_step_status\{[^\n]*step="(good-\d+)"\} 2', served.ask("/metrics")[1])))
        yield Row("100,000 hostile lines: good steps not shown", good - shown, 0)
        yield Row("  … resident MB", served.megabytes(), 150)
        yield Row("  … log, kB", served.log.stat().st_size / 1000, 20)


_HOSTILE: tuple[Callable[[int, random.Random], bytes], ...] = (
    lambda n, chance: chance.randbytes(80).replace(b"\n", b""),
    lambda n, chance: b'{"time":1e308,"event":"step_started","build":"build","phase":"p","step":"x"}',
    lambda n, chance: b'{"time":%d,"event":"step_started","build":"other","phase":"p","step":"x"}' % n,
    lambda n, chance: b"[" * 500,
    lambda n, chance: b'{"time":1780000000,"event":"unknown-%d","build":"build"}' % n,
    lambda n, chance: b'{"time":1780000000,"event":"step_finished","build":"build","phase":"p","step":1}',
    lambda n, chance: b'{"time":1780000000,"event":"step_progress","build":"build","phase":"p","step":"x","ratio":9}',
)


def scrapes(target: Target, place: Path) -> Iterator[Row]:
    """500 scrapes at a time for ten seconds."""
    write_builds(place, 10)
    answers: Counter[str] = Counter()
    with target.serve(place) as served:
        end = time.monotonic() + (2 if target.quick else 10)

        def scrape() -> None:
            while time.monotonic() < end:
                status, body, _ = served.ask("/metrics", patience=60.0)
                whole = status == 200 and body.endswith(b"\n") and body.count(b'build_state{build="build-') == 50
                answers["whole" if whole else f"status {status}" if status else "none"] += 1

        threads = [threading.Thread(target=scrape) for _ in range(500)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        done, bad = answers.total(), dict(answers - Counter(whole=answers["whole"]))
        yield Row(f"500 scrapes at a time: bad of {done} {bad or ''}", sum(bad.values()), 0)


_CLIENT = """
import itertools, os
from build_exporter.client.events import EventLog
from build_exporter.model.events import Note
log = EventLog("client")
for n in itertools.count():
    text = f"note-{os.getpid()}-{n} " + "x" * (n * 7919 % 15000)
    if log.append(Note(time=log.now(), build="client", message=text)):
        print(n, flush=True)
"""
"""Appends notes for ever, and prints the number of each that was written."""


def kills(target: Target, place: Path) -> Iterator[Row]:
    """Kill -9 of hook, Python client, wrapper and exporter, 200 in all, at any point of lines up to 60 kB."""
    count = 20 if target.quick else 200
    chance = random.Random(20261129)
    journal = place / "journal"
    journal.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(target.source), "BUILD_EXPORTER_JOURNAL": str(journal)}
    acknowledged = 0
    hook = target.source / "build_exporter" / "shell" / "build-events.sh"
    script = f". {hook}; be_start hook; n=0; while :; do be_note note-$$-$n; echo $n; n=$((n+1)); done"
    wrapped = (sys.executable, "-m", "build_exporter", "run", "--build", "wrapped", "--", "sleep", "60")
    kinds = (wrapped, ("sh", "-c", script), (sys.executable, "-c", _CLIENT), ("bash", "-c", script))
    for number in range(count):
        if number % 5 == 4:
            with target.serve(place) as served:
                served.process.kill()
            continue
        command = kinds[number % 5]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        time.sleep(chance.uniform(0.05, 0.4))
        writer.kill()
        acknowledged += len(
            [line for line in (writer.communicate()[0]).splitlines(keepends=True) if line.endswith(b"\n")]
        )
    with target.serve(place) as served:
        found = re.search(rb'build_exporter_events_total\{event="note"\} (\d+)', served.ask("/metrics")[1])
        read = int(found[1]) if found else 0
        yield Row(f"{count} kills -9: of {acknowledged} acknowledged events lost", max(0, acknowledged - read), 0)


ATTACKS: tuple[Callable[[Target, Path], Iterator[Row]], ...] = (
    idle,
    few_descriptors,
    many_builds,
    pipelining,
    wrong_logins,
    secrets,
    hostile_lines,
    scrapes,
    kills,
)


def _rows(attack: Callable[[Target, Path], Iterator[Row]], target: Target) -> list[Row]:
    with workplace() as place:
        rows: list[Row] = []
        try:
            rows.extend(attack(target, place))
        except (TimeoutError, RuntimeError) as error:
            rows.append(Row(f"{attack.__name__}: {str(error).splitlines()[0]}", NEVER, 0))
        return rows


def main() -> int:
    """Attack; return 1 where this version exceeds a limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=[attack.__name__ for attack in ATTACKS])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    baseline = os.environ.get("BASELINE")
    bad = 0
    print(f"{'':60} {'limit':>8} {'now':>9} {'BASELINE' if baseline else '':>9}")
    for attack in ATTACKS:
        if arguments.only and attack.__name__ not in arguments.only:
            continue
        now = _rows(attack, Target(REPOSITORY / "exporter", arguments.quick))
        before = _rows(attack, Target(Path(baseline) / "exporter", arguments.quick)) if baseline else []
        for number, row in enumerate(now):
            other = f"{before[number].value:9.2f}" if number < len(before) else ""
            mark = "" if row.value <= row.limit else "  BAD"
            bad += bool(mark)
            print(f"{row.what:60} {row.limit:8.2f} {row.value:9.2f} {other:>9}{mark}", flush=True)
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
