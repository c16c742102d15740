"""Whatever a request says of itself: it ends in no header, no page and no log line as anything but text."""

from __future__ import annotations

import json
from html import unescape
from urllib.parse import quote

import aiohttp
import pytest

from tests.fakes.chain import Chain
from tests.fakes.markup import foreign_markup
from tests.fakes.raw import raw, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRODUCT = b"GET /api/v1/products/0 HTTP/1.1"
PAGE = b"GET /productpage HTTP/1.1"
REQUEST_ID = "x-request-id"

VALUES = {
    "Latin-1": b"\xe9\xff",
    "UTF-8": "é😀".encode(),
    "no UTF-8": b"\xc3\x28\xed\xa0\x80",
    "line ends, escaped": b"a%0d%0aset-cookie:%20x=y",
    "line ends, as text": rb"a\r\nset-cookie: x=y",
    "a tab": b"a\tb",
    "a tag": b"<script>alert(1)</script>",
    "quotes": b"'\"><img src=x onerror=alert(1)>",
    "a template": b"{{7777*7777}}${7777*7777}#{7777*7777}%{7777*7777}",
    "a log line": b'","level":"ERROR","x":"',
    "8000 bytes": b"a" * 8000,
    "nothing": b"",
    "blanks": b"    ",
}
OURS = (b"x-request-id", b"end-user", b"baggage", b"x-lane", b"x-tenant", b"traceparent", b"tracestate")
OTHERS = (b"cookie", b"user-agent", b"accept", b"origin", b"referer", b"x-forwarded-for", b"sec-fetch-site")
COOKIES = (b"session=", b"lane=", b"draw=", b"a=")


@pytest.mark.parametrize("what", VALUES)
async def test_any_value_in_any_header(services: Chain, what: str) -> None:
    value = VALUES[what]
    sent = [*((name, value) for name in OURS + OTHERS), (b"baggage", b"env=" + value)]
    sent += [(b"cookie", name + value) for name in COOKIES]
    for line in (PRODUCT, PAGE):
        for name, given in sent:
            [answer] = await raw(services.address, request(line, name + b": " + given))
            assert answer.status == 200, (name, answer.body)
            assert "set-cookie" not in answer.names
            assert answer.names.count(REQUEST_ID) == 1
            assert answer.headers[REQUEST_ID].isascii()
            if line is PAGE:
                assert foreign_markup(answer.body.decode()) == [], name
            if line is PRODUCT:
                body = json.loads(answer.body)
                assert set(body["hops"]) == {"service", "version", "instance", "lane", "calls"}
                assert "error" not in body["reviews"], "what cannot travel is left behind, and calls go on"


BAGGAGE: dict[str, tuple[bytes, str]] = {
    "8192 bytes": (b"env=dev,a=" + b"x" * 8182, "dev"),
    "8193 bytes": (b"a=" + b"x" * 8183 + b",env=dev", "dev"),
    "64 members": (b",".join(b"k%d=v" % i for i in range(63)) + b",env=dev", "dev"),
    "65 members": (b",".join(b"k%d=v" % i for i in range(64)) + b",env=dev", "dev"),
    "5000 members": (b",".join(b"k%d=v" % i for i in range(5000)) + b",env=dev", "dev"),
    "30,000 commas": (b"," * 30_000 + b"env=dev", "dev"),
    "15,000 properties": (b"env=dev" + b";a" * 15_000, "dev"),
    "a lane of 9000 bytes": (b"a=b,env=" + b"x" * 9000, "base"),
    "half an escape": (b"env=%", "%"),
    "no hex": (b"env=%zz", "%zz"),
    "an escaped comma": (b"env=dev%2Ca%3Db", "dev,a=b"),
    "an escaped line end": (b"env=dev%0d%0aset-cookie:%20a=b", "dev\r\nset-cookie: a=b"),
    "an escaped NUL": (b"env=%00", "\0"),
    "no UTF-8": (b"env=%ff%fe", "\ufffd\ufffd"),
    "an overlong escape": (b"env=%c0%80", "\ufffd\ufffd"),
    "half of a pair": (b"env=%ed%a0%80", "\ufffd\ufffd\ufffd"),
    "two lanes": (b"env=qa,env=dev", "dev"),
    "no key": (b"=dev,env=dev", "dev"),
    "no value": (b"env=", "base"),
    "no member": (b"env", "base"),
    "another's name": (b"someenv=dev,env2=dev,ENV=dev", "base"),
}


@pytest.mark.parametrize("what", BAGGAGE)
async def test_baggage_of_any_shape(services: Chain, what: str) -> None:
    header, lane = BAGGAGE[what]
    [answer] = await raw(services.address, request(PRODUCT, b"baggage: " + header))
    assert answer.status == 200
    hops = json.loads(answer.body)["hops"]
    assert hops["lane"] == lane
    assert {call["lane"] for call in hops["calls"]} == {hops["lane"]}, "every hop reads the same of it"
    [page] = await raw(services.address, request(PAGE, b"baggage: " + header))
    assert page.status == 200


PAYLOADS = [
    "<script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "{{7777*7777}}",
    "&lt;script&gt;",
    "\u2028\u2029\u202e<u>",
]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_no_field_of_the_page_is_markup(services: Chain, payload: str) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    people = {"Accept": "text/html"}
    async with aiohttp.ClientSession(services.url, cookie_jar=jar) as session:
        async with session.post("/login", data={"username": payload}) as signed_in:
            assert signed_in.status == (200 if payload.isprintable() else 400)
            shown = unescape(await signed_in.text())
            assert payload in shown or not payload.isprintable(), "as text it is on the page"
        lane = {"baggage": f"env={quote(payload)}"}
        asked = [
            ("/productpage", lane),
            ("/productpage/live", lane),
            ("/productpage", {"Cookie": f"lane={quote(payload)}"}),
            (f"/productpage?id={quote(payload)}", people),
            (f"/{quote(payload)}", people),
            (f"/api/v1/products/{quote(payload, safe='')}", people),
            ("/productpage", {"x-request-id": quote(payload), "x-lane": quote(payload)}),
        ]
        for path, headers in asked:
            async with session.get(path, headers=headers) as answer:
                text = await answer.text()
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if answer.content_type == "text/html":
                    assert foreign_markup(text) == [], (path, headers)
                else:
                    assert answer.content_type == "application/json"
        for form in (
            {"lane": payload},
            {"username": payload, "id": payload},
            {"username": "x" * 65 + payload},
        ):
            async with session.post(
                "/lane" if "lane" in form else "/login", data=form, headers=people
            ) as answer:
                assert answer.status == 400
                assert foreign_markup(await answer.text()) == [], form


SITES = [
    ("cross-site", 403),
    ("same-site", 403),
    ("same-origin", 303),
    ("none", 303),
    ("", 403),
    ("anything", 403),
]


@pytest.mark.parametrize("path", ["/login", "/logout", "/lane"])
@pytest.mark.parametrize(("site", "status"), SITES)
async def test_forms_are_of_this_site(services: Chain, path: str, site: str, status: int) -> None:
    form = b"username=eve&lane=dev"
    fields = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(form))
    line = f"POST {path} HTTP/1.1".encode()
    [answer] = await raw(
        services.address, request(line, b"Sec-Fetch-Site: " + site.encode(), *fields, body=form)
    )
    assert answer.status == status
    assert ("set-cookie" in answer.headers) == (status == 303)
    assert "samesite=lax" in answer.headers.get("set-cookie", "samesite=lax").lower()


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<svg onload=a()>",
        "<a href='javascript:a()'>",
        "<u>",
        "<script src='//evil.example/x.js'></script>",
        f"<p>{7777 * 7777}",
    ],
)
async def test_what_is_foreign_is_found(html: str) -> None:
    assert foreign_markup(f"<!doctype html><body>{html}</body>")
