"""A real browser on real pages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
TOOLS = Path(__file__).parent / "node_modules"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; its driver runs an event loop in this thread, so it ends with the module."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (pip install playwright)")
    if CHROMIUM is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    with api.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


class Tab:
    """A page in the browser, with what went wrong in it."""

    def __init__(self, page: Any, served: Any) -> None:
        self.page, self.served = page, served
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))
        page.on("console", self._on_console)

    def _on_console(self, message: Any) -> None:
        # a connection that the exporter's end breaks is an error to the browser, not to the page
        if message.type == "error" and "net::" not in message.text and "WebSocket" not in message.text:
            self.errors.append(message.text)

    def go(self, path: str) -> Any:
        """Open a page of the exporter."""
        self.page.goto(self.served.url + path)
        return self.page

    def fits(self) -> bool:
        """Whether nothing is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture(scope="session")
def axe() -> Path:
    """The accessibility rules."""
    path = TOOLS / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("no axe-core here (npm ci --prefix tests/page)")
    return path


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Open tabs; what went wrong in one fails the test at its end."""
    with ExitStack() as stack:
        opened: list[Tab] = []

        def new(served: Any, width: int = 1280, height: int = 800, **options: Any) -> Tab:
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            context.set_default_timeout(20_000)
            opened.append(Tab(context.new_page(), served))
            return opened[-1]

        yield new
        assert [error for each in opened for error in each.errors] == []


@pytest.fixture
def lfs(run_file: Callable[..., Any]) -> Any:
    """A run of a plan of four steps in two phases, of which the first is done and the second runs."""
    return begin_lfs(run_file)


@pytest.fixture(scope="session")
def begin() -> Callable[..., Any]:
    """Write the run of the fixture `lfs` into another journal."""
    return begin_lfs


def begin_lfs(run_file: Callable[..., Any]) -> Any:
    """Write the run of the fixture `lfs`."""
    run = run_file("lfs", clock=time.time() - 700)
    run.add("build_started", target="x86_64-lfs-linux-gnu", book="12.4")
    steps = [("chapter-5", "501-binutils"), ("chapter-5", "502-gcc"), ("chapter-6", "601-m4"), ("chapter-6", "602-sed")]
    plan = [{"phase": phase, "step": step, "expected_seconds": 600.0} for phase, step in steps]
    run.add("plan", steps=plan, milestones=[{"name": "Cross toolchain", "phase": "chapter-5"}])
    run.step("chapter-5", "501-binutils", seconds=500.0)
    run.add("step_started", phase="chapter-5", step="502-gcc")
    return run
