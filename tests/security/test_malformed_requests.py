"""What is no HTTP, or two requests in the clothes of one: refused at the door, and nothing goes on."""

from __future__ import annotations

import json

import pytest

from tests.fakes.chain import Chain
from tests.fakes.raw import raw, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = b"GET /health HTTP/1.1"
LOGIN = b"POST /login HTTP/1.1"
FORM = b"Content-Type: application/x-www-form-urlencoded"
CHUNKED = b"Transfer-Encoding: chunked"
HIDDEN = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"

NO_HTTP = {
    "a NUL in a value": request(HEALTH, b"x-request-id: a\0b"),
    "a line feed in a value": request(HEALTH, b"x-request-id: a\nx-evil: b"),
    "a carriage return in a value": request(HEALTH, b"x-request-id: a\rx-evil: b"),
    "a value on two lines": request(HEALTH, b"x-a: b", b" c"),
    "a blank in a name": request(HEALTH, b"x a: b"),
    "a blank before the colon": request(LOGIN, b"Content-Length : 4", body=b"abcd"),
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": request(HEALTH, b"Host: evil.example"),
    "both lengths": request(LOGIN, FORM, b"Content-Length: 4", CHUNKED, body=HIDDEN),
    "both lengths, the other way round": request(LOGIN, FORM, CHUNKED, b"Content-Length: 4", body=HIDDEN),
    "two lengths": request(LOGIN, FORM, b"Content-Length: 4", b"Content-Length: 50", body=HIDDEN),
    "two lengths in one": request(LOGIN, FORM, b"Content-Length: 4, 50", body=HIDDEN),
    "a negative length": request(LOGIN, FORM, b"Content-Length: -4", body=HIDDEN),
    "a length with a sign": request(LOGIN, FORM, b"Content-Length: +4", body=HIDDEN),
    "a length that is none": request(LOGIN, FORM, b"Content-Length: 0x4", body=HIDDEN),
    "a length beyond 64 bits": request(LOGIN, FORM, b"Content-Length: 99999999999999999999", body=HIDDEN),
    "chunked, but not at last": request(LOGIN, FORM, b"Transfer-Encoding: chunked, gzip", body=HIDDEN),
    "chunked twice": request(LOGIN, FORM, b"Transfer-Encoding: chunked, chunked", body=HIDDEN),
    "nearly chunked": request(LOGIN, FORM, b"Transfer-Encoding: xchunked", body=HIDDEN),
    "a chunk of no size": request(LOGIN, FORM, CHUNKED, body=b"zz\r\nabc\r\n" + HIDDEN),
    "a chunk of a negative size": request(LOGIN, FORM, CHUNKED, body=b"-1\r\nabc\r\n" + HIDDEN),
    "a chunk of any size": request(LOGIN, FORM, CHUNKED, body=b"f" * 18 + b"\r\nabc\r\n" + HIDDEN),
    "a NUL in the method": request(b"GET\0 /health HTTP/1.1"),
    "a method of its own": request(b"FROB /health HTTP/1.1"),
    "bytes in the URL": request(b"GET /\xff\xfe HTTP/1.1"),
    "a URL that is none": request(b"GET http://[::1 HTTP/1.1"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a URL of 9 kB": request(b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
    "a value of 70 kB": request(HEALTH, b"baggage: " + b"a" * 70_000),
    "a thousand headers": request(HEALTH, *[b"x: y"] * 1000),
}


@pytest.mark.parametrize("what", NO_HTTP)
async def test_what_is_no_request_is_refused_and_ends_the_connection(services: Chain, what: str) -> None:
    before = len(services.lines)
    answers = await raw(services.address, NO_HTTP[what])
    assert [answer.status for answer in answers] == [400]
    # The log has one line of it at most and never a traceback; what was hidden behind it never ran.
    assert [answer.status for answer in await raw(services.address, request(HEALTH))] == [200]
    told = [line for line in services.lines[before:] if line.get("event") == "malformed_request"]
    assert len(told) <= 1, told
    for line in services.lines[before:]:
        assert "exception" not in line
        assert "/hidden" not in line["message"]


async def test_a_megabyte_in_one_header_costs_its_connection_and_no_more(services: Chain) -> None:
    for _ in range(20):
        answers = await raw(services.address, request(HEALTH, b"baggage: " + b"a" * 1_000_000))
        assert [answer.status for answer in answers] in ([400], []), "refused, or cut off while it was sent"
    assert [answer.status for answer in await raw(services.address, request(HEALTH))] == [200]


FOUR = (b"Content-Length: 4",)
FORMS = {
    "packed, but not as it says": (request(LOGIN, FORM, b"Content-Encoding: gzip", *FOUR, body=b"abcd"), 400),
    "packed in a way of its own": (request(LOGIN, FORM, b"Content-Encoding: nope", *FOUR, body=b"abcd"), 400),
    "two megabytes": (request(LOGIN, FORM, b"Content-Length: 2000000", body=b"username=" * 222_222), 413),
    "expects what nobody gives": (request(LOGIN, FORM, b"Expect: 200-ok", *FOUR, body=b"abcd"), 417),
}


@pytest.mark.parametrize("what", FORMS)
async def test_forms_that_cannot_be_read(services: Chain, what: str) -> None:
    sent, status = FORMS[what]
    assert [answer.status for answer in await raw(services.address, sent)] == [status]


METHODS = {
    b"HEAD /productpage": 200,
    b"HEAD /api/v1/products/0": 200,
    b"HEAD /api/v1/products/9x": 400,
    b"HEAD /login": 405,
    b"OPTIONS /productpage": 405,
    b"OPTIONS *": 404,
    b"TRACE /productpage": 405,
    b"CONNECT evil.example:443": 404,
    b"PUT /api/v1/products/0": 405,
    b"DELETE /api/v1/products/0": 405,
    b"PATCH /login": 405,
    b"PROPFIND /": 405,
    b"GET http://evil.example/health": 200,  # RFC 9112 section 3.2.2: it is meant for us all the same
    b"GET //evil.example/%5c..%5c": 404,
}


@pytest.mark.parametrize("line", METHODS, ids=lambda line: line.decode())
async def test_methods_and_targets_that_nobody_foresaw(services: Chain, line: bytes) -> None:
    [answer] = await raw(services.address, request(line + b" HTTP/1.1", b"Cookie: session=secret"))
    assert answer.status == METHODS[line]
    assert b"secret" not in answer.body
    assert "content-security-policy" in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert ("allow" in answer.headers) == (answer.status == 405)
    if line.startswith(b"HEAD"):
        assert answer.body == b""
    elif answer.status >= 400:
        assert json.loads(answer.body)["error"]["reason"]


UP = [
    b"/productpage/static/../../app.py",
    b"/productpage/static/..%2f..%2fapp.py",
    b"/productpage/static/%2e%2e%2f%2e%2e%2fapp.py",
    b"/productpage/static/%252e%252e%252fapp.py",
    b"/productpage/static/..%5c..%5capp.py",
    b"/productpage/static//etc/passwd",
    b"/productpage/static/%2fetc%2fpasswd",
    b"/productpage/static/page.js%00.css",
    b"/productpage/static/live.html",
    b"/productpage/static/",
    b"/productpage/static/.",
    b"/productpage/static/page.css/../../openapi.json",
]


@pytest.mark.parametrize("path", UP, ids=lambda path: path.decode())
async def test_no_path_leads_out_of_the_static_files(services: Chain, path: bytes) -> None:
    [answer] = await raw(services.address, request(b"GET " + path + b" HTTP/1.1"))
    assert answer.status == 404
