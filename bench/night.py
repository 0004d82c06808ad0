"""Six builds in one night with the shipped files: who is notified of what, once, of the end too, and how soon.

Prometheus scrapes and evaluates each second, rules wait one second where they wait, and tiers follow after seconds;
all else is as shipped. The stories run at the same time, as builds on one machine do. The tests of alerting run the
same stories and judge the messages.
"""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from bench.alert_stack import Arrival, Setting, Stack, alert_stack, program
from bench.figure import Figure
from bench.harness import wait_until

PATIENCE: Final = 90.0
STALLED: Final = 8.0
TIERS: Final = (4.0, 9.0)
CONFIG: Final = f"""\
alerting:
  alertmanager_url: "{{alertmanager}}"
  escalation: [{TIERS[0]:.0f}s, {TIERS[1]:.0f}s]
thresholds:
  stalled_seconds: {STALLED:.0f}
"""
SETTING: Final = Setting(CONFIG, group_wait="0s", group_interval="1s", hold="1s")
WAITS: Final = {"fails": 0.0, "goes-on": 0.0, "stalls": STALLED, "fills-disk": 3.0, "asks": 20.0, "finishes": 0.0}
"""Seconds that each story's first message waits on purpose; docs/guide/alerts.md gives the shipped ones."""
GOALS: Final = {"fails": 0.1, "goes-on": 0.1, "stalls": 4.0, "fills-disk": 2.5, "asks": 1.5, "finishes": 3.0}
"""Seconds beyond that: a tenth for what happens, a look each second for what lasts, else a scrape and an evaluation."""

Messages = Counter[tuple[str, str, str]]
"""How often each receiver was sent which alert in which tier."""


@dataclass
class Story:
    """What became of one build.

    Attributes:
        seconds: from the cause to the first message; `end_seconds` from its repair to the first message of the end.
        skipped: why it could not be tried here.
    """

    build: str
    seconds: float = 0.0
    end_seconds: float = 0.0
    firing: Messages = field(default_factory=Counter)
    resolved: Messages = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    skipped: str = ""


class Act:
    """Lets one build run through its story and waits for the messages about it.

    `works` is the step that reports progress meanwhile, as builds do, however late a busy machine is; empty for none.
    """

    def __init__(self, stack: Stack, build: str) -> None:
        self.stack, self.build, self.story, self.works = stack, build, Story(build), ""
        self._reported = 0.0

    def event(self, name: str, **fields: object) -> float:
        """Append an event now; return the monotonic time."""
        return self.stack.append(self.build, name, **fields)

    def step(self, status: str, name: str = "gcc", **fields: object) -> float:
        """Append the end of a step."""
        self.works = "" if self.works == name else self.works
        return self.event("step_finished", phase="p", step=name, status=status, **fields)

    def begin(self, name: str = "gcc", **fields: object) -> float:
        """Append the start of a step."""
        self.works = name
        return self.event("step_started", phase="p", step=name, **fields)

    def message(self, alert: str, status: str = "firing", tier: str = "") -> Arrival:
        """Return the first message with an alert of this build."""

        def found() -> list[Arrival]:
            if self.works and time.monotonic() - self._reported > 1.0:
                self._reported = time.monotonic()
                self.event("step_progress", phase="p", step=self.works, ratio=0.5)
            arrived = self.stack.receiver.of(self.build, status)
            return [x for x in arrived if x.labels["alertname"] == alert and x.labels.get("tier", "") == tier]

        wait_until(lambda: bool(found()), PATIENCE, f"{self.build}: {alert} {status} tier {tier or '-'}", pause=0.01)
        return found()[0]

    def close(self, *, began: float, first: Arrival, repaired: float = 0.0, over: Arrival | None = None) -> Story:
        """Return the story with its times; its messages are counted when the night is over."""
        self.story.seconds = first.at - began
        self.story.end_seconds = over.at - repaired if over is not None else 0.0
        self.story.texts = [x.alert["annotations"]["description"] for x in self.stack.receiver.of(self.build)]
        return self.story


def fails(act: Act) -> Story:
    """A build fails, nobody answers in time, the second tier acknowledges by the link, and the step is tried again."""
    act.begin()
    began = act.step("failed", message="a.c:1: error: x", error_class="compiler-error")
    first = act.message("BuildFailed", tier="1")
    link = act.message("BuildFailed", tier="2").alert["annotations"]["acknowledge_url"]
    path = link.partition("/alerts/acknowledge")
    url = f"http://127.0.0.1:{act.stack.exporter.port}{path[1]}{path[2]}"
    urllib.request.urlopen(urllib.request.Request(url, b"by=ada", method="POST"), timeout=10).close()
    # the third tier would come now
    time.sleep(max(0.0, began + TIERS[1] + 2.0 - time.monotonic()))
    repaired = act.begin()
    over = act.message("BuildFailed", "resolved", "1")
    act.message("BuildFailed", "resolved", "2")
    act.step("succeeded")
    return act.close(began=began, first=first, repaired=repaired, over=over)


def goes_on(act: Act) -> Story:
    """One of two parallel steps fails and is tried again later."""
    act.begin("gcc")
    act.begin("icu")
    began = act.step("failed", "icu", message="ld: x", error_class="linker-error")
    act.works = "gcc"
    first = act.message("BuildStepFailed")
    # until Prometheus has the alert too: it ends what it knows at once
    time.sleep(4.0)
    repaired = act.begin("icu")
    act.step("succeeded", "gcc")
    over = act.message("BuildStepFailed", "resolved")
    act.step("succeeded", "icu")
    return act.close(began=began, first=first, repaired=repaired, over=over)


def stalls(act: Act) -> Story:
    """A running step reports nothing any more; a warning, then the second tier, until it goes on."""
    began = act.begin()
    act.works = ""
    first = act.message("BuildStalled", tier="1")
    act.message("BuildStalled", tier="2")
    act.works, repaired = "gcc", time.monotonic()
    over = act.message("BuildStalled", "resolved", "1")
    act.message("BuildStalled", "resolved", "2")
    act.step("succeeded")
    return act.close(began=began, first=first, repaired=repaired, over=over)


def fills_disk(act: Act) -> Story:
    """A step fills the file system that it writes to; then somebody frees space."""
    place = act.stack.place / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        act.story.skipped = "a file system cannot be mounted here"
        return act.story
    try:
        log = place / "gcc.log"
        act.begin(log=str(log))
        with log.open("wb", buffering=0) as file:
            while _can_write(file.fileno()):
                pass
        began = time.monotonic()
        first = act.message("BuildDiskFull", tier="1")
        os.truncate(log, 0)
        repaired = time.monotonic()
        over = act.message("BuildDiskFull", "resolved", "1")
        act.step("succeeded")
        return act.close(began=began, first=first, repaired=repaired, over=over)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _can_write(descriptor: int) -> bool:
    try:
        return os.write(descriptor, b"x" * 4096) > 0
    except OSError:
        return False


def asks(act: Act) -> Story:
    """A build tool asks for a password between two steps, and somebody types it after the message."""
    act.begin()
    act.step("succeeded")
    began = act.event("note", message="waiting-for-input: sudo asks for a password")
    first = act.message("BuildWaitingForInput", tier="1")
    repaired = act.begin("next")
    over = act.message("BuildWaitingForInput", "resolved", "1")
    act.step("succeeded", "next")
    return act.close(began=began, first=first, repaired=repaired, over=over)


def finishes(act: Act) -> Story:
    """A build succeeds: one notice, and nobody else is notified."""
    act.event("build_started")
    act.begin()
    act.step("succeeded")
    began = act.event("build_finished", status="succeeded")
    return act.close(began=began, first=act.message("BuildFinished"))


STORIES: Final[dict[str, Callable[[Act], Story]]] = {
    "fails": fails,
    "goes-on": goes_on,
    "stalls": stalls,
    "fills-disk": fills_disk,
    "asks": asks,
    "finishes": finishes,
}


@contextmanager
def night(tools: str = "") -> Iterator[tuple[Stack, dict[str, Future[Story]]]]:
    """Run all stories at once; give the stack and, by build, what becomes of it once every story is over."""
    setting = Setting(CONFIG, SETTING.group_wait, SETTING.group_interval, SETTING.hold, tools)
    with alert_stack(setting) as stack, ThreadPoolExecutor(len(STORIES)) as pool:
        stories = {}
        for build, play in STORIES.items():
            stories[build] = pool.submit(play, Act(stack, build))
            time.sleep(0.2)
        for future in stories.values():
            future.exception()
        # a second message would be late by a scrape, an evaluation and a tick of its group
        time.sleep(3.0)
        for build, future in stories.items():
            if future.exception() is None:
                future.result().firing = _count(stack, build, "firing")
                future.result().resolved = _count(stack, build, "resolved")
        yield stack, stories


def _count(stack: Stack, build: str, status: str) -> Messages:
    arrived = stack.receiver.of(build, status)
    return Counter((x.receiver, x.labels["alertname"], x.labels.get("tier", "")) for x in arrived)


def figures(*, quick: bool = False) -> list[Figure]:
    """Return for each story the seconds to its first message beyond what that waits on purpose."""
    if quick or program("prometheus") is None or program("alertmanager") is None:
        return []
    with night() as (_, stories):
        found = [future.result() for future in stories.values()]
    return [
        Figure(
            key=f"night_{story.build.replace('-', '_')}",
            what=f"a build {story.build.replace('-', ' ')}: first message, beyond its wait of {WAITS[story.build]:g} s",
            unit="s",
            ours=max(0.0, story.seconds - WAITS[story.build]),
            goal=GOALS[story.build],
            detail={
                "seconds": story.seconds,
                "end_seconds": story.end_seconds,
                "messages": {" ".join(key): count for key, count in (story.firing + story.resolved).items()},
            },
        )
        for story in found
        if not story.skipped
    ]
