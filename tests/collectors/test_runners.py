"""Collectors that raise, stop half-way or hang cost no one else anything, and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from build_exporter.collectors import runners
from build_exporter.collectors.runners import BackgroundRunner, DirectRunner, SamplingThread
from build_exporter.collectors.scrape import Scrape
from build_exporter.exposition import TEXT, Family


class Good:
    """A collector that works."""

    name = "good"

    def collect(self) -> Iterable[Family]:
        """Return one family."""
        return [Family("build_threshold").add(1, "x")]


class Moody:
    """A collector that works or not, as set; `calls` counts how often it was asked."""

    name = "moody"

    def __init__(self) -> None:
        self.mood = "good"
        self.calls = 0
        self.release = threading.Event()

    def collect(self) -> Iterator[Family]:
        """Yield two families, or fail between them."""
        self.calls += 1
        yield Family("build_host_load1").add(1)
        if self.mood == "raises":
            raise OSError(5, "Input/output error")
        if self.mood == "hangs":
            self.release.wait(60)
        yield Family("build_host_load5").add(5)


@pytest.fixture
def moody() -> Iterator[Moody]:
    """The collector; one that hangs is let go with the test."""
    collector = Moody()
    yield collector
    collector.release.set()


def shown(scrape: Scrape) -> dict[tuple[str, str], float]:
    """Return a scrape's samples by name and, where there is one, the collector or threshold."""
    return {
        (sample.name, sample.labels.get("collector") or sample.labels.get("name") or ""): sample.value
        for family in text_string_to_metric_families(scrape.body(TEXT).decode())
        for sample in family.samples
    }


SUCCESS = "build_exporter_collector_success"


def test_one_that_stops_half_way_shows_nothing(moody: Moody, caplog: pytest.LogCaptureFixture) -> None:
    """What a failing collector had before it failed is not shown; the others are; when it works again so is it."""
    scrape = Scrape([DirectRunner(moody), DirectRunner(Good())])
    for mood, works in (("good", True), ("raises", False), ("raises", False), ("good", True)):
        moody.mood = mood
        found = shown(scrape)
        assert (("build_host_load1", "") in found) == (("build_host_load5", "") in found) == works
        assert found["build_threshold", "x"] == 1
        assert (found[SUCCESS, "moody"], found[SUCCESS, "good"]) == (works, 1)
        assert found["build_exporter_collector_duration_seconds", "moody"] >= 0
    assert [record.__dict__["collector"] for record in caplog.records] == ["moody"]


def test_each_spell_of_failure_is_reported_once(moody: Moody, caplog: pytest.LogCaptureFixture) -> None:
    """A collector that fails, works and fails again is reported twice, however often it is scraped."""
    direct = DirectRunner(moody)
    for mood in ("raises", "raises", "good", "raises", "raises", "raises"):
        moody.mood = mood
        direct.families()
    assert len(caplog.records) == 2
    assert all(record.exc_info for record in caplog.records)


def test_series_are_counted(moody: Moody) -> None:
    """The number of series reported is that of the samples in the very scrape that shows it."""
    scrape = Scrape([DirectRunner(moody), DirectRunner(Good())])
    for mood in ("good", "raises"):
        moody.mood = mood
        found = shown(scrape)
        assert found["build_exporter_series", ""] == len(found)


@pytest.fixture
def sampled(moody: Moody) -> Iterator[BackgroundRunner]:
    """The collector, sampled each hundredth of a second and given up on after a fifth."""
    guarded = BackgroundRunner(moody, interval=0.01, timeout=0.2)
    thread = SamplingThread("test", [guarded])
    thread.start()
    assert guarded.wait_first(10)
    yield guarded
    thread.stop()


def test_one_that_hangs_is_given_up_and_taken_back(
    sampled: BackgroundRunner, moody: Moody, poll: Callable[..., None]
) -> None:
    """A hanging collector delays no scrape and exports nothing; once it returns, its families are exported again."""
    scrape = Scrape([sampled, DirectRunner(Good())])
    assert shown(scrape)[SUCCESS, "moody"] == 1
    moody.mood = "hangs"
    poll(lambda: shown(scrape)[SUCCESS, "moody"] == 0, 5)
    calls = moody.calls
    found = shown(scrape)
    assert ("build_host_load1", "") not in found
    assert found["build_threshold", "x"] == found[SUCCESS, "good"] == 1
    # it is not asked again while it hangs: threads do not pile up
    assert moody.calls == calls
    moody.mood = "good"
    moody.release.set()
    poll(lambda: shown(scrape)[SUCCESS, "moody"] == 1, 5)
    assert shown(scrape)["build_host_load5", ""] == 5


def test_one_that_raises_in_its_thread_continues(
    sampled: BackgroundRunner, moody: Moody, poll: Callable[..., None]
) -> None:
    """A sampled collector that fails shows nothing and is asked again until it works."""
    scrape = Scrape([sampled])
    moody.mood = "raises"
    poll(lambda: shown(scrape)[SUCCESS, "moody"] == 0, 5)
    assert ("build_host_load1", "") not in shown(scrape)
    moody.mood = "good"
    poll(lambda: shown(scrape)[SUCCESS, "moody"] == 1, 5)


def test_scrapes_do_not_ask_the_system(moody: Moody) -> None:
    """A sampled collector is asked once an interval, however often it is scraped."""
    guarded = BackgroundRunner(moody, interval=3600)
    scrape = Scrape([guarded])
    scrape.start()
    assert guarded.wait_first(10)
    for _ in range(100):
        assert shown(scrape)[SUCCESS, "moody"] == 1
    assert moody.calls == 1
    scrape.stop()


def test_samples_nobody_asks_for_are_seldom(
    moody: Moody, poll: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that nobody looks at is sampled seldom and shown as it was then; who looks has new samples at once."""
    monkeypatch.setattr(runners, "REST_AFTER_SECONDS", 0.2)
    resting, other = BackgroundRunner(moody, interval=0.01, thread="one", rest=3600.0), Moody()
    scrape = Scrape([resting, BackgroundRunner(other, interval=0.01, thread="one")])
    scrape.start()
    poll(lambda: resting.due > time.monotonic() + 1000, 30)
    calls, others = moody.calls, other.calls
    poll(lambda: other.calls > others + 3, 30)
    assert moody.calls == calls
    assert ("build_host_load1", "") in shown(scrape)
    poll(lambda: bool(shown(scrape)) and moody.calls > calls + 3, 30)
    scrape.stop()


@pytest.mark.parametrize(("cost", "pause"), [(0.001, 2.0), (0.003, 3.0), (0.1, 5.0)])
def test_costly_samples_are_seldom(moody: Moody, monkeypatch: pytest.MonkeyPatch, cost: float, pause: float) -> None:
    """Samples take a thousandth of a core at most, unless they would be older than five seconds."""
    used = iter((7.0, 7.0 + cost))
    monkeypatch.setattr("build_exporter.collectors.runners.time.thread_time", lambda: next(used))
    runner = BackgroundRunner(moody, interval=2.0)
    runner.due = began = time.monotonic()
    runner.sample()
    assert runner.due - began == pytest.approx(pause)


@pytest.mark.timeout(20)
def test_starting_waits_for_no_collector_that_hangs(moody: Moody) -> None:
    """A collector that hangs from the beginning holds up neither the start nor the first scrape nor the end."""
    moody.mood = "hangs"
    scrape = Scrape([BackgroundRunner(moody, interval=0.01, timeout=0.05), DirectRunner(Good())])
    scrape.start()
    found: dict[Any, float] = shown(scrape)
    assert found[SUCCESS, "moody"] == 0
    assert found["build_threshold", "x"] == 1
    scrape.stop()
