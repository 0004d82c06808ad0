"""Trees of jhalfs that hold what no build writes: reported once where it matters, survived in any case."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.protocol import Settings, SourceError
from build_exporter.tracker import Run, Step

if TYPE_CHECKING:
    from tests.sources.jhalfs.conftest import Tree

Follow = Callable[..., Run]


def step(run: Run, name: str) -> Step:
    """Return a step of a run by its name."""
    return next(each for each in run.steps.values() if each.step == name)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_in_a_log(tree: Tree, follow: Follow, seed: int) -> None:
    """A log of random bytes is nobody's date and nobody's end; the steps around it are as they were."""
    tree.step("401-creatingdirs")
    tree.step("402-environment")
    tree.begin("501-linker")
    (tree.path / "logs/501-linker-2.42").write_bytes(random.Random(seed).randbytes(100_000))
    os.utime(tree.path / "logs/501-linker-2.42", (tree.clock, tree.clock))
    run = follow()
    assert (step(run, "401-creatingdirs").state.label, step(run, "402-environment").attempts) == ("succeeded", 1)
    tree.stamp("501-linker")
    tree.step("601-c++")
    run = follow()
    assert step(run, "501-linker").state.label == "succeeded"
    assert step(run, "601-c++").seconds == 10


def test_a_line_without_end_and_a_sparse_file(tree: Tree, follow: Follow) -> None:
    """A log of 2 GB that is one line costs no more than a short one, and is a failure's when it ends in one."""
    tree.step("401-creatingdirs")
    log = tree.begin("402-environment")
    with log.open("ab") as file:
        file.truncate(2_000_000_000)
    source = Jhalfs(Settings(tree.path))
    list(source.poll(tree.clock + 1))
    assert source.bytes_read < 10_000
    with log.open("ab") as file:
        file.write(b"\nx.c:1: error: bad\n")
    run = follow(over=True)
    assert step(run, "402-environment").message == "x.c:1: error: bad"


def test_half_a_date(tree: Tree, follow: Follow) -> None:
    """A log whose first line is not whole yet is no beginning; it begins once, when its date says."""
    tree.step("401-creatingdirs")
    log = tree.begin("402-environment")
    whole = log.read_text()
    for length in (0, 5, 20, len(whole.split("\n")[0])):
        tree.put("logs/402-environment", whole[:length])
        assert step(follow(), "402-environment").state.label == "pending"
    tree.put("logs/402-environment", whole)
    assert step(follow(), "402-environment").starts == (int(tree.clock),)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link out of the tree", "device"])
def test_what_is_no_log(tree: Tree, follow: Follow, journalled: Callable[[], Run], kind: str, tmp_path: Path) -> None:
    """A FIFO, directory, link or device in a log's place is reported and never opened; the rest continues."""
    tree.step("401-creatingdirs")
    path = tree.path / "logs/402-environment"
    secret = tmp_path / "secret"
    secret.write_text("Sun Mar  1 20:00:20 UTC 2026\nerror: password\n")
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "link out of the tree": lambda: path.symlink_to(secret),
        "device": lambda: path.symlink_to("/dev/zero"),
    }
    make[kind]()
    with pytest.raises(SourceError, match=r"1 logs can't be read, among them .*402-environment"):
        follow()
    assert step(journalled(), "402-environment").state.label == "pending"
    tree.stamp("402-environment")
    tree.step("501-linker")
    with pytest.raises(SourceError):
        follow()
    run = journalled()
    assert [step(run, name).state.label for name in ("402-environment", "501-linker")] == ["succeeded", "succeeded"]
    shutil.rmtree(path) if kind == "directory" else path.unlink()
    tree.step("601-c++")
    assert step(follow(), "601-c++").state.label == "succeeded"


def test_loops_of_links(tree: Tree, follow: Follow) -> None:
    """Links that lead to themselves, as log, stamp or directory, lead nowhere."""
    tree.step("401-creatingdirs")
    for name in ("logs/402-environment", "402-environment", "501-linker"):
        (tree.path / name).symlink_to(tree.path / name)
    assert follow().count(2) == 1  # type: ignore[arg-type]
    shutil.rmtree(tree.path / "logs")
    (tree.path / "logs").symlink_to(tree.path / "logs")
    with pytest.raises(SourceError, match="Too many levels of symbolic links"):
        follow()


def test_not_there_yet(tree: Tree, follow: Follow) -> None:
    """Watched before jhalfs was called: an error until the Makefile is there, nothing until the first step begins."""
    shutil.rmtree(tree.path)
    source = Jhalfs(Settings(tree.path.parent))
    with pytest.raises(SourceError):
        list(source.poll(tree.clock + 1))
    (tree.path / "logs").mkdir(parents=True)
    with pytest.raises(SourceError, match="no Makefile of jhalfs"):
        list(source.poll(tree.clock + 1))
    tree.write_makefile()
    assert list(source.poll(tree.clock + 1)) == []
    tree.begin("401-creatingdirs")
    assert [type(each.event).__name__ for each in source.poll(tree.clock + 1)] == [
        "BuildStarted",
        "Plan",
        "StepStarted",
    ]
    assert source.build == "lfs-12.4"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all: x\n",
        "# This file is automatically generated by jhalfs\n",
        "# This file is automatically generated by jhalfs\nSETUP: ../../etc/passwd /x $(shell id) a;b\n",
    ],
)
def test_makefile_without_steps(tree: Tree, text: str) -> None:
    """A file that is no Makefile of jhalfs, or names no steps but paths and commands, is reported as such."""
    tree.put("Makefile", text)
    with pytest.raises(SourceError, match="Makefile"):
        list(Jhalfs(Settings(tree.path)).poll(tree.clock + 1))


def test_log_that_may_not_be_read(tree: Tree, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that only root may read is reported and left out until it may be read; its stamp says that it is done."""
    real = os.open

    def deny(path: os.PathLike[str] | str, flags: int, *more: int) -> int:
        if str(path).endswith("402-environment"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *more)

    tree.step("401-creatingdirs")
    tree.step("402-environment")
    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(SourceError, match="Permission denied"):
        follow()
    monkeypatch.undo()
    tree.step("501-linker")
    run = follow()
    assert [each.state.label for each in run.steps.values()][:3] == ["succeeded"] * 3
    assert step(run, "402-environment").start is not None, "read as soon as it may be"


def test_cost_of_looking_does_not_grow_with_the_tree(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a tree of 500 steps asks for some ten files' times and reads no more than a growing log's two ends."""
    step_type = type(tree.steps[0])
    tree.plan = {"LUSER": [step_type(f"5{index:03}-package", 5, "1.0") for index in range(500)]}
    tree.write_makefile()
    for each in tree.steps[:400]:
        tree.step(each.target, seconds=1)
    running = tree.steps[400].target
    tree.begin(running)
    source = Jhalfs(Settings(tree.path))
    assert len(list(source.poll(tree.clock + 1))) == 803
    list(source.poll(tree.clock + 1))
    counts = {"stat": 0, "listdir": 0}
    real_stat, real_listdir = os.stat, os.listdir

    def stat(*arguments: object, **options: object) -> os.stat_result:
        counts["stat"] += 1
        return real_stat(*arguments, **options)  # type: ignore[arg-type]

    def listdir(path: str) -> list[str]:
        counts["listdir"] += 1
        return real_listdir(path)

    begun = source.bytes_read
    for _ in range(20):
        tree.write(running, "gcc -c x.c\n" * 1000)
        monkeypatch.setattr(os, "stat", stat)
        monkeypatch.setattr(os, "listdir", listdir)
        assert list(source.poll(tree.clock + 1)) == []
        monkeypatch.undo()
    assert source.bytes_read - begun <= 20 * 2048
    assert counts["stat"] <= 20 * 16
