"""Paths of an installation besides emerge.log: from its root, its make.conf, or the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from build_exporter.config.section import Section, about
from build_exporter.sources.files import read_ends

LOG_NAME: Final = "emerge.log"

SETTINGS_BYTES: Final = 256 * 1024
MAX_SETTINGS_FILES: Final = 64

_SETTING: Final = re.compile(
    r"^\s*(?:export\s+)?(PORTAGE_TMPDIR|PORTAGE_LOGDIR|PORT_LOGDIR|EMERGE_LOG_DIR)=[\"']?(/[^\"'#\s]*)", re.MULTILINE
)


class Options(Section, frozen=True):
    """Paths that differ from those in Gentoo's root above the log."""

    mtimedb: Annotated[str | None, about("Portage's resume list, `/var/cache/edb/mtimedb`.", "path")] = None
    pretend: Annotated[str | None, about("Output of `emerge -p`: the plan of an emerge yet to begin.", "path")] = None
    tmpdir: Annotated[str | None, about("`PORTAGE_TMPDIR`, where packages are built.", "path")] = None
    status: Annotated[
        str | None, about("Directory of the status files of running emerges, `/run/portage`.", "path")
    ] = None


@dataclass(frozen=True, slots=True)
class PortagePaths:
    """Paths of an installation; None where unknown.

    Attributes:
        log: emerge.log.
        mtimedb: the resume list.
        pretended: a saved output of `emerge -p`.
        temporary: PORTAGE_TMPDIR.
        logs: PORTAGE_LOGDIR, where build logs are kept for good; they are links to it then.
        status: the directory of status files.
    """

    log: Path
    mtimedb: Path | None
    pretended: Path | None
    temporary: Path | None
    logs: Path | None
    status: Path | None


def find_log(path: Path) -> Path:
    """Return the log that a path means: itself, or the one in a directory, or in a system's root."""
    for candidate in (path / LOG_NAME, path / "log" / LOG_NAME, path / "var/log" / LOG_NAME):
        if candidate.is_file():
            return candidate
    if not path.is_dir():
        return path
    elsewhere = _settings(path).get("EMERGE_LOG_DIR")
    if elsewhere is not None:
        return elsewhere / LOG_NAME
    return path / "var/log" / LOG_NAME if _is_root(path) else path / LOG_NAME


def find_paths(path: Path, options: Mapping[str, Any]) -> PortagePaths:
    """Return where to look for everything; options `mtimedb`, `pretend`, `tmpdir` and `status` override."""
    log = find_log(path)
    named = {name: Path(str(value)) for name, value in options.items() if value}
    root = _root(path, log)
    settings = _settings(root) if root else {}
    return PortagePaths(
        log=log,
        mtimedb=named.get("mtimedb", root / "var/cache/edb/mtimedb" if root else log.parent / "mtimedb"),
        pretended=named.get("pretend"),
        temporary=named.get("tmpdir", settings.get("PORTAGE_TMPDIR", root / "var/tmp") if root else None),
        logs=settings.get("PORTAGE_LOGDIR", settings.get("PORT_LOGDIR")),
        status=named.get("status", root / "run/portage" if root else None),
    )


def _root(path: Path, log: Path) -> Path | None:
    if path.is_dir() and _is_root(path):
        return path.absolute()
    absolute = log.absolute()
    return absolute.parent.parent.parent if absolute.parent.parts[-2:] == ("var", "log") else None


def _is_root(path: Path) -> bool:
    return (path / "etc/portage").is_dir() or (path / "var/db/pkg").is_dir()


def _settings(root: Path) -> dict[str, Path]:
    """Return the directories that make.conf (a file, or a directory of files) names, as paths of this machine."""
    found: dict[str, Path] = {}
    for settings in ("etc/make.conf", "etc/portage/make.conf"):
        for file in _files(root / settings):
            try:
                text = read_ends(file, SETTINGS_BYTES, 0).head
            except OSError:
                continue
            found |= {name: _under(root, value) for name, value in _SETTING.findall(text)}
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        return [file for file in sorted(path.rglob("*")) if file.is_file()][:MAX_SETTINGS_FILES]
    except OSError:
        return []


def _under(root: Path, value: str) -> Path:
    """Return a path as seen from outside: a prefix writes whole paths, a system to be entered by chroot does not."""
    path = Path(value)
    return path if path.is_relative_to(root) else root / value.lstrip("/")
