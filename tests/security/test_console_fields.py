"""The lane console, shown a mesh that lies about itself: nothing it says is markup, an event, or a path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from console.app import application
from console.reading.peers import Peer, Scene
from console.reading.reading import Reading
from tests.fakes.admin_port import AdminPort
from tests.fakes.events import Watching
from tests.fakes.markup import foreign_markup
from tests.fakes.raw import raw, request

PAYLOADS = [
    "<script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "</title></table><u>",
    "a\r\n\r\nevent: rules\r\ndata: {}\r\n\r\n",
    "a\u2028b\u2029\x00\x1b[31m<u>",
    "{{7777*7777}}",
    "x" * 100_000,
]


class Liar:
    """A mesh with one process whose every word is the payload."""

    name = "some"

    def __init__(self, port: AdminPort, payload: str) -> None:
        self.peers = (Peer("productpage/v1", port.address),)
        self.name = payload

    async def scene(self) -> Scene:
        return Scene(self.peers, errors=(("reviews/v1", self.name),))


def span(payload: str) -> dict[str, Any]:
    """A request that productpage has answered, all of it invented."""
    return {
        "trace_id": "0" * 31 + "1",
        "span_id": "0" * 15 + "1",
        "parent_span_id": None,
        "name": payload,
        "kind": "SERVER",
        "start": 1.0,
        "duration_ms": 1.0,
        "status": {"code": "ERROR", "description": payload},
        "attributes": {
            "http.method": payload,
            "http.target": payload,
            "http.route": payload,
            "url.path": payload,
            "http.request.method": payload,
            "http.status_code": 500,
            "lane": payload,
            "mesh.lane": payload,
            "enduser.id": payload,
            "error.type": payload,
            payload: payload,
        },
        "events": [{"name": payload, "time": 1.0, "attributes": {"exception.message": payload}}],
    }


@asynccontextmanager
async def console(payload: str) -> AsyncIterator[str]:
    """The console over this mesh, and its address."""
    async with AdminPort("productpage", payload, dump={"node": payload, "resources": []}) as port:
        port.spans.append(span(payload))
        reading = Reading(Liar(port, payload), why_not=payload, interval=0.01)
        async with reading:
            runner = web.AppRunner(application(reading, None), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            looking = asyncio.create_task(reading.run())
            try:
                yield f"127.0.0.1:{runner.addresses[0][1]}"
            finally:
                looking.cancel()
                await asyncio.wait((looking,))
                await runner.cleanup()


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_nothing_a_mesh_says_is_markup_or_an_event(payload: str) -> None:
    async with console(payload) as address, aiohttp.ClientSession(f"http://{address}") as session:
        async with Watching(f"http://{address}") as browser:
            await browser.until(lambda: browser.requests)
            sections = dict(browser.sections)
            assert set(browser.events) <= {"mesh", "topology", "lanes", "requests", "rules", "actions"}
        assert json.dumps(payload)[1:-1] in json.dumps([sections, browser.requests])
        async with session.get("/mesh") as page:
            text = await page.text()
            assert page.status == 200
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
            assert foreign_markup(text) == []
        for trace in browser.requests:
            async with session.get(f"/mesh/api/requests/{trace}") as answer:
                assert (answer.status, answer.content_type) == (200, "application/json")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                await answer.json()


ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("console/web/static/*.js"), *ROOT.glob("productpage/web/static/*.js")])
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc")


def test_no_script_makes_markup_of_text() -> None:
    assert len(SCRIPTS) > 10
    assert [(path.name, word) for path in SCRIPTS for word in MARKUP if word in path.read_text()] == []


UP = [
    b"/mesh/static/../page.py",
    b"/mesh/static/..%2f..%2fpage.py",
    b"/mesh/static/%2e%2e%2findex.html",
    b"/mesh/static/..%5cpage.py",
    b"/mesh/static/%2fetc%2fpasswd",
    b"/mesh/static//etc/passwd",
    b"/mesh/static/",
    b"/mesh/api/rules/../../../etc/passwd",
    b"/mesh/api/rules/x/RDS/../../../../etc/passwd",
    b"/mesh/api/rules/%2e%2e/%2e%2e/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    b"/mesh/api/rules/x/RDS/",
    b"/mesh/api/rules/x/RDS/%00",
    b"/mesh/api/requests/..%2f..%2fspans",
    b"/mesh/api/requests/%00",
]


async def test_no_path_leads_anywhere_else() -> None:
    async with console("plain") as address:
        for path in UP:
            [answer] = await raw(address, request(b"GET " + path + b" HTTP/1.1"))
            assert answer.status == 404, path
            assert json.loads(answer.body)["error"], path


HOSTS = [b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example", b"0x7f.1", b""]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_page_whose_name_was_led_here_reads_nothing(host: bytes) -> None:
    async with console("plain") as address:
        for path in (b"/mesh", b"/mesh/events", b"/mesh/api/requests/x", b"/mesh/static/main.js"):
            sent = b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            answers = await raw(address, sent)
            assert [answer.status for answer in answers] in ([403], [400]), path
