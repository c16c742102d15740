"""Who may change the mesh through the console: a table of what a request says of itself."""

import pytest

from console.acting.guard import Attempt, names_loopback, refusal

TOKEN = "t0ken"
GOOD: dict[str, tuple[str, ...]] = {
    "host": ("127.0.0.1:9080",),
    "origin": ("http://127.0.0.1:9080",),
    "sec-fetch-site": ("same-origin",),
    "content-type": ("application/json",),
    "x-csrf-token": (TOKEN,),
}


def status(peer: str = "127.0.0.1", **changed: tuple[str, ...]) -> int:
    headers = {**GOOD, **{name.replace("_", "-"): values for name, values in changed.items()}}
    found = refusal(Attempt(peer, {name: values for name, values in headers.items() if values}), TOKEN)
    return found.status if found is not None else 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_who_is_on_this_machine_may(peer: str) -> None:
    assert status(peer) == 200


@pytest.mark.parametrize(
    "peer", ["192.168.1.7", "10.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "fe80::1", "", "localhost"]
)
def test_who_is_on_another_may_not(peer: str) -> None:
    assert status(peer) == 403


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (("127.0.0.1",), 200),
        (("::1",), 200),
        (("127.0.0.1, 127.0.0.1",), 200),
        # A proxy on this machine asks for somebody far: only the last address is that of our own door.
        (("192.0.2.1, 127.0.0.1",), 403),
        (("192.0.2.1", "127.0.0.1"), 403),
        (("127.0.0.1, 192.0.2.1",), 403),
        (("127.0.0.1", "192.0.2.1"), 403),
        (("unknown",), 403),
        (("127.0.0.1:80",), 403),
        (("127.0.0.1,",), 403),
    ],
)
def test_behind_proxies_everybody_is_on_this_machine(forwarded: tuple[str, ...], expected: int) -> None:
    assert status(x_forwarded_for=forwarded) == expected


def test_what_a_proxy_tells_in_the_other_header_is_not_read() -> None:
    assert status(forwarded=("for=127.0.0.1",)) == 403


def test_a_forwarded_address_does_not_make_a_far_peer_near() -> None:
    assert status("192.0.2.1", x_forwarded_for=("127.0.0.1",)) == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:9080", True),
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("localhost:9080", True),
        ("LOCALHOST", True),
        ("[::1]:9080", True),
        ("[::1]", True),
        ("evil.example", False),
        ("evil.example:9080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("127.0.0.1:9080/x", False),
        ("localhost.", False),
        ("0.0.0.0", False),
        ("192.168.1.7", False),
        ("2130706433", False),
        ("127.1", False),
        ("[::]", False),
        ("::1", False),
        ("", False),
        ("127.0.0.1 ", False),
        ("127.0.0.1\n", False),
    ],
)
def test_a_host_is_a_loopback_name_that_cannot_be_led_elsewhere(host: str, expected: bool) -> None:
    assert names_loopback(host) is expected
    assert status(host=(host,), origin=(f"http://{host}",)) == (200 if expected else 403)


@pytest.mark.parametrize("hosts", [(), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "evil.example")])
def test_there_is_one_host(hosts: tuple[str, ...]) -> None:
    assert status(host=hosts) == 403


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ((), 200),
        (("http://127.0.0.1:9080",), 200),
        (("https://127.0.0.1:9080",), 200),
        (("http://127.0.0.1",), 403),
        (("http://127.0.0.1:9081",), 403),
        (("http://localhost:9080",), 403),
        (("http://evil.example",), 403),
        (("null",), 403),
        (("",), 403),
        (("file://127.0.0.1:9080",), 403),
        (("http://127.0.0.1:9080.evil.example",), 403),
        (("http://127.0.0.1:9080", "http://evil.example"), 403),
    ],
)
def test_an_origin_is_the_host_itself(origin: tuple[str, ...], expected: int) -> None:
    assert status(origin=origin) == expected


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ((), 200),
        (("same-origin",), 200),
        (("same-site",), 403),
        (("cross-site",), 403),
        (("none",), 403),
        (("same-origin", "cross-site"), 403),
    ],
)
def test_the_browser_says_that_it_is_the_same_site(site: tuple[str, ...], expected: int) -> None:
    assert status(sec_fetch_site=site) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (("application/json",), 200),
        (("application/json; charset=utf-8",), 200),
        (("Application/JSON",), 200),
        ((), 415),
        (("text/plain",), 415),
        (("application/x-www-form-urlencoded",), 415),
        (("multipart/form-data; boundary=application/json",), 415),
        (("application/jsonp",), 415),
        (("text/plain", "application/json"), 415),
    ],
)
def test_a_body_is_what_no_form_can_send(kind: tuple[str, ...], expected: int) -> None:
    assert status(content_type=kind) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ((TOKEN,), 200),
        ((), 403),
        (("",), 403),
        ((TOKEN + "x",), 403),
        ((TOKEN[:-1],), 403),
        ((TOKEN.upper(),), 403),
        ((TOKEN, TOKEN), 403),
        (("wr\udcfcng",), 403),
    ],
)
def test_the_token_is_the_console_s(token: tuple[str, ...], expected: int) -> None:
    assert status(x_csrf_token=token) == expected


def test_a_refusal_never_tells_the_token() -> None:
    for headers in ({}, {"host": ("127.0.0.1",)}, {**GOOD, "x-csrf-token": ("x",)}):
        found = refusal(Attempt("127.0.0.1", headers), TOKEN)
        assert found is not None
        assert TOKEN not in found.message
