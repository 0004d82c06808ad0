"""The pages: what they say of builds, and that nothing from a build can be more than text on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from build_exporter.collectors.host.cpu import Cpu
from build_exporter.collectors.host.load import Load
from build_exporter.collectors.runners import BackgroundRunner
from build_exporter.failures import card
from build_exporter.queries.context import Context
from build_exporter.web.page import templates
from build_exporter.web.page.host import host_lines
from build_exporter.web.page.rows import Rows
from build_exporter.web.page.templates import error_lines, more_evidence

RunFiles = Callable[..., Any]
Pages = Callable[..., Any]

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
    "address": "javascript:alert(1)//../..?x#y",
}


def fill(run: Any, text: str) -> None:
    """Put a text everywhere a build can put one."""
    run.add("build_started", target=text, book=text, source=text)
    names: dict[str, Any] = {"phase": text, "step": text}
    plan = [{**names, "package": text, "version": text}, {"phase": text, "step": "next", "after": [text]}]
    run.add("plan", steps=plan, milestones=[{"name": text, "step": text}])
    run.add("step_started", **names, log=text)
    run.add("step_progress", **names, message=text)
    run.add("step_finished", **names, status="failed", error_class=text, message=text)
    run.add("step_progress", **names, warnings=2, warning_flags={text[:64]: 2})
    run.add("milestone_reached", milestone=text)
    run.add("tests_reported", **names, suite=text, passed=1, failed=1)
    lacking = {"phase": text, "step": "lacking", "sources": [{"file": text}]}
    run.add("plan", steps=[lacking], continues=True)
    run.add("sources_verified", missing=1, bad=[{"file": text, "state": "missing", "detail": text}])
    run.add("toolchain", host=text, target=text, kernel=text, tools=[{"tool": text, "version": text, "role": "host"}])
    run.add("step_started", phase=f"2 {text}", step=text)
    run.add("note", message=text, level=text)


def test_lists_that_are_kept_are_those_that_a_first_look_shows(run_file: RunFiles, page: Pages) -> None:
    """Whoever has watched a build from its start sees what somebody sees who comes now, with any filter."""
    run = run_file("b")
    steps = [{"phase": f"p{n % 3}", "step": f"<{n}>", "expected_seconds": 90.0 * n} for n in range(9)]
    running = {"phase": "p0", "step": "<0>"}
    tests = {"suite": "s", "passed": 3, "failed": 1}
    happens: list[tuple[str, dict[str, Any]]] = [
        ("plan", {"steps": steps}),
        ("step_started", running),
        ("step_progress", running | {"ratio": 0.5}),
        ("tests_reported", running | tests),
        ("step_finished", running | {"status": "succeeded", "warnings": 2}),
        ("step_progress", running | {"warnings": 5, "log_bytes": 9}),
        ("step_started", {"phase": "p1", "step": "<1>"}),
        ("plan", {"steps": [{"phase": "p3", "step": "new"}], "continues": True}),
        ("step_finished", {"phase": "p1", "step": "<1>", "status": "failed", "message": "no"}),
        ("step_started", {"phase": "p1", "step": "<1>"}),
        ("build_finished", {"status": "failed"}),
    ]
    for event, fields in happens:
        run.add(event, 60.0, **fields)
        for query in ("live", "state=running", "q=%3C"):
            shown = page(f"/builds/b?{query}").html
            templates._made.clear()
            assert page(f"/builds/b?{query}").html == shown


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("path", ["/", "/builds/plain", "/builds/plain/runs", "/alerts", "step"])
def test_text_of_a_build_is_only_text(run_file: RunFiles, page: Pages, kind: str, path: str) -> None:
    """Whatever a log or a name holds, a page has the elements and attributes it has for a harmless one."""

    def shown(text: str) -> Any:
        run = run_file("plain")
        fill(run, text)
        found = page(next(link for link in page("/").links if "/steps/" in link) if path == "step" else path)
        run.path.unlink()
        run.path.parent.rmdir()
        page("/")
        return found

    harmless, hostile = shown("harmless"), shown(HOSTILE[kind])
    assert hostile.elements == harmless.elements
    assert hostile.attributes == harmless.attributes
    assert "style" not in hostile.elements + list(hostile.attributes)
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in hostile.links)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", hostile.text)


def test_an_empty_journal_shows_three_ways_to_begin(page: Pages, journal: Any) -> None:
    """Before the first build the page says where the journal is and how to begin: wrap, hook, watch."""
    words = page().words
    assert str(journal) in words
    for way in ("build-exporter run --build", "be_start", "build-exporter serve --watch"):
        assert way in words


def test_builds_that_need_a_look_come_first(run_file: RunFiles, page: Pages) -> None:
    """A failed build stands above one that runs, that above one that succeeded, whichever spoke last."""
    run_file("good").step("p", "s")
    run_file("good").add("build_finished", status="succeeded")
    run_file("bad", clock=1.7e9).step("p", "broken", status="failed", message="cannot find -lz")
    run_file("going", clock=1.7801e9 - 5).add("step_started", phase="p", step="s")
    words = page().words
    assert words.index("cannot find -lz") < words.index("going") < words.index("good")
    assert words.index("bad") < words.index("cannot find -lz")


def test_what_a_page_says_of_a_build(run_file: RunFiles, page: Pages) -> None:
    """State, share, steps, what runs, what failed and why, how many wait: all on the build's page."""
    run = run_file("lfs")
    run.add("build_started", target="x86_64-lfs-linux-gnu", book="12.4")
    steps = [{"phase": "chapter-5", "step": f"50{n}", "expected_seconds": 100.0} for n in range(1, 5)]
    steps[3]["after"] = ["502"]
    run.add("plan", steps=steps)
    run.step("chapter-5", "501", seconds=100.0)
    run.step("chapter-5", "502", status="failed", error_class="disk-full", message="No space left <b>&", exit_code=2)
    run.add("step_started", phase="chapter-5", step="503")
    words = page("/builds/lfs").words
    for said in ("lfs", "Failed", "x86_64-lfs-linux-gnu", "12.4", "1 of 4", "disk full", "No space left <b>&",
                 "exit code 2", "1 step blocked", "503", "1 running, 1 failed"):  # fmt: skip
        assert said in words, said
    # at 1.7801e9, long after its time was up, the running step seems all but done
    assert "49.9 %" in words
    assert words.index("No space left") < words.index("49.9 %"), "what needs a look comes first"


def test_the_end_is_given_with_its_band_and_basis(run_file: RunFiles, page: Pages) -> None:
    """Half of two equal steps done in 1000 s: about 1000 s left, an earlier and a later time, and why."""
    run = run_file("lfs", clock=1.7801e9 - 1001)
    run.add("plan", after=0.0, steps=[{"phase": "p", "step": s, "expected_seconds": 1000.0} for s in "ab"])
    run.add("step_started", after=0.0, phase="p", step="a")
    run.add("step_finished", after=1000.0, phase="p", step="a", status="succeeded")
    run.add("step_started", after=1.0, phase="p", step="b")
    words = page("/builds/lfs").words
    assert re.search(
        r"1[5-8] min \d\d s left ready [\w-]+ \d\d:\d\d, between [\w-]+ \d\d:\d\d and [\w-]+ \d\d:\d\d", words
    )
    assert re.search(r"from [^.]*\b1 finished step", words)


def test_the_page_says_how_good_estimates_were(run_file: RunFiles, page: Pages) -> None:
    """Of three equal runs the last two had one before them: half way the error of both was nil, within the band."""
    for day in (4, 3, 2, 1):
        run = run_file("lfs", f"2026010{5 - day}T000000Z", clock=1.7801e9 - 86_400 * day)
        run.add("build_started", after=0.0)
        for step in "abcd" if day > 1 else "a":
            run.add("step_started", after=0.0, phase="p", step=step)
            run.add("step_finished", after=1000.0, phase="p", step=step, status="succeeded")
        if day > 1:
            run.add("build_finished", after=0.0, status="succeeded")
    pages = [page("/builds/lfs").words for _ in range(3)]
    assert "half way through the last run it was wrong by 0.0 %" in pages[0], "one run is scored a time"
    found = "half way through the last 2 runs it was wrong by 0.0 % of the whole time"
    assert f"{found}, and the true end was in the band 2 of 2 times" in pages[-1]


def test_a_step_beyond_its_time_is_marked_overdue(run_file: RunFiles, page: Pages) -> None:
    """A running step far beyond its expected time bears the word, on top, beside the step and in the list."""
    run = run_file("lfs", clock=1.7801e9 - 40_000)
    run.add("plan", steps=[{"phase": "p", "step": "slow", "expected_seconds": 100.0}])
    run.add("step_started", phase="p", step="slow")
    assert page("/builds/lfs").words.lower().count("overdue") == 3
    assert "overdue" in page("/builds/lfs/steps/p/slow").words


def test_a_step_whose_name_holds_a_slash_has_its_page(run_file: RunFiles, page: Pages) -> None:
    """A link to `a/b?c#d` of phase `x/y` leads to that step's page, with its figures."""
    run = run_file("lfs")
    run.step("x/y", "a/b?c#d", seconds=61.0, cpu_seconds=122.0, max_rss_bytes=5 << 20)
    link = next(link for link in page("/builds/lfs").links if "/steps/" in link)
    words = page(link).words
    assert "a/b?c#d" in words
    for said in ("1 min 01 s", "2 min 02 s", "2.0 cores on average", "5.0 MiB"):
        assert said in words


def test_what_is_not_there_is_said_so(run_file: RunFiles, page: Pages) -> None:
    """A build or step that is not there gives a page with status 404 and a way back."""
    run = run_file("lfs")
    run.step("p", "s")
    comes = "It shows here as soon as it begins."
    assert [comes in page(path, 404).text for path in ("/builds/none", "/builds/lfs/steps/p/none")] == [True, True]
    run.add("build_finished", status="succeeded")
    assert [comes in page(path, 404).text for path in ("/builds/none", "/builds/lfs/steps/p/none")] == [True, False]
    for path in ("/builds/none", "/builds/none/runs", "/builds/none/rows", "/builds/lfs/steps/p/none",
                 "/builds/lfs/steps/only", "/static/none.css", "/icon/none.svg"):  # fmt: skip
        assert "/" in page(path, 404).links
    assert page("/builds/lfs?state=nonsense", 400)


def test_runs_before_are_shown_with_what_they_took(run_file: RunFiles, site: Any) -> None:
    """Each earlier run has a row with its result and how long it took."""
    earlier = run_file("lfs", run="20250101T000000Z")
    earlier.step("p", "s", seconds=3600.0)
    earlier.add("build_finished", status="succeeded")
    run_file("lfs").step("p", "s", status="failed")
    site.monitor.poll()
    list(site.monitor.read_history())
    words = site.page("/builds/lfs/runs").words
    assert "2 runs" in words
    assert re.search("Succeeded ?1 h 00 min", words)
    assert "Failed" in words


def test_steps_are_filtered_without_a_script(run_file: RunFiles, page: Pages) -> None:
    """The form's address shows the steps of a state, or with a text in the name, and no other."""
    run = run_file("lfs")
    run.step("p", "gcc")
    run.step("p", "bash", status="failed")

    def visible(path: str) -> list[str]:
        return re.findall(r'href="/builds/lfs/steps/p/(\w+)" title', page(path).html.partition('id="rows"')[2])

    assert visible("/builds/lfs") == ["gcc", "bash"]
    assert visible("/builds/lfs?state=failed") == ["bash"]
    assert visible("/builds/lfs?q=GC") == ["gcc"]


def test_a_long_plan_comes_in_parts_without_a_script(run_file: RunFiles, page: Pages) -> None:
    """Of 400 steps the page has 300 and a link to the others; the step that runs is among those shown first."""
    run = run_file("lfs")
    run.add("plan", steps=[{"phase": "p", "step": f"s{n}"} for n in range(400)])
    run.add("step_started", phase="p", step="s250")

    def shown(path: str) -> list[str]:
        return re.findall(r'<tr role="row" class="\w+" id="s(\d+)"', page(path).html)

    assert shown("/builds/lfs") == [str(n) for n in range(100, 400)]
    assert "#s250" in page("/builds/lfs").links
    (before,) = [link for link in page("/builds/lfs").links if link.startswith("?begin=")]
    assert shown("/builds/lfs" + before.partition("#")[0]) == [str(n) for n in range(300)]
    assert shown("/builds/lfs?begin=10000&q=s25") == ["25", *(str(n) for n in range(250, 260))]
    run.add("step_started", phase="p", step="s390")
    run.add("step_finished", phase="p", step="s390", status="failed")
    assert "#s390" in page("/builds/lfs").links
    assert "#s250" in page("/builds/lfs?q=s2").links, "with the failed step outside the filter"


def test_the_line_that_says_why_stands_out_once(run_file: RunFiles, site: Any) -> None:
    """The first error is marked where it stands in the log; evidence that the log's lines show is not repeated."""
    run_file("lfs").step("p", "s", status="failed", exit_code=2, message="a.c:7:3: error: no foo")
    site.get("/")
    context = site.service.context()
    found = card(context.build("lfs")[1], context.build("lfs")[1].steps["p", "s"])
    lines = ("cc -c a.c", "src/a.c:7:3: error: no foo", "make: *** Error 2")
    evidence = ("compiler: src/a.c:7:3: error: no foo", "exit code 2", "make: *** Error 2", "7 MiB left")
    found = msgspec.structs.replace(found, context=lines, evidence=evidence)
    assert error_lines(found) == [(lines[0], False), (lines[1], True), (lines[2], False)]
    assert more_evidence(found) == ["7 MiB left"]
    assert error_lines(msgspec.structs.replace(found, context=lines[:1])) == [(found.reason, True), (lines[0], False)]


def test_only_rows_that_changed_are_sent_again(run_file: RunFiles, site: Any) -> None:
    """Who asks with the cursor of the page gets the rows that changed since; with a foreign one all of them."""
    run = run_file("lfs")
    run.add("plan", steps=[{"phase": "p", "step": f"s{n}"} for n in range(5)])
    run.step("p", "s0")

    def rows(since: str) -> tuple[list[str], str, bool]:
        found = json.loads(site.get(f"/builds/lfs/rows?since={since}")[2])
        return [row[3] for row in found["rows"]], found["cursor"], found["whole"]

    found, cursor, whole = rows("")
    assert (found, whole) == (["s0", "s1", "s2", "s3", "s4"], True)
    assert rows(cursor)[0] == []
    run.add("step_started", phase="p", step="s1")
    run.add("step_finished", phase="p", step="s1", status="succeeded")
    changed, after, whole = rows(cursor)
    assert changed == ["s1"]
    assert not whole
    assert rows(after)[0] == []
    assert rows("elsewhere.7")[2]


def test_times_to_come_follow_a_clock_that_is_set_back(run_file: RunFiles, site: Any) -> None:
    """Where the clock goes back by an hour, the planned times are worked out at once, not after that hour."""
    now = site.service.context().now
    run = run_file("lfs", clock=now - 60)
    run.add("plan", steps=[{"phase": "p", "step": step, "expected_seconds": 90.0} for step in "as"])
    run.add("step_started", phase="p", step="a")
    site.get("/")
    builds, rows = site.service.context().builds, Rows()
    for then in (now, now - 3600):
        context = Context(builds, then)
        rows.update(context, context.build("lfs")[1])
        assert rows.planned["p", "s"][0] == pytest.approx(then, abs=120)


def test_the_machines_load_is_shown(site: Any) -> None:
    """The load of the last minute stands beside the number of processors that it is to be compared with."""
    runners = [BackgroundRunner(Load()), BackgroundRunner(Cpu())]
    for each in runners:
        each.sample()
    (line,) = [each for each in host_lines(runners, "/", None) if each.name == "Load"]
    assert re.fullmatch(r"\d+\.\d on \d+ cores?", line.value)


def test_secrets_in_a_failure_are_masked(run_file: RunFiles, page: Pages) -> None:
    """A password in a failing command's message is on no page."""
    message = "curl https://user:hunter2@host/x failed\nAuthorization: Bearer abcdef\nAPI_KEY=s3cr3t"
    run_file("lfs").step("p", "s", status="failed", message=message)
    for path in ("/", "/builds/lfs", "/builds/lfs/steps/p/s", "/alerts"):
        text = page(path).text
        assert "curl https://" in text
        for secret in ("hunter2", "abcdef", "s3cr3t"):
            assert secret not in text


def test_the_list_of_builds_is_bounded(run_file: RunFiles, page: Pages) -> None:
    """A hundred builds, one with hundreds of running and of failed steps, make a page that can still be read."""
    mad = run_file("mad", clock=1.7800e9)
    for number in range(300):
        mad.step("p", f"failed-{number}", status="failed", message="m" * 10_000)
        mad.add("step_started", phase="p", step=f"running-{number}")
    for number in range(99):
        run_file(f"build-{number}").add("build_started")
    shown = page()
    assert shown.elements.count("article") == 12
    assert "build-98" in shown.words
    assert len(shown.html) < 200_000


def test_pages_run_and_load_nothing_but_the_exporters_own(site: Any) -> None:
    """The policy of each page allows its own scripts, style and stream alone; files come with an entity tag."""
    status, headers, body = site.get("/")
    assert status == 200
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["content-security-policy"]
    assert b"style=" not in body
    status, headers, body = site.get("/static/page.css")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/css")
    tag = headers["etag"]
    assert tag.startswith("W/")
    known = (tag, tag.removeprefix("W/"), f'"other", {tag}', "*", '"other"', "")
    assert [site.get("/static/page.css", if_none_match=each)[0] for each in known] == [304, 304, 304, 304, 200, 200]
    assert site.get("/icon/failed.svg")[1]["content-type"].startswith("image/svg+xml")


def test_the_runbook_is_a_page_with_an_anchor_for_each_alert(page: Pages, repository: Any) -> None:
    """A link of an alert, `/runbook#buildfailed`, leads to that alert's heading; every heading has its anchor."""
    html = page("/runbook").html
    titles = re.findall(r"^## (\w+)$", (repository / "alertmanager" / "runbook.md").read_text(), re.MULTILINE)
    assert "BuildFailed" in titles
    for title in titles:
        assert f'<h2 id="{title.lower()}"><a id="{title}"></a>{title}</h2>' in html


def test_the_page_of_alerts_counts_and_names_each_once(run_file: RunFiles, page: Pages) -> None:
    """A failed step with an alert is no row beside it, another is; the heading of what is over counts that alone."""
    run = run_file("lfs", clock=1.7801e9 - 20)
    for step in ("first", "second"):
        run.step("p", step, seconds=1.0, status="failed")
    began = run.clock - 60
    for status, more in (("firing", {}), ("resolved", {"ends": run.clock})):
        run.add("alert", name="BuildStalled", status=status, severity="warning", starts=began, **more)
    words = page("/alerts").words
    assert "1 firing" in words
    looks, over = words.partition("Also worth a look")[2].split("Over")
    assert ("second" in looks, "first" in looks) == (True, False)
    assert over.startswith("1 alert,")
