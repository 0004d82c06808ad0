"""A language model's client asks a running exporter at `/mcp`, by the official package and the protocol's HTTP."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra is not installed: pip install 'build-exporter[mcp]'")

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

TOKEN = "0123456789abcdef-read"
BODY = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()


@pytest.fixture
def served(serve: Callable[..., Any], journal: Path, run_file: Callable[..., Any], tmp_path: Path) -> Any:
    """An exporter with a failed build that answers models, and asks for tokens."""
    log = tmp_path / "gcc.log"
    log.write_text("x.c:7:3: error: unknown type name 'foo'\nmake: *** [x.o] Error 1\n")
    run = run_file("lfs", clock=time.time() - 60)
    run.add("step_started", phase="p", step="gcc", log=str(log))
    run.add("step_finished", phase="p", step="gcc", status="failed", exit_code=2)
    (tmp_path / "config.yml").write_text("web: {mcp: read}\n")
    for role in ("read", "ingest"):
        (tmp_path / role).write_text(f"0123456789abcdef-{role}")
    roles = ", ".join(f"{{role: {role}, file: {tmp_path / role}}}" for role in ("read", "ingest"))
    (tmp_path / "web.yml").write_text(f"bearer_tokens: [{roles}]\n")
    return serve("--config", str(tmp_path / "config.yml"), "--web.config.file", str(tmp_path / "web.yml"))


def test_a_model_asks_over_http_follows_changes_and_is_quick(served: Any, run_file: Callable[..., Any]) -> None:
    """With a token that may read: the reason of the failure within 50 ms, and a notification when the build goes on."""

    async def questions(client: Client) -> None:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert "explain_failure" in names
        assert "acknowledge_alerts" not in names
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            found = await client.call_tool("explain_failure", {"build": "lfs"})
            taken.append(time.perf_counter() - began)
        (card,) = json.loads(found.content[0].text)["failures"]  # type: ignore[union-attr]
        assert "unknown type name" in card["reason"]
        # the machine of a test may be busy: the quickest shows what an answer takes
        assert min(taken) < 0.05, taken
        uri = "build-exporter://builds/lfs"
        async with client.listen(resource_subscriptions=[uri]) as changes:
            run_file("lfs", clock=time.time()).add("step_started", phase="p", step="gcc")
            async for change in changes:
                if getattr(change, "uri", "") == uri:
                    break
            text = (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]
            assert json.loads(text)["state"] == "running"

    async def run() -> None:
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
        transport = streamable_http_client(f"{served.url}/mcp", http_client=http)
        async with asyncio.timeout(60), http, Client(transport) as client:
            await questions(client)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer 0123456789abcdef-ingest"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 421),
    ],
)
def test_the_checks_of_the_api_come_first(served: Any, headers: dict[str, str], status: int) -> None:
    """Token, role, origin and host are checked as for the API: a page of another site asks nothing."""
    fixed = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(f"{served.url}/mcp", BODY, fixed | headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
    assert refused.value.code == status


def test_it_is_off_unless_configured(serve: Callable[..., Any]) -> None:
    """Without `web.mcp` there is no such address."""
    assert serve().get("/mcp")[0] == 404
