"""`build-exporter verify`: whether the files a build needs are there, whole and the right ones, before it does."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from build_exporter.checksums.digests import LENGTHS
from build_exporter.checksums.manifest import Manifest, buildroot_manifest, checksum_files_beside
from build_exporter.checksums.verify import bytes_to_read, lower_priority, unlisted
from build_exporter.checksums.verify import verify as verify_files
from build_exporter.cli.options import journal_option
from build_exporter.cli.output import stop, stop_at_unreadable_plans
from build_exporter.cli.verify_output import Progress, VerifyResult, as_csv, as_json, table
from build_exporter.config.values import escaped
from build_exporter.model.states import SourceState
from build_exporter.monitor import read_newest
from build_exporter.plan.book import Revision, read_book
from build_exporter.plan.jhalfs_makefile import is_makefile, read
from build_exporter.plan.jhalfs_sources import LISTS, MISSING_FILES, jhalfs_sources, sources_directory
from build_exporter.plan.yaml_plan import read_yaml
from build_exporter.tracker.sources import planned_sources

NICENESS = 10
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("directory", required=False, type=_DIRECTORY)
@click.option("--checksums", metavar="FILE", multiple=True, type=_FILE, help="A list of checksums; repeatable.")
@click.option("--book", metavar="DIR", type=_DIRECTORY, help="The files of the LFS book's steps; its XML.")
@click.option("--rev", type=click.Choice(["systemd", "sysv"]), default="systemd", show_default=True)
@click.option("--plan", "plan_file", metavar="FILE", type=_FILE, help="The files of a plan in YAML.")
@click.option("--jhalfs", metavar="DIR", type=_DIRECTORY, help="The files of the build that jhalfs has prepared.")
@click.option("--buildroot", metavar="DIR", type=_DIRECTORY, help="What Buildroot has downloaded; its tree.")
@click.option("--build", metavar="NAME", help="The files of the plan that the journal has of this build.")
@journal_option
@click.option(
    "--algorithm",
    type=click.Choice(list(LENGTHS)),
    help="Algorithm of checksum files that don't name it. Default: by the digests' length.",
)
@click.option("--ignore-missing", is_flag=True, help="Ignore absent files.")
@click.option("--all", "every", is_flag=True, help="Show verified files and those that nothing names, too.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Files read at a time. Default: processors, at most 4.")
@click.option("--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def verify(
    directory: Path | None, ignore_missing: bool, every: bool, jobs: int | None, output: str, **origin: Any
) -> None:
    """Verify the files in DIRECTORY that a build will be made from, by a list of checksums or by the build's plan.

    By default, use the list in DIRECTORY: md5sums, SHA256SUMS, urls.lst and their like. Exits with 1 when a
    file is missing, ends too early, can't be read or is another than planned.

    \b
    build-exporter verify /mnt/lfs/sources --book ~/lfs-git
    build-exporter verify --jhalfs /mnt/lfs/jhalfs
    build-exporter verify . --checksums SHA256SUMS
    """
    with stop_at_unreadable_plans("verify"):
        manifest, directory = _manifest(directory, **origin)
    if not manifest.files:
        stop("verify", "no file to verify is named", 1)
    lower_priority(NICENESS)
    files = list(manifest.files.values())
    with Progress(bytes_to_read(str(directory), files)) as progress:
        results = verify_files(str(directory), files, jobs, progress.add)
        with contextlib.closing(results):
            findings = [each for each in results if not ignore_missing or each[1].state is not SourceState.MISSING]
    others = unlisted(str(directory), manifest.files, map(str, manifest.lists))
    result = VerifyResult(str(directory), manifest, findings, others)
    _show(result, output, every=every)
    raise SystemExit(0 if result.is_good else 1)


def _show(result: VerifyResult, output: str, *, every: bool) -> None:
    for problem in result.manifest.problems:
        click.echo(f"build-exporter verify: {escaped(problem)}", err=True)
    if output == "json":
        click.echo(as_json(result))
    elif output == "csv":
        click.echo(as_csv(result))
    else:
        click.echo("\n".join(table(result, every=every)))


def _manifest(directory: Path | None, **origin: Any) -> tuple[Manifest, Path]:
    """Return what to verify and where.

    Raises:
        OSError, ValueError, BookError, ConfigError: what names the files can't be read.
    """
    journal, algorithm, rev = (origin.pop(name) for name in ("journal", "algorithm", "rev"))
    given = [name for name, value in origin.items() if value]
    if len(given) > 1:
        stop("verify", f"take one of {', '.join('--' + name.replace('_file', '') for name in given)}")
    manifest, beside = _planned(given[0], origin, rev, journal, directory) if given else (Manifest(), None)
    directory = directory or beside
    if directory is None:
        stop("verify", "give the DIRECTORY of the files")
    lists = origin["checksums"] or ([] if given else checksum_files_beside(directory))
    if not lists and not given:
        stop("verify", f"{directory} holds no list of checksums; name one by --checksums, or a plan")
    for path in lists:
        manifest.add_list(path, algorithm)
    return manifest, directory


def _planned(
    kind: str, origin: dict[str, Any], rev: Revision, journal: str, directory: Path | None
) -> tuple[Manifest, Path | None]:
    """Return the files of a plan, and their directory if the plan names it."""
    manifest, beside = Manifest(), None
    if kind == "book":
        for step in read_book(origin["book"], rev).steps:
            manifest.add(step.planned.step, step.planned.sources or ())
    elif kind == "plan_file":
        plan = read_yaml(origin["plan_file"])
        for step in plan.steps:
            manifest.add(step.planned.step, step.planned.sources or ())
        beside = Path(plan.tarballs) if plan.tarballs else None
    elif kind == "jhalfs":
        tree = next((t for t in (origin["jhalfs"], origin["jhalfs"] / "jhalfs") if is_makefile(t / "Makefile")), None)
        if tree is None:
            raise ValueError(f"{origin['jhalfs']}: no Makefile of jhalfs")
        beside = sources_directory(tree.absolute())
        for target, files in jhalfs_sources(tree, read(tree / "Makefile"), directory or beside).items():
            manifest.add(target, files)
        manifest.lists = [(directory or beside) / name for name in (*LISTS, MISSING_FILES)]
    elif kind == "buildroot":
        beside = origin["buildroot"] / "dl"
        manifest = buildroot_manifest(origin["buildroot"], directory or beside)
    elif kind == "build":
        return _of_build(origin["build"], journal)
    return manifest, beside


def _of_build(name: str, journal: str) -> tuple[Manifest, Path | None]:
    build = read_newest(journal).builds.get(name)
    if build is None or build.current is None:
        raise ValueError(f"no build {name} in {journal}")
    manifest = Manifest()
    for step, source in planned_sources(build.current):
        manifest.add(step.step, [source])
    return manifest, Path(build.current.tarballs) if build.current.tarballs else None
