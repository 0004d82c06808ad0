"""`build-exporter verify`: what it prints, for whom, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Sources = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def listed(tarballs: Path) -> Path:
    """The sources, with a list of them beside them that md5sum wrote."""
    names = sorted(path.name for path in tarballs.iterdir())
    with (tarballs / "md5sums").open("wb") as file:
        subprocess.run(["md5sum", *names], cwd=tarballs, stdout=file, check=True)
    return tarballs


def test_all_is_well(command: Command, listed: Path) -> None:
    """With every file as listed one line says so, and the exit code is 0; --all shows each, and what nothing names."""
    done = command("verify", str(listed))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"4 files in {listed}: 4 verified\n", "")
    (listed / "notes.txt").write_text("mine")
    lines = command("verify", str(listed), "--all").stdout.splitlines()
    assert lines[:4] == [
        f"verified    {name}" for name in ("bash-3.tar.gz", "gcc-1.tar.xz", "linux-2.tar.gz", "x.patch")
    ]
    assert lines[4:] == ["unlisted    notes.txt", f"4 files in {listed}: 4 verified, 1 unlisted"]


def test_what_is_wrong_is_reported(command: Command, listed: Path) -> None:
    """Each bad file has a line that says how, and the exit code is 1; a file that no one asks about is passed over."""
    (listed / "x.patch").unlink()
    (listed / "bash-3.tar.gz").write_bytes(b"")
    (listed / "linux-2.tar.gz").write_bytes(b"other")
    done = command("verify", str(listed))
    assert done.returncode == 1
    first, second, third, last = done.stdout.splitlines()
    assert first == "truncated   bash-3.tar.gz; empty"
    assert second.startswith("mismatch    linux-2.tar.gz; md5 ")
    assert third == "missing     x.patch; no such file"
    assert last == f"4 files in {listed}: 1 verified, 1 mismatch, 1 truncated, 1 missing"
    done = command("verify", str(listed), "--ignore-missing")
    assert "x.patch" not in done.stdout
    assert done.returncode == 1


def test_programs_read_it(command: Command, listed: Path) -> None:
    """JSON and CSV have every file with state, size and what was found, and mean the same by their exit code."""
    (listed / "linux-2.tar.gz").write_bytes(b"other")
    done = command("verify", str(listed), "--output", "json")
    assert done.returncode == 1
    reports = json.loads(done.stdout)
    assert (reports["good"], reports["counts"]["verified"], reports["counts"]["mismatch"]) == (False, 3, 1)
    (bad,) = (each for each in reports["files"] if each["state"] == "mismatch")
    assert (bad["file"], bad["size_bytes"], len(bad["expected"]["md5"])) == ("linux-2.tar.gz", 5, 32)
    assert bad["found"]["md5"] != bad["expected"]["md5"]
    done = command("verify", str(listed), "--output", "csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["file"]: row["state"] for row in rows} == {each["file"]: each["state"] for each in reports["files"]}


def test_names_do_nothing_to_the_terminal(command: Command, tmp_path: Path) -> None:
    """A name with newlines and escapes is shown, in every form of output, without a character that a terminal obeys."""
    names = ["new\nline", "\x1b]0;title\x07", "\x9b31m", "del\x7f", os.fsdecode(b"\xff\xfe")]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with (tmp_path / "SHA256SUMS").open("wb") as file:
        subprocess.run(["sha256sum", *names], cwd=tmp_path, stdout=file, check=True)
    (tmp_path / "new\nline").unlink()
    for flags in (("--all",), ("--output", "json"), ("--output", "csv")):
        done = command("verify", str(tmp_path), *flags)
        assert done.returncode == 1
        assert all(character.isprintable() or character == "\n" for character in done.stdout)
    reports = json.loads(command("verify", str(tmp_path), "--output", "json").stdout)
    assert [each["file"] for each in reports["files"]] == names
    assert "missing     new\\nline; no such file\n" in command("verify", str(tmp_path)).stdout


def test_the_files_of_the_book(command: Command, book: Path, tarballs: Path) -> None:
    """By the LFS book the table names the steps that need a bad file, and where it is to be had."""
    assert command("verify", str(tarballs), "--book", str(book)).returncode == 0
    (tarballs / "x.patch").unlink()
    done = command("verify", str(tarballs), "--book", str(book))
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "missing     x.patch; no such file; needed by 801-gcc; from https://example.org/pub/patches/x.patch"
    )


def test_the_files_of_jhalfs(command: Command, jhalfs_tree: Path, tarballs: Path) -> None:
    """For what jhalfs has prepared neither list nor directory need be named."""
    done = command("verify", "--jhalfs", str(jhalfs_tree))
    assert (done.returncode, done.stdout) == (0, f"3 files in {tarballs}: 3 verified, 1 unlisted\n")
    (tarballs / "gcc-1.tar.xz").write_bytes(b"<html>not found</html>")
    done = command("verify", "--jhalfs", str(jhalfs_tree))
    assert done.returncode == 1
    assert "a web page" in done.stdout
    assert "needed by 801-gcc" in done.stdout


def test_the_files_of_a_recorded_plan(command: Command, book: Path, tarballs: Path, journal: Path) -> None:
    """A plan emitted with its directory is enough to verify a build by its name."""
    reports = ("--book", str(book), "--emit", "--build", "lfs", "--tarballs", str(tarballs), "--journal", str(journal))
    assert command("plan", "lfs", *reports).returncode == 0
    done = command("verify", "--build", "lfs", "--journal", str(journal))
    assert (done.returncode, done.stdout) == (0, f"4 files in {tarballs}: 4 verified\n")
    (tarballs / "linux-2.tar.gz").unlink()
    assert "needed by 1001-linux" in command("verify", "--build", "lfs", "--journal", str(journal)).stdout
    assert command("verify", "--build", "other", "--journal", str(journal)).returncode == 1


def test_wrong_use(command: Command, listed: Path, tmp_path: Path) -> None:
    """Without a directory, without a list, or with two plans nothing is done, and one line says what to do."""
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        ((), "give the DIRECTORY"),
        ((str(tmp_path / "empty"),), "holds no list of checksums"),
        ((str(listed), "--build", "x", "--jhalfs", str(tmp_path)), "take one of"),
    ):
        done = command("verify", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_list_with_a_line_that_is_none(command: Command, listed: Path) -> None:
    """A line that can't be read may have named a file: it is reported, and all is not well."""
    with (listed / "md5sums").open("a") as file:
        file.write("gcc is fine\n")
    done = command("verify", str(listed))
    assert done.returncode == 1
    assert "md5sums:5: is no line of a list of checksums" in done.stderr


def test_a_bar_on_a_terminal_only(listed: Path) -> None:
    """On a terminal a bar of what has been read is drawn on standard error; elsewhere nothing is."""
    call = [sys.executable, "-m", "build_exporter", "verify", str(listed)]
    ours, theirs = pty.openpty()
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=theirs, check=True, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Verifying" in drawn
    assert "100%" in drawn
    assert done.stdout == f"4 files in {listed}: 4 verified\n".encode()
    assert subprocess.run(call, capture_output=True, check=True).stderr == b""
