"""`build-exporter plan portage|buildroot|bitbake`: what other builders will do, and how long that should take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.model import events as e

Command = Callable[..., Any]

PRETENDED = """\

These are the packages that would be merged, in order:

Calculating dependencies  ... done!
[ebuild     U  ] sys-devel/gcc-14.2.1:14::gentoo [13.3.1:13::gentoo] USE="cxx nls" 0 KiB
[uninstall     ] dev-libs/eventlog-0.2.12
[binary   R    ] app-shells/bash-5.2_p37
\x1b[32m[ebuild  N     ]\x1b[0m app-misc/never-seen-1.0

Total: 3 packages (1 upgrade, 1 new, 1 reinstall, 1 binary), Size of downloads: 0 KiB
"""
SHOW_INFO = {
    "zlib": {"type": "target", "version": "1.3.1", "dependencies": ["host-skeleton"], "install_staging": True},
    "host-skeleton": {"type": "host", "version": "", "dependencies": []},
}
GRAPH = """\
digraph depends {
"image.do_build" [label="image do_build\\n:1.0-r0\\n/layers/image.bb"]
"image.do_build" -> "image.do_rootfs"
"image.do_rootfs" [label="image do_rootfs\\n:1.0-r0\\n/layers/image.bb"]
"image.do_rootfs" -> "u-boot.do_compile"
"image.do_rootfs" -> "zlib.do_compile"
"u-boot.do_compile" [label="u-boot do_compile\\n1:2016.07-r0\\n/layers/u-boot.bb"]
"zlib.do_compile" [label="zlib do_compile\\n:1.3.1-r0\\n/layers/zlib.bb"]
}
"""


def earlier_run(journal: Path, build: str, steps: list[tuple[str, str, str, float]], day: int = 1) -> None:
    """Write a finished run of steps, one after the other: phase, step, version, seconds."""
    now = 1.78e9
    events: list[e.Event] = [e.BuildStarted(time=now, build=build)]
    for phase, step, version, seconds in steps:
        events.append(e.StepStarted(time=now, build=build, phase=phase, step=step, version=version))
        now += seconds
        events.append(e.StepFinished(time=now, build=build, phase=phase, step=step, status="succeeded"))
    path = journal / build / f"202601{day:02}T000000Z.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join(map(e.encode_line, [*events, e.BuildFinished(time=now, build=build, status="succeeded")]))
    )


def test_what_emerge_would_merge_is_estimated_by_earlier_merges(command: Command, tmp_path: Path) -> None:
    """The time of `emerge -p`'s list is that of the same packages before, in other versions too."""
    earlier_run(
        tmp_path / "journal",
        "portage",
        [("merge", "sys-devel/gcc-13.3.1", "13.3.1", 3000.0), ("binary", "app-shells/bash-5.2_p26", "5.2_p26", 20.0)],
    )
    (tmp_path / "list").write_text(PRETENDED)
    options = ("--estimate", "--build", "portage", "--journal", str(tmp_path / "journal"), "--output", "json")
    done = command("plan", "portage", str(tmp_path / "list"), *options)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [(s["phase"], s["step"], s["package"], s["version"]) for s in answer["steps"]] == [
        ("merge", "sys-devel/gcc-14.2.1", "sys-devel/gcc", "14.2.1"),
        ("binary", "app-shells/bash-5.2_p37", "app-shells/bash", "5.2_p37"),
        ("merge", "app-misc/never-seen-1.0", "app-misc/never-seen", "1.0"),
    ]
    longest = {each["step"]: each["expected_seconds"] for each in answer["estimate"]["longest"]}
    assert longest["sys-devel/gcc-14.2.1"] == pytest.approx(3000.0, rel=0.01)
    assert longest["app-shells/bash-5.2_p37"] == pytest.approx(20.0, rel=0.01)
    assert 3020.0 < answer["estimate"]["seconds"]["50"] < 3100.0
    assert "1 earlier run" in answer["estimate"]["basis"]


def test_a_package_is_found_in_the_oldest_of_many_merges(command: Command, tmp_path: Path) -> None:
    """An hour of gcc, nine merges of other packages ago, is an hour of the plan's time."""
    for day in range(1, 11):
        step = ("merge", "sys-devel/gcc-13.3.1", "13.3.1", 3600.0) if day == 1 else ("merge", f"a/b{day}-1", "1", 30.0)
        earlier_run(tmp_path / "journal", "portage", [step], day)
    options = ("--estimate", "--build", "portage", "--journal", str(tmp_path / "journal"), "--output", "json", "-")
    done = command("plan", "portage", *options, input="[ebuild     U  ] sys-devel/gcc-14.2.1:14::gentoo\n")
    assert 3000.0 < json.loads(done.stdout)["estimate"]["seconds"]["50"] < 3700.0


def test_buildroots_packages_are_steps_in_their_order(command: Command, tmp_path: Path) -> None:
    """`make show-info` becomes the steps of the build log, each package after what it needs."""
    (tmp_path / "info").write_text(json.dumps(SHOW_INFO))
    done = command("plan", "buildroot", str(tmp_path / "info"), "--output", "json")
    assert done.returncode == 0, done.stderr
    steps = [(each["phase"], each["step"]) for each in json.loads(done.stdout)["steps"]]
    assert steps.index(("install-host", "host-skeleton")) < steps.index(("configure", "zlib"))
    assert steps[-1] == ("install-staging", "zlib")


@pytest.mark.parametrize(("at_once", "seconds"), [("1", 1040.0), ("2", 640.0)])
def test_bitbakes_graph_is_scheduled(command: Command, tmp_path: Path, at_once: str, seconds: float) -> None:
    """Tasks that need not wait for one another share the time on as many slots as are given."""
    earlier_run(
        tmp_path / "journal",
        "image",
        [
            ("do_compile", "zlib-1.3.1-r0", "1.3.1", 400.0),
            ("do_compile", "u-boot-1_2016.07-r0", "1_2016.07", 600.0),
            ("do_rootfs", "image-1.0-r0", "1.0", 40.0),
        ],
    )
    (tmp_path / "task-depends.dot").write_text(GRAPH)
    options = ("--estimate", "--build", "image", "--at-once", at_once, "--journal", str(tmp_path / "journal"))
    done = command("plan", "bitbake", str(tmp_path / "task-depends.dot"), *options, "--output", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["estimate"]["seconds"]["50"] == pytest.approx(seconds, rel=0.01)
    last = answer["steps"][-1]
    assert (last["phase"], last["step"], last["version"]) == ("do_rootfs", "image-1.0-r0", "1.0")
    assert set(last["after"]) == {"do_compile/zlib-1.3.1-r0", "do_compile/u-boot-1_2016.07-r0"}


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("portage", "nothing to merge", "no package in it"),
        ("buildroot", "{", "no package in it"),
        ("bitbake", "digraph depends {\n}\n", "no task in it"),
        ("bitbake", GRAPH.replace("}", '"zlib.do_compile" -> "image.do_rootfs"\n}'), "in a circle"),
    ],
)
def test_what_holds_no_plan_is_refused(command: Command, tmp_path: Path, kind: str, text: str, words: str) -> None:
    """A file of something else ends the command with what was expected."""
    (tmp_path / "file").write_text(text)
    done = command("plan", kind, str(tmp_path / "file"))
    assert done.returncode == 1
    assert words in done.stderr
