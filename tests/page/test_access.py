"""Pages for everybody: without scripts, without a mouse, read aloud, in every width, with hostile text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., Any]
Tabs = Callable[..., Any]
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m' + "x" * 150


@pytest.fixture(scope="module")
def served(run_file_of_all: Callable[..., Any], serve_all: Serve, begin: Callable[..., Any]) -> Any:
    """An exporter of a build that runs, one that failed, one that is over and one full of hostile text."""
    run_file = run_file_of_all
    begin(run_file)
    run_file("bad").step("p", "s", status="failed", exit_code=2, message="cannot find -lz\nmake: *** Error 2")
    done = run_file("done")
    done.step("p", "s", warnings=3)
    done.add("build_finished", status="succeeded")
    evil = run_file("evil")
    evil.add("build_started", target=HOSTILE, book=HOSTILE)
    evil.add("plan", steps=[{"phase": HOSTILE, "step": HOSTILE}], milestones=[{"name": HOSTILE, "step": HOSTILE}])
    evil.add("tests_reported", phase=HOSTILE, step=HOSTILE, suite=HOSTILE, passed=1, failed=1)
    evil.step(HOSTILE, HOSTILE, status="failed", message=HOSTILE)
    evil.add("note", message=HOSTILE)
    return serve_all()


PAGES = ("/", "/builds/lfs", "/builds/bad", "/builds/done", "/builds/evil", "/builds/lfs/runs", "/alerts", "/runbook",
         "/builds/lfs/steps/chapter-5/502-gcc", "/builds/bad/steps/p/s", "/builds/none")  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold(served: Any, tab: Tabs, axe: Path, scheme: str) -> None:
    """axe finds nothing on any page: contrast, names, roles, landmarks, order of headings."""
    opened = tab(served, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    found = {}
    for path in PAGES:
        page = opened.go(path)
        page.wait_for_selector("#link[data-mode]" if path not in ("/runbook", "/builds/none") else "#main")
        page.add_script_tag(path=str(axe))
        result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        faults = [f"{rule['id']}: {node['html'][:200]}" for rule in result["violations"] for node in rule["nodes"]]
        if faults:
            found[path] = faults
    opened.errors = [error for error in opened.errors if "404" not in error]
    assert found == {}


def test_every_page_fits_every_width(served: Any, tab: Tabs) -> None:
    """Nothing runs out of the window, from a small phone to 4K, whatever a build calls itself."""
    opened = tab(served)
    for path in PAGES:
        page = opened.go(path)
        for width in (320, 390, 768, 1280, 1920, 3840):
            page.set_viewport_size({"width": width, "height": 900})
            assert opened.fits(), (path, width)
    opened.errors = [error for error in opened.errors if "404" not in error]


def test_pages_are_good_without_scripts(served: Any, tab: Tabs) -> None:
    """Without scripts the pages say the same: figures, steps, failures; and the form filters the steps."""
    page = tab(served, java_script_enabled=False).go("/builds/bad")
    for words in ("cannot find -lz", "exit code 2", "Failed"):
        assert words in page.inner_text("#main")
    page = tab(served, java_script_enabled=False).go("/builds/lfs")
    assert page.locator("#rows tr:visible").count() == 4
    page.fill("input[type=search]", "GCC")
    page.click("text=Show")
    assert page.locator("#rows tr:visible").count() == 1
    assert "502-gcc" in page.inner_text("#rows")


def test_hostile_text_runs_nothing(served: Any, tab: Tabs) -> None:
    """Text of a build neither runs nor loads anything in a real browser; the page continues being updated."""
    opened = tab(served)
    for path in ("/", "/builds/evil", "/alerts"):
        page = opened.go(path)
        page.wait_for_selector("#link[data-mode]")
        assert page.locator("main script, main img").count() == 0
        assert "<script>alert(1)</script>" in page.inner_text("#main")
    page.click("main a[href*='/steps/']")
    assert "<script>alert(1)</script>" in page.inner_text("h1")


def test_pages_are_used_by_keyboard(served: Any, tab: Tabs) -> None:
    """The first stop leads past the head to the content; each stop is visible."""
    page = tab(served).go("/builds/lfs")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
