"""Plans name the files that their steps are built from, from books, jhalfs, Buildroot and people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.checksums.manifest import buildroot_manifest
from build_exporter.config.problems import ConfigError
from build_exporter.model.events import Plan, PlannedStep, SourceFile
from build_exporter.model.names import MAX_LINE_BYTES
from build_exporter.plan.blfs import read_blfs
from build_exporter.plan.book import read_book
from build_exporter.plan.book_sources import fitting
from build_exporter.plan.jhalfs_makefile import read
from build_exporter.plan.jhalfs_sources import jhalfs_sources
from build_exporter.plan.yaml_plan import read_yaml
from build_exporter.sources.attach import Attachment, read_run
from build_exporter.sources.event_lines import lines_of
from build_exporter.sources.jhalfs.source import Jhalfs
from build_exporter.sources.jhalfs.tarballs import Tarballs
from build_exporter.sources.protocol import Settings
from build_exporter.tracker import Run
from build_exporter.tracker.sources import planned_sources

Sources = Callable[..., list[dict[str, Any]]]


def named(steps: list[PlannedStep]) -> dict[str, list[str]]:
    """Return the names of each step's files."""
    return {step.step: [each.file for each in step.sources or ()] for step in steps}


def test_the_book_names_packages_and_patches(book: Path, sources: Sources) -> None:
    """A step of the LFS book has its page's package, and what its commands take beside it, with MD5 and address."""
    steps = [step.planned for step in read_book(book).steps]
    assert named(steps) == {"801-gcc": ["gcc-1.tar.xz", "x.patch", "bash-3.tar.gz"], "1001-linux": ["linux-2.tar.gz"]}
    found = {each.file: each for step in steps for each in step.sources or ()}
    for said in sources("gcc-1.tar.xz", "x.patch", "bash-3.tar.gz", "linux-2.tar.gz"):
        assert list(found[said["file"]].digests) == said["digests"]
    assert found["linux-2.tar.gz"].about_bytes == 2930 * 1024
    assert found["x.patch"].url == "https://example.org/pub/patches/x.patch"


def test_the_real_book_names_every_package(records: Path) -> None:
    """Every step of the real LFS book that builds a package has its file, with MD5 and address."""
    steps = [step.planned for step in read_book(records / "lfs-book").steps]
    assert {step.step for step in steps if step.package and not step.sources} == set()
    files = {each.file: each for step in steps for each in step.sources or ()}
    assert len(files) > 80
    assert {name for name, each in files.items() if not each.digests} == set()
    assert all(each.url for each in files.values())
    gcc = next(step for step in steps if step.step == "502-gcc-pass1")
    assert [each.file.partition("-")[0] for each in gcc.sources or ()] == ["gcc", "mpfr", "gmp", "mpc"]


def test_a_page_of_blfs_names_its_package_and_required_patches(tmp_path: Path) -> None:
    """A BLFS page's own entities give file, MD5 and size; of a required patch the book shows no checksum."""
    (tmp_path / "general.ent").write_text('<!ENTITY patch-root "https://example.org/patches">')
    md5 = "0123456789abcdef" * 2
    (tmp_path / "fetch.xml").write_text(
        f"""<!DOCTYPE sect1 [ <!ENTITY fetch-version "1.25">
  <!ENTITY fetch-download-http "https://example.org/fetch-&fetch-version;.tar.gz">
  <!ENTITY fetch-download-ftp " "> <!ENTITY fetch-md5sum "{md5}"> <!ENTITY fetch-size "4.8 MB">
  <!ENTITY fetch-time "1 SBU"> ]>
<sect1 id="fetch" xreflabel="fetch-&fetch-version;"><para>
 Required patch: <ulink
  url="&patch-root;/fetch-&fetch-version;-fixes-1.patch"/></para>
 <para>Optional patch: <ulink url="&patch-root;/other.patch"/></para></sect1>"""
    )
    (step,) = read_blfs(tmp_path, ["fetch"]).steps
    assert step.planned.sources == [
        SourceFile(
            file="fetch-1.25.tar.gz",
            digests=(f"md5:{md5}",),
            about_bytes=round(4.8 * 1024**2),
            url="https://example.org/fetch-1.25.tar.gz",
        ),
        SourceFile(file="fetch-1.25-fixes-1.patch", url="https://example.org/patches/fetch-1.25-fixes-1.patch"),
    ]


def test_a_plan_by_hand(tmp_path: Path) -> None:
    """A YAML plan's files and directory are taken; a digest that is none is reported with its line."""
    path = tmp_path / "plan.yaml"
    text = """tarballs: sources
phases:
  - phase: tools
    steps:
      - step: binutils
        sources:
          - {file: a.tar.gz, sha256: SHA, size: 10 MiB, url: "https://example.org/a.tar.gz"}
          - {file: b.patch}
"""
    path.write_text(text.replace("SHA", "AB" * 32))
    plan = read_yaml(path)
    assert plan.tarballs == str(tmp_path / "sources")
    assert plan.steps[0].planned.sources == [
        SourceFile(
            file="a.tar.gz",
            digests=(f"sha256:{'ab' * 32}",),
            size_bytes=10 * 1024**2,
            url="https://example.org/a.tar.gz",
        ),
        SourceFile(file="b.patch"),
    ]
    for wrong, said in (("zz", "64 hexadecimal digits"), ("ab" * 16, "64 hexadecimal digits")):
        path.write_text(text.replace("SHA", wrong))
        with pytest.raises(ConfigError, match=said) as error:
            read_yaml(path)
        assert f"{path}:7:" in str(error.value)
    path.write_text(text.replace("SHA", "ab" * 32).replace("b.patch", "../b.patch"))
    with pytest.raises(ConfigError, match="no name within a directory"):
        read_yaml(path)


def test_jhalfs_names_what_its_scripts_unpack(jhalfs_tree: Path, sources: Sources) -> None:
    """A target's files are those its script names, with the MD5 of the list that jhalfs downloaded by."""
    found = jhalfs_sources(jhalfs_tree, read(jhalfs_tree / "Makefile"))
    assert {target: [each.file for each in files] for target, files in found.items()} == {
        "801-gcc": ["gcc-1.tar.xz", "x.patch"],
        "802-linux": ["linux-2.tar.gz"],
    }
    assert list(found["801-gcc"][1].digests) == sources("x.patch")[0]["digests"]


def test_a_watched_jhalfs_build_shows_its_files_once(jhalfs_tree: Path, tarballs: Path, journal: Path) -> None:
    """Watching jhalfs puts the steps' files and their directory into the plan; a restart shows no plan again."""
    (jhalfs_tree / "logs" / "801-gcc-1").write_text("\nFri Jan  2 03:04:05 UTC 2026\n\nKB: 100 /\n")
    counts = []
    for _ in range(2):
        attachment = Attachment(Jhalfs(Settings(jhalfs_tree, "lfs", {})), str(journal))
        attachment.poll(1.78e9)
        counts.append(attachment.poll(1.78e9 + 60))
        attachment.close()
    (path,) = (journal / "lfs").glob("*.jsonl")
    run: Run = read_run(str(path), "lfs", path.stem)
    assert run.tarballs == str(tarballs)
    assert {(step.step, each.file) for step, each in planned_sources(run)} == {
        ("801-gcc", "gcc-1.tar.xz"), ("801-gcc", "x.patch"), ("802-linux", "linux-2.tar.gz"),
    }  # fmt: skip
    assert path.read_text().count('"event":"plan"') == 1


def test_buildroot_downloads_are_matched_with_their_hashes(tmp_path: Path, tarballs: Path, sources: Sources) -> None:
    """What Buildroot has downloaded is verified by its package's .hash; versions not downloaded are not missed."""
    (gcc,) = sources("gcc-1.tar.xz", algorithm="sha256")
    folder = tmp_path / "buildroot" / "package" / "gcc"
    folder.mkdir(parents=True)
    digest = gcc["digests"][0].partition(":")[2]
    (folder / "gcc.hash").write_text(
        f"# From the release\nsha256  {digest}  gcc-1.tar.xz\nsha256  {digest}  gcc-2.tar.xz\n"
    )
    (tmp_path / "dl").mkdir()
    tarballs.rename(tmp_path / "dl" / "gcc")
    planned = buildroot_manifest(tmp_path / "buildroot", tmp_path / "dl")
    assert list(planned.files) == ["gcc/gcc-1.tar.xz"]
    assert planned.files["gcc/gcc-1.tar.xz"].digests == tuple(gcc["digests"])


def test_a_steps_files_fit_a_line() -> None:
    """Addresses, and at worst files, give way where a step's would not fit into a line of the journal."""
    digests = (f"sha512:{'0' * 128}", f"blake2b:{'0' * 128}")
    long = [
        SourceFile(file=f"{number}" + "ü" * 200, digests=digests, url="https://" + "x" * 900) for number in range(60)
    ]
    kept = fitting(long)
    assert len(kept) == 50
    assert all(each.url is None for each in kept)
    worst = [SourceFile(file=f"{number}" + "\x01" * 250, digests=digests) for number in range(50)]
    for files in (kept, fitting(worst)):
        (line,) = lines_of(Plan(time=1.0, build="b", steps=[PlannedStep(phase="p", step="s", sources=files)]))
        assert len(line) < MAX_LINE_BYTES
    assert 20 < len(fitting(worst)) < 50


def test_a_long_plan_keeps_its_directory(journal: Path) -> None:
    """A plan of more lines than one has its files and their directory whole when it is read back."""
    steps = [
        PlannedStep(
            phase="p",
            step=f"{n}",
            sources=[SourceFile(file=f"{n}-{i}", digests=("md5:" + "0" * 32,)) for i in range(20)],
        )
        for n in range(200)
    ]
    lines = list(lines_of(Plan(time=1.0, build="b", steps=steps, tarballs="/mnt/sources")))
    assert len(lines) > 1
    (journal / "b").mkdir()
    path = journal / "b" / "20260102T030405Z.jsonl"
    path.write_bytes(b"".join(lines))
    run = read_run(str(path), "b", path.stem)
    assert run.tarballs == "/mnt/sources"
    assert len(list(planned_sources(run))) == 4000


def test_without_lists_the_book_shows_the_checksums(
    command: Callable[..., Any], jhalfs_tree: Path, tarballs: Path, book: Path, sources: Sources
) -> None:
    """Where jhalfs downloaded nothing itself, its steps' files get the book's MD5, and the plan says where they are."""
    (tarballs / "urls.lst").unlink()
    done = command("plan", "jhalfs", str(jhalfs_tree), "--book", str(book), "--build", "lfs", "--output", "event")
    event = json.loads(done.stdout)
    assert event["tarballs"] == str(tarballs)
    reports = {step["step"]: step["sources"] for step in event["steps"]}
    assert reports["801-gcc"][0]["digests"] == sources("gcc-1.tar.xz")[0]["digests"]
    assert reports["802-linux"][0]["digests"] == sources("linux-2.tar.gz")[0]["digests"]


def test_a_rule_that_unpacks_names_the_file(jhalfs_tree: Path) -> None:
    """A step of the user's own, whose Makefile's rule unpacks a tarball, needs that one."""
    text = (jhalfs_tree / "Makefile").read_text().replace("CHROOT: 801-gcc", "CHROOT: Cus-001-nano 801-gcc")
    (jhalfs_tree / "Makefile").write_text(text + "\nCus-001-nano:\n\t@$(call unpack2,nano-7.2.tar.xz)\n")
    found = jhalfs_sources(jhalfs_tree, read(jhalfs_tree / "Makefile"))
    assert found["Cus-001-nano"] == [SourceFile(file="nano-7.2.tar.xz")]


def test_a_watched_build_without_lists_takes_the_book_in_its_tree(
    jhalfs_tree: Path, tarballs: Path, book: Path, sources: Sources
) -> None:
    """If jhalfs was set to download nothing, the book that it keeps in its tree shows the checksums."""
    (tarballs / "urls.lst").unlink()
    book.rename(jhalfs_tree / "book-source")
    files = Tarballs(None).of(jhalfs_tree, read(jhalfs_tree / "Makefile"))
    assert [list(each.digests) for each in files["802-linux"]] == [sources("linux-2.tar.gz")[0]["digests"]]


def test_a_tree_without_sources_beside_it_names_none(jhalfs_tree: Path, tarballs: Path) -> None:
    """Logs copied to another machine to be read in make no one search for their tarballs there."""
    tarballs.rename(tarballs.with_name("elsewhere"))
    makefile = read(jhalfs_tree / "Makefile")
    assert Tarballs(None).of(jhalfs_tree, makefile) == {}
    assert Tarballs(tarballs.with_name("elsewhere")).of(jhalfs_tree, makefile).keys() == {"801-gcc", "802-linux"}
