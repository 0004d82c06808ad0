"""An exporter beside a build whose console is captured."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("kind", ["make", "auto"])
def test_a_build_is_watched(project: Any, serve: Callable[..., Any], poll: Callable[..., None], kind: str) -> None:
    """`serve --watch` shows directories at work, the failure in words and its exit code's build, and the end."""
    project.recursive().source("doc/b.c", "int b(void) { return 0 }")
    project.log = project.top.parent / "mine.log"
    if kind == "auto":
        # whose console it is can be known once there is something in it
        project.log.write_text("gcc -c a.c\ngcc -c b.c\ngcc -c c.c\n")
    served = serve("--watch", f"{kind}={project.log}")
    make = project.start(f"make WAIT='sleep 0.7' >> {project.log} 2>&1")
    name = "make-mine"
    poll(lambda: served.value("build_step_status", build=name, phase="build", step="lib") == 1, 60, "lib is at work")
    assert served.value("build_exporter_source_up", source=f"make/{name}") == 1
    poll(lambda: served.value("build_step_status", build=name, phase="build", step="lib") == 2, 60, "lib is done")
    assert (served.value("build_step_duration_seconds", build=name, step="lib") or 0) > 0.5
    poll(lambda: served.value("build_step_status", build=name, phase="build", step="doc") == 3, 60, "doc has failed")
    assert make.wait(60) == 2
    poll(lambda: served.value("build_state", build=name, state="failed") == 1, 60, "the build has failed")
    excerpts = [dict(labels)["excerpt"] for (each, labels) in served.samples() if each == "build_step_failure_info"]
    assert any("error: expected" in excerpt for excerpt in excerpts)


def test_a_second_build_has_progress(
    project: Any, serve: Callable[..., Any], poll: Callable[..., None], tmp_path: Path
) -> None:
    """Watched twice, the second build's progress is that of the first one's steps, and it ends as it should."""
    project.recursive()
    served = serve("--watch", f"make={project.log}")
    name = "make-" + tmp_path.name
    for number in (1, 2):
        project.run("rm -f */*.o */*.a")
        make: subprocess.Popen[bytes] = project.start("make WAIT='sleep 0.7'")
        if number == 2:
            poll(lambda: 0.05 < (served.value("build_progress_ratio", build=name) or 0) < 0.95, 60, "progress")
        assert make.wait(60) == 0
        poll(lambda n=number: served.value("build_runs_total", build=name, result="succeeded") == n, 60, "it has ended")
    assert served.value("build_step_expected_seconds", build=name, step="src") is not None
