"""Retries, faults, bootstrap, names: a table each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from proxyless.bootstrap import Bootstrap, Locality
from proxyless.endings import Ending, ending
from proxyless.errors import BootstrapError, TargetError
from proxyless.fault import NO_FAULT, Fault, combined, draw_fault, effective_policies
from proxyless.match import CallHeaders
from proxyless.names import SubsetKey, parse_subset_key, parse_target
from proxyless.resources import (
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    Fraction,
    HeaderMatch,
    PresentMatch,
    RetryPolicy,
    StringMatch,
)
from proxyless.retry import backoff, may_retry, may_retry_request, pushback, request_backoff

# --- retry ------------------------------------------------------------------------------------------------

ALL_CONDITIONS = frozenset(
    {"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}
)


@pytest.mark.parametrize("code", range(17))
def test_which_codes_are_retried(code: int) -> None:
    word = {
        1: "cancelled",
        4: "deadline-exceeded",
        8: "resource-exhausted",
        13: "internal",
        14: "unavailable",
    }.get(code)
    assert may_retry(RetryPolicy(ALL_CONDITIONS), code, 1) is (word is not None)
    assert not may_retry(RetryPolicy(ALL_CONDITIONS - {word or ""}), code, 1)
    assert not may_retry(RetryPolicy(frozenset()), code, 1)


@pytest.mark.parametrize(("attempts", "retried"), [(1, True), (2, True), (3, False), (4, False)])
def test_attempts_are_counted_with_the_first(attempts: int, retried: bool) -> None:
    assert may_retry(RetryPolicy(ALL_CONDITIONS, 3), 14, attempts) is retried


def test_grpc_has_five_attempts_at_most() -> None:
    policy = RetryPolicy(ALL_CONDITIONS | {"5xx"}, 99)
    assert (may_retry(policy, 14, 4), may_retry(policy, 14, 5)) == (True, False)
    assert may_retry_request(policy, 98, status=500)
    assert not may_retry_request(policy, 99, status=500)


LOSSES: dict[str, set[str]] = {
    # condition: the ways in which an attempt that it retries got no answer
    "connect-failure": {"connect-failure"},
    "refused-stream": {"refused-stream"},
    "reset": {"connect-failure", "refused-stream", "reset"},
    "5xx": {"connect-failure", "refused-stream", "reset"},
    "gateway-error": {"connect-failure", "refused-stream", "reset"},
    "retriable-4xx": set(),
    "retriable-status-codes": set(),
    "retriable-headers": set(),
    "envoy-ratelimited": set(),
    "unavailable": set(),
}
STATUSES: dict[str, set[int]] = {
    # condition: the HTTP status codes that it retries
    "5xx": {500, 501, 502, 503, 504, 599},
    "gateway-error": {502, 503, 504},
    "retriable-4xx": {409},
    "retriable-status-codes": {418, 503},
}


@pytest.mark.parametrize("word", LOSSES)
@pytest.mark.parametrize("lost", ["connect-failure", "refused-stream", "reset"])
def test_what_is_retried_that_got_no_answer(word: str, lost: Any) -> None:
    policy = RetryPolicy(frozenset({word}))
    assert may_retry_request(policy, 1, lost=lost) is (lost in LOSSES[word])
    # A gRPC call then has a status that gRPC made up.
    assert may_retry(policy, 2, 1, lost=lost) is (lost in LOSSES[word])
    assert not may_retry(policy, 2, 1)


@pytest.mark.parametrize("word", LOSSES)
@pytest.mark.parametrize("status", [200, 301, 404, 409, 418, 429, 499, 500, 501, 502, 503, 504, 599, 600])
def test_what_is_retried_by_http_status(word: str, status: int) -> None:
    policy = RetryPolicy(frozenset({word}), status_codes=frozenset({418, 503}))
    wanted = status in STATUSES.get(word, ())
    assert may_retry_request(policy, 1, status=status, headers={}) is wanted
    assert may_retry(policy, 2, 1, http_status=status) is wanted


@pytest.mark.parametrize(
    ("words", "headers", "retried"),
    [
        ({"retriable-headers"}, {"x-again": "1"}, True),
        ({"retriable-headers"}, {"x-later": "soon"}, True),
        ({"retriable-headers"}, {"x-later": "never"}, False),
        ({"retriable-headers"}, {}, False),
        ({"5xx"}, {"x-again": "1"}, False),
        ({"5xx", "retriable-headers"}, {"x-again": "1", "x-envoy-ratelimited": "true"}, False),
        ({"envoy-ratelimited"}, {"x-envoy-ratelimited": "true"}, True),
        ({"envoy-ratelimited"}, {}, False),
    ],
)
def test_what_is_retried_by_the_headers_of_the_response(
    words: set[str], headers: dict[str, str], retried: bool
) -> None:
    matches = (
        HeaderMatch("x-again", PresentMatch(True)),
        HeaderMatch("x-later", StringMatch("exact", "soon")),
    )
    policy = RetryPolicy(frozenset(words), headers=matches)
    assert may_retry_request(policy, 1, status=429, headers=headers) is retried


@pytest.mark.parametrize(
    ("details", "end"),
    [
        (None, Ending()),
        ("", Ending()),
        ("no such product", Ending()),
        ("the server says: Stream removed (…)", Ending()),
        ("failed to connect to all addresses; last error: …", Ending("connect-failure")),
        ("Stream removed (Socket closed)", Ending("reset")),
        ("Stream removed (RST_STREAM (Received RST_STREAM with error code 2))", Ending("reset")),
        ("Stream removed (RST_STREAM (Received RST_STREAM with error code 7))", Ending("refused-stream")),
        ("Stream removed (GOAWAY received; Error code: 0; Debug Text: )", Ending("refused-stream")),
        ("Received http2 header with status: 503", Ending(None, 503)),
    ],
)
def test_how_an_attempt_ended(details: str | None, end: Ending) -> None:
    assert ending(details) == end


@pytest.mark.parametrize(("attempts", "longest"), [(1, 0.025), (3, 0.1), (5, 0.25), (5000, 0.25)])
def test_requests_back_off_with_full_jitter(attempts: int, longest: float) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    assert request_backoff(RetryPolicy(ALL_CONDITIONS), attempts, uniform) == 0.0
    assert asked == [(0.0, pytest.approx(longest))]


@pytest.mark.parametrize(("attempts", "middle"), [(1, 0.025), (2, 0.05), (3, 0.1), (4, 0.2), (5, 0.25)])
def test_back_off_doubles_to_its_cap(attempts: int, middle: float) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 1.0

    assert backoff(RetryPolicy(ALL_CONDITIONS), attempts, uniform) == pytest.approx(middle)
    assert asked == [(0.8, 1.2)]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("1500", 1.5),
        (b"1500", 1.5),
        ("-1", -1.0),
        ("", -1.0),
        ("soon", -1.0),
        ("1.5", -1.0),
        ("٣", -1.0),
        (b"\xff", -1.0),
        ("9" * 11, -1.0),
    ],
)
def test_pushback(value: str | bytes | None, seconds: float | None) -> None:
    assert pushback(value) == seconds


# --- faults -----------------------------------------------------------------------------------------------

ALWAYS, HALF, NEVER = Fraction(100), Fraction(50), Fraction(0)


def delay(seconds: float | None, share: Fraction = ALWAYS) -> FaultPolicy:
    return FaultPolicy(delay=FaultDelay(seconds, share))


def abort(code: int | None, share: Fraction = ALWAYS) -> FaultPolicy:
    return FaultPolicy(abort=FaultAbort(code, share))


@pytest.mark.parametrize(
    ("policy", "headers", "drawn", "fault"),
    [
        (FaultPolicy(), {}, 0, NO_FAULT),
        (delay(1.5), {}, 99, Fault(1.5)),
        (delay(1.5, HALF), {}, 49, Fault(1.5)),
        (delay(1.5, HALF), {}, 50, NO_FAULT),
        (delay(1.5, NEVER), {}, 0, NO_FAULT),
        (delay(0.0), {}, 0, NO_FAULT),
        (delay(None), {}, 0, NO_FAULT),
        (delay(None), {"x-envoy-fault-delay-request": "250"}, 0, Fault(0.25)),
        (delay(None), {"x-envoy-fault-delay-request": "-250"}, 0, NO_FAULT),
        (delay(None), {"x-envoy-fault-delay-request": "250,9000"}, 0, Fault(0.25)),
        (delay(None), {"x-envoy-fault-delay-request": "soon"}, 0, NO_FAULT),
        (
            delay(None),
            {"x-envoy-fault-delay-request": "1", "x-envoy-fault-delay-request-percentage": "30"},
            30,
            NO_FAULT,
        ),
        # A request may ask for less than is configured, never for more.
        (
            delay(None, HALF),
            {"x-envoy-fault-delay-request": "1", "x-envoy-fault-delay-request-percentage": "90"},
            50,
            NO_FAULT,
        ),
        # What is fixed is not for the request to change: a strict lane could be left that way.
        (delay(1.0), {"x-envoy-fault-delay-request-percentage": "0"}, 0, Fault(1.0)),
        (delay(1.0), {"x-envoy-fault-delay-request": "9000"}, 0, Fault(1.0)),
        (abort(14), {"x-envoy-fault-abort-request-percentage": "0"}, 0, Fault(0, 14)),
        (abort(14), {"x-envoy-fault-abort-grpc-request": "5"}, 0, Fault(0, 14)),
        (abort(14), {}, 99, Fault(0, 14)),
        (abort(14, HALF), {}, 50, NO_FAULT),
        (abort(0), {}, 0, NO_FAULT),  # OK aborts nothing
        (abort(None), {}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "5"}, 0, Fault(0, 5)),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "0"}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "99"}, 0, Fault(0, 2)),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "x"}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-request": "503"}, 0, Fault(0, 14)),
        (abort(None), {"x-envoy-fault-abort-request": "404"}, 0, Fault(0, 12)),
        (abort(None), {"x-envoy-fault-abort-request": "500"}, 0, Fault(0, 2)),
        (abort(None), {"x-envoy-fault-abort-request": "200"}, 0, NO_FAULT),
        (
            abort(None),
            {"x-envoy-fault-abort-grpc-request": "5", "x-envoy-fault-abort-request-percentage": "10"},
            10,
            NO_FAULT,
        ),
        (FaultPolicy(FaultDelay(1.0, ALWAYS), FaultAbort(14, ALWAYS)), {}, 0, Fault(1.0, 14)),
    ],
)
def test_faults(policy: FaultPolicy, headers: dict[str, str], drawn: int, fault: Fault) -> None:
    call = CallHeaders("/s/m", "a", headers.items())
    assert draw_fault(policy, call, lambda _: drawn) == fault
    assert bool(fault) == (fault != NO_FAULT)


@pytest.mark.parametrize(("active", "faulted"), [(0, True), (1, True), (2, False), (3, False)])
def test_active_faults_are_limited(active: int, faulted: bool) -> None:
    policy = FaultPolicy(abort=FaultAbort(14, ALWAYS), max_active=2)
    drawn = draw_fault(policy, CallHeaders("/", "a"), lambda _: 0)
    assert bool(combined([drawn], active)) is faulted


def test_each_of_several_filters_has_its_own_say() -> None:
    drawn = [Fault(1.0, None, 5), Fault(0.5, 7, 2), Fault(0.25, 14), NO_FAULT]
    assert combined(drawn, 0) == Fault(1.75, 7)
    assert combined(drawn, 2) == Fault(1.25, 14)
    assert combined(drawn, 5) == Fault(0.25, 14)
    assert combined([], 0) == NO_FAULT


def test_delay_and_abort_are_drawn_independently() -> None:
    asked: list[int] = []

    def draw(bound: int) -> int:
        asked.append(bound)
        return 0

    policy = FaultPolicy(FaultDelay(1.0, Fraction(1, 100)), FaultAbort(14, Fraction(1, 10_000)))
    assert draw_fault(policy, CallHeaders("/", "a"), draw) == Fault(1.0, 14)
    assert asked == [100, 10_000]


def test_the_most_specific_override_counts_and_names_outside_the_chain_do_not() -> None:
    chain = [FaultFilter("one", abort(1)), FaultFilter("two", abort(2))]
    host = [FaultFilter("one", abort(3)), FaultFilter("two", abort(4)), FaultFilter("other", abort(5))]
    route = [FaultFilter("one", abort(6))]
    cluster = [FaultFilter("one", FaultPolicy())]
    assert effective_policies(chain) == (abort(1), abort(2))
    assert effective_policies(chain, host, []) == (abort(3), abort(4))
    assert effective_policies(chain, host, route) == (abort(6), abort(4))
    assert effective_policies(chain, host, route, cluster) == (FaultPolicy(), abort(4))


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "listener"),
    [
        ("xds:///reviews.default.svc.cluster.local:9080", "reviews.default.svc.cluster.local:9080"),
        ("xds:reviews:9080", "reviews:9080"),
        ("xds:///a%20b", "a b"),
        ("xds:///a%3Fb", "a?b"),
        ("xds:///a/b", "a/b"),
        ("xds:///[::1]:80", "[::1]:80"),
    ],
)
def test_targets(uri: str, listener: str) -> None:
    target = parse_target(uri)
    assert (target.uri, target.listener, target.authority) == (uri, listener, listener)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "expected the scheme 'xds'"),
        ("reviews:9080", "expected the scheme 'xds'"),
        ("dns:///reviews:9080", "expected the scheme 'xds'"),
        ("xds:", "no listener is named"),
        ("xds:///", "no listener is named"),
        ("xds://reviews:9080", "write three slashes: 'xds:///reviews:9080'"),
        ("xds://authority/reviews:9080", "write three slashes: 'xds:///reviews:9080'"),
        ("xds://authority/name", "needs xDS federation"),
        ("xds://[", "Invalid IPv6 URL"),
        ("xds:///a?b=c", "`?` and `#` are not part of a name"),
        ("xds:///a#b", "`?` and `#` are not part of a name"),
        ("xds:///a b", "white space and control characters are written as %20"),
        ("xds:///a\nb", "white space and control characters are written as %20"),
        (" xds:///a", "white space and control characters are written as %20"),
        ("xds:////x", "one slash too many"),
        ("xds:////", "one slash too many"),
    ],
)
def test_targets_that_are_none(uri: str, reason: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(uri)
    assert reason in str(caught.value)
    assert repr(uri) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("outbound|9080|v2|reviews.default", SubsetKey("outbound", 9080, "v2", "reviews.default")),
        ("outbound|9080||reviews", SubsetKey("outbound", 9080, "", "reviews")),
        ("outbound|x|v2|reviews", None),
        ("outbound|٣|v2|reviews", None),
        ("outbound|9080|reviews", None),
        ("a|1|b|c|d", None),
        ("reviews", None),
        ("", None),
    ],
)
def test_subset_keys(name: str, key: SubsetKey | None) -> None:
    assert parse_subset_key(name) == key
    assert key is None or str(key) == name


# --- bootstrap --------------------------------------------------------------------------------------------

SERVER = {"server_uri": "istiod:15010", "channel_creds": [{"type": "google_default"}, {"type": "insecure"}]}
WHOLE = {
    "xds_servers": [SERVER, {"server_uri": "ignored"}],
    "node": {
        "id": "n",
        "cluster": "c",
        "metadata": {"GENERATOR": "grpc"},
        "locality": {"region": "r", "zone": "z", "sub_zone": "s"},
    },
}


def test_the_bootstrap_of_grpc() -> None:
    assert Bootstrap.from_json(json.dumps(WHOLE), source="here") == Bootstrap(
        "istiod:15010", "n", "c", {"GENERATOR": "grpc"}, Locality("r", "z", "s"), "here"
    )
    bare = Bootstrap.from_json(json.dumps({"xds_servers": [SERVER], "node": {"id": "n"}}))
    assert (bare.cluster, bare.metadata, bare.locality) == ("", {}, Locality())
    for nameless in ({"xds_servers": [SERVER]}, {"xds_servers": [SERVER], "node": {"cluster": "c"}}):
        assert Bootstrap.from_json(json.dumps(nameless)).node_id == ""


def test_servers_after_the_first_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert Bootstrap.from_json(json.dumps(WHOLE), source="somewhere").server == "istiod:15010"
    (record,) = caplog.records
    assert record.getMessage() == (
        "somewhere: xds_servers: 1 after the first have no effect: there is no fallback"
    )


def but(**changes: Any) -> dict[str, Any]:
    return {**WHOLE, **changes}


def server(**changes: Any) -> dict[str, Any]:
    return but(xds_servers=[{**SERVER, **changes}])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "line 1: "),
        ("{\n  oops", "line 2: "),
        ([], "the document must be an object, but is []"),
        ({}, "xds_servers must be a list, but is missing"),
        (but(xds_servers={}), "xds_servers must be a list, but is {}"),
        (but(xds_servers=[]), "xds_servers is empty"),
        (but(xds_servers=["x"]), "xds_servers[0] must be an object, but is 'x'"),
        (server(server_uri=None), "xds_servers[0].server_uri must be a string, but is missing"),
        (server(server_uri="istiod"), "xds_servers[0].server_uri: 'istiod' is not host:port"),
        (server(server_uri=":80"), "xds_servers[0].server_uri: ':80' is not host:port"),
        (server(server_uri="a:0"), "xds_servers[0].server_uri: 'a:0' is not host:port"),
        (server(server_uri="a:65536"), "xds_servers[0].server_uri: 'a:65536' is not host:port"),
        (server(server_uri="a:" + "9" * 5000), "is not host:port"),
        (server(channel_creds=None), "xds_servers[0].channel_creds must be a list, but is missing"),
        (server(channel_creds=["x"]), "xds_servers[0].channel_creds[0] must be an object, but is 'x'"),
        (server(channel_creds=[{}]), "xds_servers[0].channel_creds[0].type must be a string, but is missing"),
        (server(channel_creds=[]), "xds_servers[0].channel_creds: none of [] is supported"),
        (
            server(channel_creds=[{"type": "google_default"}]),
            "xds_servers[0].channel_creds: none of ['google_default'] is supported; supported are 'insecure'",
        ),
        (
            server(channel_creds=[{"type": "tls"}]),
            "xds_servers[0].channel_creds[0].config.ca_certificate_file must be a string, but is missing",
        ),
        (but(node=[]), "node must be an object, but is []"),
        (but(node={"id": 7}), "node.id must be a string, but is 7"),
        (but(node={"id": "n", "cluster": 7}), "node.cluster must be a string, but is 7"),
        (but(node={"id": "n", "metadata": 7}), "node.metadata must be an object, but is 7"),
        (but(node={"id": "n", "locality": 7}), "node.locality must be an object, but is 7"),
        (but(node={"id": "n", "locality": {"zone": 7}}), "node.locality.zone must be a string, but is 7"),
    ],
)
def test_a_bootstrap_that_is_none_names_source_and_field(document: Any, reason: str, tmp_path: Path) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    file = tmp_path / "bootstrap.json"
    file.write_text(text)
    for environ, source in [
        ({"GRPC_XDS_BOOTSTRAP_CONFIG": text}, "GRPC_XDS_BOOTSTRAP_CONFIG"),
        ({"GRPC_XDS_BOOTSTRAP": str(file)}, str(file)),
    ]:
        with pytest.raises(BootstrapError) as caught:
            Bootstrap.from_env(environ)
        assert str(caught.value).startswith(f"{source}: ")
        assert reason in str(caught.value)


def test_a_bootstrap_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xff")
    for path in (tmp_path / "missing", tmp_path, latin):
        with pytest.raises(BootstrapError, match="bootstrap file") as caught:
            Bootstrap.from_env({"GRPC_XDS_BOOTSTRAP": str(path)})
        assert str(path) in str(caught.value)


def test_the_order_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    file.write_text(json.dumps(but(node={"id": "of the file"})))
    environ = {"XDS_ADDRESS": "istiod:15010", "POD_NAME": "p"}
    assert Bootstrap.from_env(environ).source == "XDS_ADDRESS"
    environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps(WHOLE)
    assert Bootstrap.from_env(environ).node_id == "n"
    environ["GRPC_XDS_BOOTSTRAP"] = str(file)
    assert Bootstrap.from_env(environ).node_id == "of the file"
    with pytest.raises(BootstrapError, match="set XDS_ADDRESS=host:port") as caught:
        Bootstrap.from_env({"XDS_ADDRESS": ""})
    assert "GRPC_XDS_BOOTSTRAP" in str(caught.value)


def test_the_identity_istiod_expects() -> None:
    made = Bootstrap.from_env(
        {
            "XDS_ADDRESS": "istiod:15010",
            "INSTANCE_IP": "10.0.0.7",
            "POD_NAME": "reviews-v2",
            "POD_NAMESPACE": "bookinfo",
            "POD_LABELS": "app=reviews, version=v2,",
            "SERVICE_ACCOUNT": "reviews",
        }
    )
    assert made.node_id == "sidecar~10.0.0.7~reviews-v2.bookinfo~bookinfo.svc.cluster.local"
    assert made.metadata == {
        "GENERATOR": "grpc",
        "NAMESPACE": "bookinfo",
        "CLUSTER_ID": "Kubernetes",
        "SERVICE_ACCOUNT": "reviews",
        "ISTIO_VERSION": made.metadata["ISTIO_VERSION"],
        "LABELS": {"app": "reviews", "version": "v2"},
        "INSTANCE_IPS": "10.0.0.7",
        "PROXY_CONFIG": {},
    }


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("XDS_ADDRESS", "istiod", "XDS_ADDRESS: 'istiod' is not host:port"),
        ("INSTANCE_IP", "10.0.0.1~", "INSTANCE_IP='10.0.0.1~'"),
        ("INSTANCE_IP", "zzz", "INSTANCE_IP='zzz': is not an IP address"),
        ("POD_NAME", "a b", "POD_NAME='a b'"),
        ("POD_NAMESPACE", "a\n", "POD_NAMESPACE='a\\n'"),
        ("POD_LABELS", "app", "POD_LABELS='app': 'app' is not key=value"),
        ("POD_LABELS", "a=b,=c", "'=c' is not key=value"),
        ("POD_LABELS", "a=\udcff", "node.metadata"),
        ("CLUSTER_ID", "\udcff", "node.metadata"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable: str, value: str, reason: str) -> None:
    with pytest.raises(BootstrapError) as caught:
        Bootstrap.from_env({"XDS_ADDRESS": "istiod:15010", variable: value})
    assert reason in str(caught.value)


def test_who_may_share_a_client() -> None:
    one = Bootstrap("a:1", "n", metadata={"x": 1, "y": 2}, source="here")
    assert one.identity == Bootstrap("a:1", "n", metadata={"y": 2, "x": 1}, source="there").identity
    for other in (Bootstrap("a:2", "n"), Bootstrap("a:1", "m"), Bootstrap("a:1", "n", "c")):
        assert other.identity != one.identity
