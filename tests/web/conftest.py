"""Pages as a browser without scripts gets them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from build_exporter.collectors.scrape import Scrape
from build_exporter.monitor import Monitor
from build_exporter.web.app import make_app
from build_exporter.web.messages import Request, Response
from build_exporter.web.service import Service

VOID = {"meta", "input", "br", "img", "link", "hr"}
NOW = 1.7801e9


class Page(HTMLParser):
    """What a browser makes of a page: elements, their attributes, and text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    @property
    def words(self) -> str:
        """The text with white space as a browser shows it."""
        return " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data


class Site:
    """The application over a journal, asked without a network, at one fixed time."""

    def __init__(self, journal: Path) -> None:
        self.monitor = Monitor(str(journal), lambda: NOW)
        self.service = Service(self.monitor, Scrape(()), lambda: "")
        self.app = make_app(self.service)

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        server: str = "127.0.0.1",
        body: bytes = b"",
        is_upgrade: bool = False,
        **headers: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        raw, _, query = path.partition("?")
        fields = {"host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        named = [(name.lower().encode(), value.encode()) for name, value in fields.items()]

        async def parts() -> AsyncIterator[bytes]:
            yield body

        async def ask() -> Response:
            request = Request(method, raw.encode(), query.encode(), named, parts(), "127.0.0.1", (server, 10110))
            request.is_upgrade = is_upgrade
            answer = self.app(request)
            return answer if isinstance(answer, Response) else await answer

        found = asyncio.run(ask())
        return found.status, found.headers, found.body

    def page(self, path: str = "/", status: int = 200) -> Page:
        """Return a page, which must come with this status."""
        found, headers, body = self.get(path)
        assert (found, headers["content-type"]) == (status, "text/html; charset=utf-8")
        return Page(body.decode())


@pytest.fixture
def site(journal: Path) -> Site:
    """The application over the journal."""
    return Site(journal)


@pytest.fixture
def page(site: Site) -> Callable[..., Page]:
    """Ask for a page."""
    return site.page


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], Path]:
    """Make a self-signed certificate for localhost with a common name; return the directory of cert.pem and key.pem."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")

    def make(name: str) -> Path:
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
        alternative = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*command, *files, *alternative], check=True, capture_output=True)
        return tmp_path

    return make
