"""Links in alerts, and the signed one that acknowledges without a password."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from build_exporter.journal.timeouts import call_with_timeout
from build_exporter.queries.incidents import Incident

log = logging.getLogger(__name__)

LINK_SECONDS: Final = 7 * 86400.0
"""Seconds after an incident began for which its link acknowledges."""
KEY_FILE: Final = ".alert-links.key"
_SIGNATURE_BYTES: Final = 16


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """Contents of a signed link: build, incident, and the Unix seconds at which it expires."""

    build: str
    alert: str
    failure: str
    expires: int


class BadLinkError(Exception):
    """A link that was not made here, was changed, or is too old."""


@dataclass(slots=True)
class Links:
    """Makes the links of alerts: `page` is the exporter's own address, `dashboards` Grafana's or empty."""

    page: str
    dashboards: str = ""
    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    def of(self, incident: Incident) -> dict[str, str]:
        """Return the links of an incident by the name of their annotation; those that lead nowhere are empty."""
        expires = int(incident.since + LINK_SECONDS)
        build = quote(incident.build)
        claim = Claim(incident.build, incident.alert, incident.failure, expires)
        return {
            "page_url": f"{self.page}/builds/{build}",
            "runbook_url": f"{self.page}/runbook#{incident.alert.lower()}",
            "dashboard_url": f"{self.dashboards}/d/build-now?var-build={build}" if self.dashboards else "",
            "acknowledge_url": f"{self.page}/alerts/acknowledge?link={self.sign(claim)}",
        }

    def sign(self, claim: Claim) -> str:
        """Return a claim as text that only the holder of the key can make."""
        body = msgspec.json.encode(claim)
        return _text(self._signature(body) + body)

    def read(self, link: str, now: float) -> Claim:
        """Return what a signed text says.

        Raises:
            BadLinkError: it was not signed with this key, or its time is over.
        """
        try:
            data = base64.urlsafe_b64decode(link + "=" * (-len(link) % 4))
            signature, body = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._signature(body)):
                raise BadLinkError("this link was not made by this exporter, or was changed")
            claim = msgspec.json.decode(body, type=Claim)
        except (ValueError, msgspec.MsgspecError):
            raise BadLinkError("this is no link to acknowledge an alert") from None
        if now > claim.expires:
            raise BadLinkError("this link is too old; acknowledge on the page of alerts")
        return claim

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self.key, body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def kept_key(journal: str, key: bytes) -> bytes | None:
    """Return the key that signs links, kept beside the journal for its owner alone: `key` where none is kept yet.

    It is `key`, for this process alone, where none can be kept or the file system does not answer, and None where the
    journal is not there yet.
    """
    kept: list[bytes] = []
    try:
        if not call_with_timeout(lambda: kept.append(_kept_key(Path(journal) / KEY_FILE, key))):
            raise TimeoutError(f"{journal} does not answer")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("links to acknowledge hold until the exporter ends only", extra={"error": str(error)})
        return key
    return kept[0] if len(kept[0]) == 32 else key


def _kept_key(path: Path, key: bytes) -> bytes:
    """Return the content of the key's file, `key` where there was none; empty where it is not this user's own file."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        is_own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        return file.read(33) if is_own else b""
