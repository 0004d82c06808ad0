"""Use and feedback as metrics: requests and their times, pages opened, commands used, ratings given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_exporter.journal.command_uses import count_command


def test_requests_are_timed_and_pages_counted(serve: Callable[..., Any], run_file: Callable[..., Any]) -> None:
    """A histogram by route; a page counts when a person opens it, not when it keeps itself up to date."""
    run_file().step("p", "s")
    served = serve()
    for path in ("/", "/builds/lfs", "/builds/lfs?live", "/builds/nope", "/nope/really", "/alerts"):
        served.get(path)
    name = "build_exporter_http_request_duration_seconds"
    assert served.value(f"{name}_count", handler="/builds/{build}") == 3
    assert served.value(f"{name}_count", handler="other") == 1
    assert (served.value(f"{name}_bucket", handler="/builds/{build}", le="+Inf") or 0) == 3
    assert (served.value(f"{name}_sum", handler="/builds/{build}") or 0) > 0
    loads = {page: served.value("build_exporter_page_loads_total", page=page) for page in ("/", "/builds/{build}")}
    assert loads == {"/": 1, "/builds/{build}": 1}
    assert served.value("build_exporter_page_loads_total", page="/alerts") == 1


def test_commands_and_ratings_are_counted(
    serve: Callable[..., Any],
    command: Callable[..., Any],
    run_file: Callable[..., Any],
    journal: Path,
    poll: Callable[..., None],
) -> None:
    """`emit feedback` rates a run; each command is counted on its journal, and none where that is switched off."""
    run_file().step("p", "s")
    served = serve()
    rated = command("emit", "--journal", str(journal), "--build", "lfs", "feedback", "rating=4", "message=fine")
    assert rated.returncode == 0, rated.stderr
    command("status", "--journal", str(journal), env={"BUILD_EXPORTER_COUNT_COMMANDS": "no", "PATH": "/usr/bin"})
    poll(lambda: served.value("build_exporter_command_uses_total", command="emit") == 1, 30, "the count")
    assert served.value("build_exporter_command_uses_total", command="serve") == 1
    assert served.value("build_exporter_command_uses_total", command="status") is None
    assert served.value("build_feedback_ratings", build="lfs", rating="4") == 1


def test_counting_makes_nothing_and_follows_no_link(tmp_path: Path) -> None:
    """A journal that is not there stays so, one never served is left alone, and a link is not written through."""
    count_command(str(tmp_path / "none"), "status")
    count_command(str(tmp_path), "status")
    assert list(tmp_path.iterdir()) == []
    target = tmp_path / "target"
    target.write_text("x")
    (tmp_path / ".commands").mkdir()
    (tmp_path / ".commands" / "status").symlink_to(target)
    count_command(str(tmp_path), "status")
    count_command(str(tmp_path), "../escape")
    assert target.read_text() == "x"
    assert [path.name for path in (tmp_path / ".commands").iterdir()] == ["status"]
