"""The steps of a build on its page: many of them, filtered, searched, zoomed; and their logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., Any]
Tabs = Callable[..., Any]
COUNT = 1200


@pytest.fixture
def large(run_file: Callable[..., Any]) -> Any:
    """A run of 1,200 steps of which 500 are done, one of them failed once, and one runs."""
    run = run_file("large", clock=time.time() - 5100)
    steps = [{"phase": f"group-{n // 100}", "step": f"{n:04}-package", "expected_seconds": 10.0} for n in range(COUNT)]
    for begin in range(0, COUNT, 300):
        run.add("plan", after=0.0, steps=steps[begin : begin + 300], continues=begin > 0)
    for each in steps[:500]:
        run.step(each["phase"], each["step"], seconds=9.0)
    run.add("step_started", phase=steps[500]["phase"], step=steps[500]["step"])
    return run


def test_a_thousand_steps_are_smooth(serve: Serve, large: Any, tab: Tabs) -> None:
    """1,200 steps are filtered and scrolled in place, and an event changes only the rows it is about."""
    page = tab(serve()).go("/builds/large")
    assert page.locator("#rows tr").count() == COUNT
    assert page.is_visible("#s500"), "the list is scrolled to what runs"
    page.fill("#filters input[type=search]", "0111-")
    assert page.inner_text("#matching") == f"1 of {COUNT} steps"
    page.fill("#filters input[type=search]", "")
    page.evaluate(
        """() => {
          window.fresh = new Set();
          new MutationObserver((changes) => changes.forEach((change) =>
            change.addedNodes.forEach((row) => row.id && window.fresh.add(row.id)))
          ).observe(document.getElementById("rows"), { childList: true });
        }"""
    )
    large.add("step_finished", phase="group-5", step="0500-package", status="succeeded")
    large.add("step_started", phase="group-5", step="0501-package")
    page.wait_for_selector("#s501[data-state=running]")
    assert page.get_attribute("#s500", "data-state") == "succeeded"
    fresh = set(page.evaluate("[...window.fresh]"))
    assert {"s500", "s501"} <= fresh
    assert not fresh & {f"s{number}" for number in range(500)}, "what is over is not sent again"


def test_steps_are_found_by_keyboard(serve: Serve, large: Any, tab: Tabs) -> None:
    """`/` goes to the search, typing narrows the list, Escape shows all again, a state is chosen by its button."""
    page = tab(serve()).go("/builds/large")
    page.keyboard.press("/")
    page.keyboard.type("group-7")
    assert page.inner_text("#matching") == f"100 of {COUNT} steps"
    page.keyboard.press("Escape")
    assert page.inner_text("#matching") == f"{COUNT} steps"
    page.click("label.chip.running")
    assert page.inner_text("#matching") == f"1 of {COUNT} steps"
    assert page.locator("#rows tr:visible").count() == 1


def test_the_time_axis_zooms(serve: Serve, large: Any, tab: Tabs) -> None:
    """Zoomed in, a step's bar is wider and the axis shows nearer times; an update leaves it so."""
    page = tab(serve()).go("/builds/large")
    wide = "document.querySelector('#s500 .lane').getBoundingClientRect().width"
    before = page.evaluate(wide)
    labels = page.text_content(".axis-labels")
    page.click("[aria-label='Show less time']")
    page.click("[aria-label='Show less time']")
    assert page.evaluate(wide) == pytest.approx(4 * before, rel=0.01)
    assert page.text_content(".axis-labels") != labels
    large.add("step_progress", phase="group-5", step="0500-package", message="seen")
    page.wait_for_function("() => document.querySelector('.message')?.textContent === 'seen'")
    assert page.evaluate(wide) == pytest.approx(4 * before, rel=0.01)
    page.click("[aria-label='Show the whole run']")
    assert page.evaluate(wide) == pytest.approx(before, rel=0.01)


def test_a_log_is_followed_in_colour(serve: Serve, lfs: Any, tab: Tabs, tmp_path: Path) -> None:
    """A log's end is shown and followed; its colours are colours, its markup is text, its beginning can be had."""
    log = tmp_path / "gcc.log"
    log.write_text("first line\n" + "padding " * 8 + "\n" + "line\n" * 40_000 + "\x1b[1;31merror:\x1b[0m <b>bold</b>\n")
    lfs.add("step_started", phase="chapter-5", step="502-gcc", log=str(log))
    page = tab(serve()).go("/builds/lfs/steps/chapter-5/502-gcc")
    page.wait_for_function("() => document.querySelector('.log').textContent.includes('<b>bold</b>')")
    assert page.inner_text(".log .a1.f1") == "error:"
    assert page.locator(".log b").count() == 0
    assert "first line" not in page.text_content(".log")
    with log.open("a") as file:
        file.write("<script>alert(1)</script>\n")
    page.wait_for_function("() => document.querySelector('.log').textContent.endsWith('<script>alert(1)</script>\\n')")
    assert page.evaluate("(l => l.scrollTop + l.clientHeight >= l.scrollHeight - 2)(document.querySelector('.log'))")
    while page.is_enabled("button:has-text('Earlier')"):
        size = len(page.text_content(".log"))
        page.click("button:has-text('Earlier')")
        page.wait_for_function("size => document.querySelector('.log').textContent.length > size", arg=size)
    assert page.text_content(".log").startswith("first line\n")
    assert page.get_attribute("button:has-text('Follow')", "aria-pressed") == "false"
