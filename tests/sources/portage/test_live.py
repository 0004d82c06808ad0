"""A log that grows under a running exporter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def test_metrics_of_a_growing_log(log: Any, serve: Callable[..., Any], poll: Callable[..., None]) -> None:
    """`serve --watch` shows what emerge does as it continues, and in the end what came of it."""
    log.clock = time.time() - 600
    log.emerge()
    log.begin(1, 1, "app-misc/old-1")
    log.complete(1, 1, "app-misc/old-1")
    log.end(0)
    exporter = serve("--watch", f"portage={log.path}")
    log.emerge()
    log.begin(1, 2, "app-misc/a-1")
    poll(lambda: exporter.value("build_step_status", build="portage", step="app-misc/a-1") == 1, what="it runs")
    log.complete(1, 2, "app-misc/a-1")
    log.begin(2, 2, "app-misc/b-1")
    log.end(1)
    poll(lambda: exporter.value("build_state", build="portage", state="failed") == 1, what="it failed")
    assert exporter.value("build_step_status", build="portage", step="app-misc/a-1") == 2
    assert exporter.value("build_step_status", build="portage", step="app-misc/b-1") == 3
    assert exporter.value("build_exporter_source_up", source="portage/portage") == 1
    poll(lambda: exporter.value("build_runs_total", build="portage", result="succeeded") == 1, what="the older run")
