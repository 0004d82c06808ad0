"""The page: what it says of builds, and that nothing told by a build can be more than text on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from build_exporter.monitor import Monitor
from build_exporter.web.page import render_page

RunFiles = Callable[..., Any]

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "attribute": "' onmouseover='alert(1)",
    "style": "</style><script>alert(1)</script>",
    "comment": "--><script>alert(1)</script><!--",
    "entity": "&lt;script&gt;&#60;b&#62;",
    "escapes": "\x1b[2J\x1b]0;title\x07\x9b31m",
    "lines": "one\ntwo\r\nthree\u2028four",
    "direction": "\u202eevil\u202c",
    "template": "{{7*7}}${7*7}%s{0}",
}
VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """What a browser makes of the page: elements, their attributes, and text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


@pytest.fixture
def page(journal: Any) -> Callable[[], Page]:
    """Read the journal and render the page as at one fixed time."""

    def render() -> Page:
        monitor = Monitor(str(journal), lambda: 1.7801e9)
        monitor.poll()
        page = Page(render_page(monitor, "/metrics"))
        assert page.open == []
        return page

    return render


def emit(run: Any, text: str) -> None:
    """Put a text everywhere a build can put one."""
    run.add("build_started", target=text, book=text, source=text)
    names: dict[str, Any] = {"phase": text, "step": text}
    plan = [{**names, "package": text, "version": text}, {"phase": text, "step": "next", "after": [text]}]
    run.add("plan", steps=plan, milestones=[{"name": text, "step": text}])
    run.add("step_started", **names, log=text)
    run.add("step_progress", **names, message=text)
    run.add("step_finished", **names, status="failed", error_class=text, message=text)
    run.add("milestone_reached", milestone=text)
    run.add("note", message=text, level=text)
    run.add("tests_reported", **names, suite=text, passed=1, failed=1)
    lacking = {"phase": text, "step": "lacking", "sources": [{"file": text}]}
    run.add("plan", steps=[lacking], continues=True)
    run.add("sources_verified", missing=1, bad=[{"file": text, "state": "missing", "detail": text}])
    run.add("step_started", phase=f"2 {text}", step=text)


@pytest.mark.parametrize("kind", HOSTILE)
def test_text_of_a_build_is_only_text(run_file: RunFiles, page: Callable[[], Page], kind: str) -> None:
    """Whatever a log or a name holds, the page has the elements and attributes it has for a harmless one."""
    run = run_file("plain")
    emit(run, "harmless")
    harmless = page()
    run.path.unlink()
    run.path.parent.rmdir()
    emit(run_file("plain"), HOSTILE[kind])
    hostile = page()
    assert hostile.elements == harmless.elements
    assert hostile.attributes == harmless.attributes
    assert "script" not in hostile.elements
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", hostile.text)


def test_an_empty_journal_says_what_to_do(page: Callable[[], Page], journal: Any) -> None:
    """Before the first build the page says where the journal is and how to begin."""
    text = page().text
    assert str(journal) in text
    assert "build-exporter run --build" in text


def test_builds_side_by_side(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """Each build has its own section, the one that told something last on top."""
    for number, build in enumerate(("old", "new", "middle")):
        run_file(build, clock=1.78e9 + (0, 200, 100)[number]).add("build_started")
    shown = page()
    assert shown.elements.count("h2") == 3
    assert shown.text.index("new") < shown.text.index("middle") < shown.text.index("old")


def test_what_the_page_says_of_a_build(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """State, share, steps, what runs, what failed and why, how many wait: all on the page."""
    run = run_file("lfs")
    run.add("build_started", target="x86_64-lfs-linux-gnu", book="12.4")
    steps = [{"phase": "chapter-5", "step": f"50{n}", "expected_seconds": 100.0} for n in range(1, 5)]
    steps[3]["after"] = ["502"]
    run.add("plan", steps=steps)
    run.step("chapter-5", "501", seconds=100.0)
    run.step("chapter-5", "502", status="failed", error_class="disk-full", message="No space left <b>&")
    run.add("step_started", phase="chapter-5", step="503")
    text = page().text
    for said in ("lfs", "failed", "x86_64-lfs-linux-gnu", "12.4", "1 of 4 steps", "disk-full", "No space left <b>&",
                 "1 steps wait", "503", "running"):  # fmt: skip
        assert said in text, said
    # at 1.7801e9, long after its time was up, the running step seems all but done
    assert "49.9 %" in text


def test_secrets_in_a_failure_are_masked(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """A password in a failing command's message is on no page."""
    run = run_file("lfs")
    message = "curl https://user:hunter2@host/x failed\nAuthorization: Bearer abcdef\nAPI_KEY=s3cr3t"
    run.step("p", "s", status="failed", message=message)
    text = page().text
    assert "curl https://" in text
    for secret in ("hunter2", "abcdef", "s3cr3t"):
        assert secret not in text


def test_a_large_build_is_rendered_quickly(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """A build of thousands of steps makes a page of a few rows."""
    run = run_file("large")
    run.add("build_started")
    for line in range(10):
        steps = [{"phase": f"p{line}", "step": f"{line}-{n}", "after": [f"{line}-{n - 1}"]} for n in range(500)]
        run.add("plan", steps=steps, continues=line > 0)
    for number in range(300):
        run.step("p0", f"0-{number}", seconds=1.0)
    run.step("p0", "0-300", status="failed")
    shown = page()
    assert "199 steps wait" in shown.text
    assert len(shown.elements) < 2000


def test_the_page_is_bounded(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """A hundred builds, one with hundreds of running and of failed steps, make a page that can still be read."""
    mad = run_file("mad", clock=1.7800e9)
    for number in range(300):
        mad.step("p", f"failed-{number}", status="failed", message="m" * 10_000)
        mad.add("step_started", phase="p", step=f"running-{number}")
    for number in range(99):
        run_file(f"build-{number}").add("build_started")
    shown = page()
    assert shown.elements.count("section") == 50
    for said in ("and 50 more builds", "and 250 more failed steps", "and 250 more running steps"):
        assert said in shown.text
    assert len(shown.text) < 100_000


def test_what_deserves_a_look_stands_beside_the_steps(run_file: RunFiles, page: Callable[[], Page]) -> None:
    """Tests that failed or gave nothing, warnings, and files that a step to come will lack."""
    run = run_file("lfs")
    steps = [{"phase": "p", "step": "sed"}, {"phase": "p", "step": "gcc", "sources": [{"file": "gcc.tar.xz"}]}]
    run.add("plan", steps=steps)
    run.add("sources_verified", missing=1, bad=[{"file": "gcc.tar.xz", "state": "missing"}])
    run.add("step_started", phase="p", step="sed")
    run.add("tests_reported", phase="p", step="sed", suite="GNU sed", passed=209, failed=1, errors=1, skipped=50)
    run.add("tests_reported", phase="p", step="sed", suite="make check", passed=0, failed=0)
    run.add("step_progress", phase="p", step="sed", warnings=2)
    text = page().text
    assert "209 of 261 tests passed, 2 failed, 2 warnings" in text
    assert "p / sed, GNU sed: 2 of 261 tests failed" in text
    assert "p / sed, make check: no result" in text
    assert "p / gcc needs gcc.tar.xz: missing" in text
    run.add("tests_reported", phase="p", step="sed", suite="GNU sed", passed=211, failed=0, skipped=50)
    assert "tests failed" not in page().text
