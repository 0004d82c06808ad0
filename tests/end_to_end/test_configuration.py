"""`serve` and its configuration: read at the start and again when asked, refused where it is wrong."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., Any]
RunFiles = Callable[..., Any]
Command = Callable[..., Any]
GOOD = "thresholds:\n  disk_free_bytes: 3 GiB\n"
BAD = "thresholds:\n  disk_free_byte: 3 GiB\n"


def test_a_good_configuration_is_taken_a_bad_one_is_not(serve: Serve, tmp_path: Path, poll: Any) -> None:
    """By SIGHUP and by POST: a right file holds at once, a wrong one changes nothing and is reported."""
    config = tmp_path / "config.yml"
    config.write_text(GOOD)
    served = serve("--config", str(config))

    def limit() -> float | None:
        found: float | None = served.value("build_threshold", name="disk_free_bytes")
        return found

    def is_good() -> bool:
        return bool(served.value("build_exporter_config_last_reload_successful"))

    assert limit() == 3 * 2**30
    assert is_good()
    config.write_text(BAD)
    status, _, body = served.get("/-/reload", "POST")
    assert status == 422
    reported = json.loads(body)["error"]
    assert reported["code"] == "invalid-configuration"
    assert f"{config}:2:3" in reported["details"]
    assert (limit(), is_good()) == (3 * 2**30, False)
    config.write_text(GOOD.replace("3", "4"))
    assert served.get("/-/reload", "POST")[0] == 200
    assert (limit(), is_good()) == (4 * 2**30, True)
    config.write_text(BAD)
    served.process.send_signal(signal.SIGHUP)
    poll(lambda: not is_good(), what="the bad file is noticed")
    assert limit() == 4 * 2**30
    config.unlink()
    assert served.get("/-/reload", "POST")[0] == 422
    config.write_text(GOOD.replace("3", "5"))
    served.process.send_signal(signal.SIGHUP)
    poll(is_good, what="the good file is noticed")
    assert limit() == 5 * 2**30
    assert served.log.read_text().count("level=error") == 3


def test_sighup_without_a_configuration_ends_nothing(serve: Serve) -> None:
    """A service manager's reload is harmless where there is nothing to read again."""
    served = serve()
    served.process.send_signal(signal.SIGHUP)
    assert served.get("/-/reload", "POST")[0] == 200
    assert served.value("build_exporter_config_last_reload_successful") == 1
    assert served.process.poll() is None


def test_limits_of_a_new_configuration_hold(serve: Serve, run_file: RunFiles, tmp_path: Path) -> None:
    """Fewer or more steps and builds are shown from the next scrape on."""
    for build in ("one", "two"):
        run = run_file(build, clock=1.78e9 + len(build))
        for number in range(20):
            run.step("p", f"s{number}")
    config = tmp_path / "config.yml"
    served = serve("--config", str(_write(config, "metrics: {max_steps_per_build: 5}")))

    def steps() -> int:
        return sum(name == "build_step_status" for name, _ in served.samples())

    assert steps() == 10
    assert served.value("build_exporter_steps_hidden", build="one") == 15
    _write(config, "metrics: {max_steps_per_build: 100, max_builds: 1}")
    served.get("/-/reload", "POST")
    assert steps() == 20


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [BAD, "thresholds: [", "", "\x00"], ids=["key", "syntax", "empty", "NUL"])
def test_it_does_not_start_with_a_bad_configuration(command: Command, journal: Path, tmp_path: Path, text: str) -> None:
    """A wrong file is reported with its place and ends the start with 2; an empty one has every default."""
    config = _write(tmp_path / "config.yml", text)
    flags = ("--journal", str(journal), "--config", str(config), "--web.listen-address", "nowhere")
    done = command("serve", *flags)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert (str(config) in done.stderr) == bool(text)
