"""From a build's failure to the receiver of its message: by the fast path, by Prometheus alone; and failures repeated.

Real Prometheus and Alertmanager with the shipped rules and routes, scraped and evaluated each second, in the same run.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from typing import Final

from bench.alert_stack import Setting, Stack, alert_stack, program
from bench.figure import Figure, percentile, summary
from bench.harness import wait_until

FAILURES: Final = 50
BUILDS: Final = 30
ROUNDS: Final = 4


def figures(*, quick: bool = False) -> list[Figure]:
    """Return p99 by both ways, and the share of repeated failures that were reported exactly once."""
    if program("prometheus") is None or program("alertmanager") is None:
        return []
    fast, slow = _reported(5 if quick else FAILURES, fast=True), _reported(3 if quick else 20, fast=False)
    once, times = _repeated(3 if quick else BUILDS, 2 if quick else ROUNDS)
    return [
        Figure(
            key="alert",
            what="failure to receiver, p99",
            unit="s",
            ours=percentile(fast, 0.99),
            peer="Prometheus + Alertmanager, each second",
            peer_value=percentile(slow, 0.99),
            goal=0.1,
            goal_ratio=20.0,
            detail={"ours": summary(fast), "peer": summary(slow)},
        ),
        Figure(
            key="alert_repeated",
            what="failures of builds that fail again and again, reported exactly once",
            unit="",
            ours=once,
            higher_is_better=True,
            goal=1.0,
            detail={"builds": BUILDS, "rounds": ROUNDS, "ours": summary(times)},
        ),
    ]


def _reported(count: int, *, fast: bool) -> list[float]:
    with alert_stack(_setting(fast=fast)) as stack:
        taken = []
        for number in range(count):
            build = f"b{number}"
            began = _fail(stack, build)
            taken.append(_arrival(stack, build) - began)
        return taken


def _arrival(stack: Stack, build: str) -> float:
    """Return when the first message on a build came."""
    wait_until(lambda: any(row[1] == build for row in _messages(stack, "firing")), 60, "message")
    return next(row[0] for row in _messages(stack, "firing") if row[1] == build)


def _repeated(builds: int, rounds: int) -> tuple[float, list[float]]:
    """Let builds fail, be fixed and fail again, a quarter of the second failures acknowledged; count the messages."""
    chance = random.Random(16)
    with alert_stack(_setting(fast=True)) as stack:
        began: dict[str, list[float]] = {f"b{number}": [] for number in range(builds)}
        agenda = sorted(
            (start + turn * 8.0, build, turn)
            for build in began
            for start in (chance.uniform(0, 8),)
            for turn in range(rounds)
        )
        zero = time.monotonic()
        for due, build, turn in agenda:
            time.sleep(max(0.0, zero + due - time.monotonic()))
            began[build].append(_fail(stack, build))
            threading.Timer(chance.uniform(1.5, 5), _fix, (stack, build)).start()
            if turn == 1 and chance.random() < 0.25:
                threading.Timer(0.7, _acknowledge, (stack, build)).start()
        wanted = builds * rounds
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: len(set(_messages(stack, "resolved"))) >= wanted, 90, "every end", pause=0.1)
        firing = Counter(row[1:] for row in _messages(stack, "firing"))
        resolved = Counter(row[1:] for row in _messages(stack, "resolved"))
        exactly = sum(count == 1 and resolved[key] == 1 for key, count in firing.items())
        times = []
        for build, starts in began.items():
            arrivals = sorted(row[0] for row in _messages(stack, "firing") if row[1] == build)
            times += [at - start for start, at in zip(starts, arrivals, strict=False)]
        return exactly / wanted, times


def _setting(*, fast: bool) -> Setting:
    return Setting(flags=("--alertmanager.url", "{alertmanager}") if fast else ())


def _messages(stack: Stack, status: str) -> list[tuple[float, str, str]]:
    """Return arrival, build and number of the first tier's failures that arrived with a status."""
    return [
        (each.at, each.labels["build"], each.labels["failure"])
        for each in list(stack.receiver.arrived)
        if each.labels.get("alertname") == "BuildFailed" and each.labels.get("tier") == "1"
        if each.alert["status"] == status
    ]


def _fail(stack: Stack, build: str) -> float:
    stack.append(build, "step_started", phase="p", step="gcc")
    return stack.append(build, "step_finished", phase="p", step="gcc", status="failed", message="a.c:1: error: x")


def _fix(stack: Stack, build: str) -> None:
    stack.append(build, "step_started", phase="p", step="gcc")
    stack.append(build, "step_finished", phase="p", step="gcc", status="succeeded")


def _acknowledge(stack: Stack, build: str) -> None:
    path = stack.place / "journal" / build / "20260102T030405Z.jsonl"
    failed = [json.loads(line) for line in path.read_text().splitlines() if '"failed"' in line]
    if failed:
        seconds, milliseconds = divmod(round(failed[-1]["time"] * 1000), 1000)
        number = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
        stack.append(build, "acknowledged", name="BuildFailed", failure=number, by="bench")
