"""Links to acknowledge: only this exporter makes them, for as long as they say, with a key for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from build_exporter.alerting.links import KEY_FILE, LINK_SECONDS, BadLinkError, Claim, Links, kept_key
from build_exporter.queries.incidents import Incident, Kind

KEY = bytes(range(32))
CLAIM = Claim("lfs", "BuildFailed", "7", 1000)


def test_a_link_holds_until_its_second() -> None:
    """What was signed is read back up to the second it names, and not after it."""
    links = Links("", key=KEY)
    assert links.read(links.sign(CLAIM), 1000.0) == CLAIM
    with pytest.raises(BadLinkError, match="too old"):
        links.read(links.sign(CLAIM), 1000.1)


@pytest.mark.parametrize(
    "change",
    [
        lambda link: Links("", key=KEY[::-1]).sign(CLAIM),
        lambda link: link[:-1] + ("A" if link[-1] != "A" else "B"),
        lambda link: link[:20],
        lambda link: link[4:],
        lambda link: "",
        lambda link: "\u00e9",
    ],
)
def test_what_was_not_signed_here_is_refused(change: Any) -> None:
    """Another key, a changed letter, a part, nothing, and text that is no link are one refusal."""
    links = Links("", key=KEY)
    with pytest.raises(BadLinkError):
        links.read(change(links.sign(CLAIM)), 0.0)


def test_an_alert_has_its_links() -> None:
    """Page, runbook and dashboard by names that are quoted; the key to acknowledge is of this incident, for a time."""
    words: dict[str, Any] = {"build": "a b", "kind": Kind.FAILED, "failure": "7", "since": 100.5, "description": "x"}
    links = Links("http://h", "http://g", KEY)
    found = links.of(Incident(**words))
    assert found.pop("acknowledge_url").startswith("http://h/alerts/acknowledge?link=")
    assert found == {
        "page_url": "http://h/builds/a%20b",
        "runbook_url": "http://h/runbook#buildfailed",
        "dashboard_url": "http://g/d/build-now?var-build=a%20b",
    }
    plain = Links("http://h", key=KEY).of(Incident(**words))
    assert plain["dashboard_url"] == ""
    claim = links.read(plain["acknowledge_url"].partition("link=")[2], 0.0)
    assert claim == Claim("a b", "BuildFailed", "7", int(100.5 + LINK_SECONDS))


def test_the_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """The first is kept, none before there is a journal; a file of somebody else, a link or a torn one is not used."""
    path, other = tmp_path / KEY_FILE, KEY[::-1]
    assert kept_key(str(tmp_path / "none"), KEY) is None
    assert [kept_key(str(tmp_path), key) for key in (KEY, other)] == [KEY, KEY]
    assert path.stat().st_mode & 0o777 == 0o600
    for content in (KEY[:31], KEY + b"x"):
        path.write_bytes(content)
        assert kept_key(str(tmp_path), other) == other
    path.write_bytes(KEY)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        assert kept_key(str(tmp_path), other) == other
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert kept_key(str(tmp_path), other) == other
