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


@pytest.fixture(scope="module")
def large(run_file_of_all: Callable[..., Any]) -> Any:
    """A run of 1,200 steps of which 500 are done and one runs."""
    run = run_file_of_all("large", clock=time.time() - 5100)
    steps = [{"phase": f"group-{n // 100}", "step": f"{n:04}-package", "expected_seconds": 10.0} for n in range(COUNT)]
    for begin in range(0, COUNT, 300):
        run.add("plan", after=0.0, steps=steps[begin : begin + 300], continues=begin > 0)
    for each in steps[:500]:
        run.step(each["phase"], each["step"], seconds=9.0)
    run.add("step_started", phase=steps[500]["phase"], step=steps[500]["step"])
    return run


@pytest.fixture(scope="module")
def served(large: Any, serve_all: Serve) -> Any:
    """An exporter of that run."""
    return serve_all()


def test_steps_are_found_by_keyboard(served: Any, tab: Tabs) -> None:
    """`/` goes to the search, typing narrows the list, Escape shows all again, a state is chosen by its button."""
    page = tab(served).go("/builds/large")
    page.wait_for_selector("[aria-rowcount]")
    page.keyboard.press("/")
    page.keyboard.type("group-7")
    assert page.inner_text("#matching") == f"100 of {COUNT:,} steps"
    page.keyboard.press("Escape")
    assert page.inner_text("#matching") == f"{COUNT:,} steps"
    page.click("label.chip.running")
    assert page.inner_text("#matching") == f"1 of {COUNT:,} steps"
    assert page.locator("#rows tr:not(.space)").count() == 1


def test_the_time_axis_zooms(served: Any, large: Any, tab: Tabs) -> None:
    """Zoomed in, a step's bar is wider and the axis shows nearer times; an update leaves it so."""
    page = tab(served).go("/builds/large")
    page.wait_for_selector("[aria-rowcount]")
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


def test_only_the_steps_in_sight_are_drawn(served: Any, large: Any, tab: Tabs) -> None:
    """Of 1,200 steps the browser draws those in sight; they are scrolled, searched and ordered, and kept up to date."""
    page = tab(served).go("/builds/large")
    page.wait_for_selector("[aria-rowcount='1201']")
    assert page.locator("#rows tr:not(.space)").count() < 120
    assert page.is_visible("#s500"), "the list is scrolled to what runs"
    page.evaluate("document.querySelector('.scroll').scrollTop = 1e9")
    page.wait_for_selector(f"#s{COUNT - 1}")
    assert page.get_attribute(f"#s{COUNT - 1}", "aria-rowindex") == str(COUNT + 1)
    page.fill("#filters input[type=search]", "0111-")
    assert page.inner_text("#matching") == f"1 of {COUNT:,} steps"
    page.fill("#filters input[type=search]", "group-4")
    page.evaluate("window.kept = document.getElementById('s450')")
    large.add("step_finished", phase="group-5", step="0500-package", status="succeeded")
    large.add("step_started", phase="group-5", step="0501-package")
    page.wait_for_function("() => document.querySelector('main').innerText.includes('0501-package')")
    assert page.evaluate("window.kept.isConnected"), "what is over is not drawn again"
    page.fill("#filters input[type=search]", "")
    page.click("text=Longest first")
    assert page.locator("#rows tr:not(.space)").first.get_attribute("id") != "s0"
    page.click("text=Longest first")
    page.click("label.chip.running")
    page.wait_for_selector("#s501[data-state=running]")


def test_a_log_is_followed_in_colour(serve: Serve, lfs: Any, tab: Tabs, tmp_path: Path) -> None:
    """A log's end is followed in colour, its markup is text; its beginning can be had; each attempt has its own."""
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
    lfs.add("step_finished", phase="chapter-5", step="502-gcc", status="failed")
    log.write_text("second attempt\n")
    lfs.add("step_started", phase="chapter-5", step="502-gcc", log=str(log))
    page.wait_for_function("() => document.querySelector('.log').textContent === 'second attempt\\n'")
    with log.open("a") as file:
        file.write("goes on\n")
    page.wait_for_function("() => document.querySelector('.log').textContent.endsWith('goes on\\n')")
