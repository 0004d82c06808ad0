"""The second build of a kind: status, page and metrics know its end from the first step on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCRIPT = """\
. "$HOOK"
be_start small
be_step base zlib sleep 0.1
be_step base xz sh -c 'sleep 0.4; while [ -e "$WAIT" ]; do sleep 0.05; done'
be_step base bash sleep 0.2
be_end 0
"""


def test_a_second_build_shows_its_end_from_its_first_minute(
    journal: Path,
    repository: Path,
    tmp_path: Path,
    serve: Callable[..., Any],
    command: Callable[..., Any],
    poll: Callable[..., None],
) -> None:
    """After one build by the hook the next one has time left, band and basis everywhere while its second step runs."""
    hook = repository / "exporter" / "build_exporter" / "shell" / "build-events.sh"
    variables = {"HOOK": str(hook), "BUILD_EXPORTER_JOURNAL": str(journal)}
    hold = tmp_path / "hold"
    words = ["sh", "-c", SCRIPT]
    subprocess.run(words, env={**os.environ, **variables, "WAIT": str(hold)}, check=True)
    hold.touch()
    exporter = serve()
    building = subprocess.Popen(words, env={**os.environ, **variables, "WAIT": str(hold)})
    try:
        name = "build_estimated_remaining_seconds"
        poll(lambda: exporter.value(name, build="small") is not None, 30)
        left = {dict(labels)["percentile"]: v for (found, labels), v in exporter.samples().items() if found == name}
        assert 0.0 < left["10"] < left["50"] < left["90"] < 60.0
        answer = json.loads(exporter.get("/api/v1/builds/small/estimate")[2])
        assert "1 earlier run of this build" in json.dumps(answer)
        assert "1 earlier run of this build" in command("status", "--journal", str(journal)).stdout
    finally:
        hold.unlink()
        assert building.wait(30) == 0
