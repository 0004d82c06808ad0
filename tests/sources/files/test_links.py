"""A record's path may be a link, but nobody gets read by the exporter what he may not read himself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.sources.files import TailFile, open_regular

STRANGER = 65534
"""The user whose links and directories a privileged exporter must not trust."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files and links of two users")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that only its owner, who runs the exporter, may read."""
    for each in (tmp_path, *tmp_path.parents[:-1]):
        # pytest's own directories are closed to others
        each.chmod(each.stat().st_mode | 0o111)
    path = tmp_path / "secret"
    path.write_text("STARTED the-secret-step\n")
    path.chmod(0o600)
    return path


def link(path: Path, target: Path | str, owner: int = STRANGER) -> Path:
    """Make a link that belongs to a user."""
    path.symlink_to(target)
    os.lchown(path, owner, owner)
    return path


def is_read(path: Path) -> bool:
    """Return whether the file a path leads to is opened."""
    try:
        os.close(open_regular(path))
    except PermissionError as error:
        return "another user's link" not in str(error)
    return True


@as_root
def test_another_users_link_leads_to_what_that_user_may_read(secret: Path, tmp_path: Path) -> None:
    """The link of another user is followed to that user's own files and to those open to all, to no other."""
    path = link(tmp_path / "build.log", secret)
    assert not is_read(path)
    os.chown(secret, STRANGER, STRANGER)
    assert is_read(path)
    os.chown(secret, 0, 0)
    secret.chmod(0o604)
    assert is_read(path)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    secret.rename(closed / "secret")
    assert not is_read(link(tmp_path / "second.log", "closed/../closed/secret"))


@as_root
def test_links_of_root_are_followed_anywhere(secret: Path, tmp_path: Path) -> None:
    """What root has linked, `latest.log` to the newest log for instance, is read as the file itself."""
    assert is_read(link(tmp_path / "latest.log", "secret", owner=0))
    assert is_read(secret)


@as_root
def test_a_directory_on_the_way_counts_as_the_link_itself(secret: Path, tmp_path: Path) -> None:
    """Another user's link in place of a directory leads no further than one in place of the file."""
    (tmp_path / "private").mkdir()
    secret.rename(tmp_path / "private/build.log")
    logs = link(tmp_path / "logs", "private")
    assert not is_read(logs / "build.log")
    assert not is_read(link(tmp_path / "chain", "logs", owner=0) / "build.log")
    with pytest.raises(PermissionError):
        TailFile(logs / "build.log", follow_links=False).read()


@as_root
def test_a_watched_log_that_becomes_a_link_is_not_read(
    serve: Callable[..., Any], poll: Callable[..., None], secret: Path, tmp_path: Path
) -> None:
    """An exporter of root that watches a user's log reads no file of root when the user puts a link in its place."""
    path = link(tmp_path / "build.log", secret)
    served = serve("--watch", f"log={path}")
    poll(lambda: served.value("build_exporter_source_up", source="log/build") == 0, what="the link is refused")
    assert "another user's link leads" in served.log.read_text()
    assert b"the-secret-step" not in served.get("/metrics")[2]
    path.unlink()
    path.write_text("STARTED own-step\n")
    poll(lambda: served.value("build_step_status", step="own-step") == 1, what="the user's own file is read")
