"""A night with the real servers and the shipped files: who is notified of what, once, and of the end."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from bench.alert_stack import Stack, program
from bench.night import TIERS, WAITS, Story, night

pytestmark = [pytest.mark.xdist_group("night"), pytest.mark.timeout(200)]


@pytest.fixture(scope="module", params=["", *filter(None, os.environ.get("BUNDLE_TOOLS", "").split(os.pathsep))])
def stories_of(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, dict[str, Future[Story]]]]:
    """All stories of bench/night.py, played at the same time."""
    if program("prometheus", request.param) is None or program("alertmanager", request.param) is None:
        pytest.skip("Prometheus and Alertmanager are not installed")
    with night(request.param) as (stack, stories):
        yield stack, stories


EXPECTED: Any = {
    "fails": ({("page", "BuildFailed", "1"), ("on-call", "BuildFailed", "2")}, True),
    "goes-on": ({("team", "BuildStepFailed", "")}, True),
    "stalls": ({("team", "BuildStalled", "1"), ("on-call", "BuildStalled", "2")}, True),
    "fills-disk": ({("page", "BuildDiskFull", "1")}, True),
    "asks": ({("page", "BuildWaitingForInput", "1")}, True),
    "finishes": ({("notices", "BuildFinished", "")}, False),
}
"""By build: each message that is sent, and whether its end is sent to the same receivers."""


@pytest.mark.parametrize("build", EXPECTED)
def test_each_message_is_sent_once_to_whom_it_is_for_and_its_end_too(stories_of: Any, build: str) -> None:
    """Builds that fail, go on, stall, fill a disk, ask, finish: nothing sent twice, nothing missed, nothing else."""
    story = stories_of[1][build].result()
    if story.skipped:
        pytest.skip(story.skipped)
    messages, has_end = EXPECTED[build]
    assert story.firing == dict.fromkeys(messages, 1)
    assert story.resolved == (dict.fromkeys(messages, 1) if has_end else {})
    # a person at the keyboard has the time that the guide gives; the bound above is that of a busy machine
    assert WAITS[build] - 0.5 < story.seconds < WAITS[build] + 20


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("fails", "a.c:1: error: x"),
        ("goes-on", "p / icu failed (linker-error): ld: x"),
        ("stalls", "although a step is running (p / gcc)"),
        ("fills-disk", "/disk, where build fills-disk writes"),
        ("asks", "sudo asks for a password"),
        ("finishes", "succeeded"),
    ],
)
def test_each_message_says_what_has_happened(stories_of: Any, build: str, words: str) -> None:
    """Whoever is woken knows from the first message which build it is and what it needs."""
    story = stories_of[1][build].result()
    if story.skipped:
        pytest.skip(story.skipped)
    assert words in story.texts[0]
    assert f"uild {build}" in story.texts[0]


def test_the_history_has_the_night(stories_of: Any, poll: Callable[..., None]) -> None:
    """Who acknowledged, how far the failure was escalated, who was notified and when it was over, from the API."""
    stack, stories = stories_of
    stories["fails"].result()
    url = f"http://127.0.0.1:{stack.exporter.port}/api/v1/alerts?build=fails"

    def failure() -> Any:
        with urllib.request.urlopen(url, timeout=10) as answer:
            (row,) = [row for row in json.load(answer)["alerts"] if row["alert"] == "BuildFailed"]
        return row

    # Alertmanager reports the end to each receiver by itself, to the exporter last
    poll(lambda: failure()["until"] is not None, 60, "the history has the end")
    row = failure()
    assert (row["state"], row["tier"], row["acknowledged"]["by"]) == ("resolved", 2, "ada")
    assert row["notified"] == ["page", "on-call"]
    assert row["until"] - row["since"] > TIERS[1]
