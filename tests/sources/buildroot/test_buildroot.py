"""Buildroot's build-time.log: real ones, and what happens to them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.attach import Attachment
from build_exporter.sources.buildroot.source import Buildroot
from build_exporter.sources.protocol import Settings
from build_exporter.sources.registry import recognise
from build_exporter.tracker import Run

Runs = list[Run]

RECORDS = {
    # runs, their states, steps begun and ended, those that did not end
    "Dean-Chu+buildroot-2017.08": (["failed", "failed", *["succeeded"] * 4], 410, 408, 2),
    "Taiwei-Sun+mscc-servalt": (["succeeded"], 234, 234, 0),
    "shufayang+buildroot": (["succeeded", "succeeded"], 200, 195, 5),
}


def labels(run: Run) -> dict[tuple[str, str], str]:
    """Return the states of a run's steps."""
    return {key: step.state.label for key, step in run.steps.items()}


@pytest.mark.parametrize("name", RECORDS)
def test_real_logs(name: str, records: Path, imported: Callable[..., Runs]) -> None:
    """Runs, attempts and steps without an end are as the log's own lines, counted apart, say."""
    states, begun, ended, not_ended = RECORDS[name]
    path = records / f"buildroot/{name}.build-time.log"
    runs = imported(path)
    counts = sum((run.finished for run in runs), Counter[str]())
    assert [str(run.state) for run in runs] == states
    assert (
        sum(step.attempts for run in runs for step in run.steps.values()) == begun == path.read_text().count(":start:")
    )
    assert (counts["succeeded"], counts["failed"]) == (ended, not_ended)


def test_durations_are_the_logs(records: Path, imported: Callable[..., Runs]) -> None:
    """The steps of a log that holds one build take as long in sum as its lines say, to the millisecond a step."""
    path = records / "buildroot/Taiwei-Sun+mscc-servalt.build-time.log"
    lines = [line.split(":") for line in path.read_text().splitlines()]
    (run,) = imported(path)
    newest = {}
    for when, what, step, package in lines:
        newest[what.strip(), step.strip(), package.strip()] = float(when)
    wanted = sum(newest["end", *key] - newest["start", *key] for key in run.steps)
    assert abs(sum(step.seconds or 0 for step in run.steps.values()) - wanted) < 0.001 * len(run.steps)
    assert run.steps["build", "linux"].attempts == 2


def test_long_step_is_no_pause(output: Any, imported: Callable[..., Runs]) -> None:
    """A step of hours keeps its run together, alone or beside others."""
    output.add("start", "build", "webkitgtk")
    output.add("end", "build", "webkitgtk", 20000)
    output.add("start", "build", "gcc")
    output.step("build", "zlib")
    output.add("start", "build", "bash", 5000)
    output.add("end", "build", "gcc", 5000)
    output.add("end", "build", "bash")
    (run,) = imported(output.output)
    assert set(labels(run).values()) == {"succeeded"}
    assert run.concurrency > 1


def test_names_and_damage(output: Any, imported: Callable[..., Runs]) -> None:
    """Phase is what is done, step the package by its whole name; lines that are none are left out."""
    output.step("install-target", "python-some-very-long-name")
    with output.path.open("ab") as file:
        file.write(b"\0\xff\n12:start:build               : clock\n1700000000.5:begin:build: x\n:::\n")
    (run,) = imported(output.path)
    assert list(run.steps) == [("install-target", "python-some-very-long-name")]


def test_show_info_is_the_plan(output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]) -> None:
    """With the output of `make show-info` every step to come is known, in order and with what it waits for."""
    package = "skeleton-init-of-a-board"
    info = {
        package: {"type": "target", "version": "1.36", "dependencies": ["host-skeleton"], "install_target": True,
                    "install_staging": False, "install_images": False, "virtual": False},
        "host-skeleton": {"type": "host", "virtual": True, "dependencies": []},
        "rootfs-tar": {"type": "rootfs", "dependencies": [package]},
        "odd": "no object",
    }  # fmt: skip
    (output.output / "show-info.json").write_text(json.dumps(info))
    stamped = output.output / f"build/{package}-1.36"
    stamped.mkdir()
    (stamped / ".stamp_downloaded").touch()
    output.clock = time.time() - 60
    output.step("download", "host-skeleton")
    output.add("start", "extract", "host-skeleton")
    follower = attach(output.output)
    follower.poll(time.time())
    (run,) = runs_of()
    host = [("download", "host-skeleton"), ("extract", "host-skeleton"), ("patch", "host-skeleton"),
            ("configure", "host-skeleton"), ("build", "host-skeleton"), ("install-host", "host-skeleton")]  # fmt: skip
    target = [(phase, package) for phase in ("extract", "patch", "configure", "build", "install-target")]
    assert list(run.steps) == host + target
    assert run.steps["configure", package].after == (f"patch/{package}", "install-host/host-skeleton")
    assert run.steps["build", package].after == (f"configure/{package}",)
    assert (run.steps["build", package].version, run.count(run.steps[target[0]].state)) == ("1.36", 9)
    follower.close()
    assert attach(output.output).poll(time.time()) == 0


def test_expected_time_is_that_of_earlier_runs(output: Any, imported: Callable[..., Runs]) -> None:
    """What a step took in earlier runs of the log is what it is expected to take."""
    (output.output / "show-info.json").write_text(json.dumps({"host-a": {"type": "host"}, "host-b": {"type": "host"}}))
    output.step("configure", "host-a")
    for seconds in (10, 30, 20):
        output.step("build", "host-a", seconds)
        output.clock += 5000
    output.add("start", "build", "host-a")
    last = imported(output.output)[-1]
    assert last.steps["build", "host-a"].expected_seconds == 20
    assert [phase for phase, package in last.steps if package == "host-a"] == [
        "extract",
        "patch",
        "build",
        "install-host",
    ]


def test_names_of_builds(tmp_path: Path) -> None:
    """A build is named by its defconfig, else by Buildroot's directory."""
    for directory, config, name in (
        ("one/output", 'BR2_DEFCONFIG="/x/configs/raspberrypi4_64_defconfig"\n', "buildroot-raspberrypi4_64"),
        ("buildroot-2024.02/output", 'BR2_DEFCONFIG="$(CONFIG_DIR)/defconfig"\n', "buildroot-2024.02"),
        ("other/out", None, "buildroot"),
    ):
        output = tmp_path / directory
        (output / "build").mkdir(parents=True)
        (output / "build/build-time.log").write_text("1700000000:start:build               : a\n")
        if config is not None:
            # made without O= it is in Buildroot's own directory
            (output.parent if directory == "one/output" else output).joinpath(".config").write_text(config)
        for path in (output, output / "build/build-time.log", output.parent if output.name == "output" else output):
            assert Buildroot(Settings(path)).build == name
            kind = recognise(path)
            assert kind is not None
            assert kind.name == "buildroot"


def test_silent_log_is_over(output: Any, attach: Callable[..., Attachment], runs_of: Callable[..., Runs]) -> None:
    """Live, a run ends when nothing was done for the pause, and within a step only after a day without a sign."""

    def found_later(seconds: float) -> str:
        attach(output.path).poll(time.time() + seconds)
        return str(runs_of()[0].state)

    output.clock = time.time() - 50
    output.step("build", "a")
    assert found_later(0) == "running"
    assert found_later(1000) == "succeeded"
    output.add("start", "build", "b")
    assert found_later(0) == "running"
    assert found_later(40_000) == "running"
    assert found_later(90_000) == "failed"


def test_a_restart_is_not_parallel_building(output: Any, imported: Callable[..., Runs]) -> None:
    """Make called again within a second of a failure, and later again: two runs, and no editing time in a step."""
    output.step("configure", "a", 1)
    output.add("start", "configure", "b", 0)
    output.step("configure", "a", 1)
    output.clock += 99
    output.add("start", "configure", "b", 0)
    output.step("configure", "a", 1)
    first_end = output.add("start", "configure", "b", 0)
    output.clock += 1899
    output.step("configure", "a", 1)
    output.step("configure", "b", 1)
    first, second = imported(output.output)
    assert (str(first.state), first.end, str(second.state)) == ("failed", first_end, "succeeded")
    assert first.steps["configure", "b"].seconds == 0.0
    assert {step.state.label for step in second.steps.values()} == {"succeeded"}


@pytest.mark.parametrize("back", [30.0, 3600.0, 200_000_000.0])
def test_a_clock_set_back(back: float, output: Any, imported: Callable[..., Runs]) -> None:
    """After a clock set back the same packages built again all succeed, and no run ends before it begins."""
    for _ in range(2):
        for package in ("a", "b"):
            output.step("extract", package, 0.0)
            output.step("build", package, 10.0)
        output.clock -= back
    runs = imported(output.output)
    assert len(runs) == (1 if back < 900 else 2)
    assert {step.state.label for run in runs for step in run.steps.values()} == {"succeeded"}
    assert [step.seconds for run in runs for step in run.steps.values()] == [0.0, 10.0, 0.0, 10.0] * len(runs)
    assert all((run.start or 0.0) <= (run.end or 0.0) for run in runs)


def test_a_cut_last_line_invents_no_package(output: Any, imported: Callable[..., Runs]) -> None:
    """Of a log cut within its last line the build has not succeeded, and nothing of that line is a step."""
    output.step("build", "host-zlib")
    output.add("start", "build", "host-python3")
    output.path.write_bytes(output.path.read_bytes()[:-5])
    (run,) = imported(output.output)
    assert (str(run.state), list(run.steps)) == ("interrupted", [("build", "host-zlib")])
