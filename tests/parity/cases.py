"""The table: routes, a call, and where both clients must send it.

A row is one pair of routes and metadata. Where `proxyless` means to differ from gRPC's client or from Envoy,
`grpc` and `envoy` say what those do with the call, and `why` says why ours does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401 - for Any in JSON
from google.protobuf.json_format import ParseDict
from grpc import StatusCode

from lanes.render import lane_regex
from tests.fakes.resources import header, listener, route, route_config, virtual_host

BACKENDS = ("v1", "v2", "v3")
METHOD = "/bookinfo.v1.Reviews/GetReviews"

UNAVAILABLE: Final = StatusCode.UNAVAILABLE
DEADLINE: Final = StatusCode.DEADLINE_EXCEEDED
DENIED: Final = StatusCode.PERMISSION_DENIED
UNKNOWN: Final = StatusCode.UNKNOWN
UNIMPLEMENTED: Final = StatusCode.UNIMPLEMENTED
REFUSED: Final = "refused"
"""The client NACKs the routes; there being no earlier version, its calls fail with UNAVAILABLE."""

Expected: TypeAlias = str | StatusCode | Mapping[str, float]
"""A backend, a failure, `REFUSED`, or the shares of many calls."""


@dataclass(frozen=True)
class Case:
    """One row."""

    name: str
    routes: Sequence[Mapping[str, Any] | VirtualHost]
    """Routes of one virtual host with the domain `*`, or virtual hosts."""
    metadata: Sequence[tuple[str, str | bytes]]
    expected: Expected
    grpc: Expected | None = None
    """What gRPC's client does, where it is not what ours does."""
    why: str = ""
    """Why ours differs from a peer."""
    envoy: Expected | None = None
    """What Envoy does, where it is not what ours does."""
    method: str = METHOD
    listener: str = ""
    """The target's name, which is the authority of its calls; empty: one of its own."""
    hcm: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the HttpConnectionManager."""

    @property
    def target(self) -> str:
        return f"xds:///{self.listener}"

    @property
    def resources(self) -> list[Any]:
        """The listener and its routes, under this row's name."""
        if self.routes and isinstance(self.routes[0], VirtualHost):
            routes = RouteConfiguration(name=self.listener, virtual_hosts=self.routes)
        else:
            routes = route_config(self.listener, self.routes)
        return [listener(self.listener, **self.hcm), routes]


# --- ways to say metadata and routes ----------------------------------------------------------------------


def env(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `env`."""
    return [("env", value) for value in values]


def age(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `age`."""
    return [("age", value) for value in values]


def baggage(*values: str) -> list[tuple[str, str | bytes]]:
    """Metadata with these values of `baggage`."""
    return [("baggage", value) for value in values]


def fails(how: str, where: str = "") -> list[tuple[str, str | bytes]]:
    """Metadata that asks the backends (or the one named) for trouble: see `conftest.as_told`."""
    return [("x-fail", how), ("x-fail-at", where)]


def when(name: str, **test: Any) -> list[dict[str, Any]]:
    """To v2 where the header passes the test, else to v1."""
    return [route("v2", headers=[header(name, **test)]), route("v1")]


def path(**match: Any) -> list[dict[str, Any]]:
    """To v2 where the path matches, else to v1."""
    return [route("v2", **match), route("v1")]


def unless(name: str, **test: Any) -> list[dict[str, Any]]:
    """To v2 where the header fails the test by `invert_match`, else to v1."""
    return when(name, **test, invert_match=True)


def env_like(pattern: str) -> list[dict[str, Any]]:
    """To v2 where `env` matches the regex, else to v1."""
    return when("env", safe_regex_match=regex(pattern))


def between(start: int, end: int, **more: Any) -> list[dict[str, Any]]:
    """To v2 where `age` lies in [start, end), else to v1."""
    return when("age", range_match={"start": start, "end": end}, **more)


def outside(start: int, end: int) -> list[dict[str, Any]]:
    """To v2 where `age` does not lie in [start, end), else to v1."""
    return between(start, end, invert_match=True)


def regex(pattern: str) -> dict[str, Any]:
    return {"regex": pattern}


def text(**match: Any) -> dict[str, Any]:
    """A `string_match` that ignores case."""
    return {"string_match": {**match, "ignore_case": True}}


def serve(**domains: Iterable[str]) -> list[VirtualHost]:
    """A virtual host a backend, for these domains."""
    return [virtual_host(name, tuple(each), [route(name)]) for name, each in domains.items()]


def act(match: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A route of whatever fields."""
    return {"match": match or {"prefix": ""}, **fields}


def to_v1(**action: Any) -> list[dict[str, Any]]:
    """To v1, with more fields of the action."""
    return [act(route={"cluster": "v1", **action})]


def share(numerator: int, denominator: str = "HUNDRED") -> dict[str, Any]:
    return {"numerator": numerator, "denominator": denominator}


def fraction(numerator: int, denominator: str = "HUNDRED") -> list[dict[str, Any]]:
    """To v2 for a share of the calls, else to v1."""
    return path(prefix="", runtime_fraction={"default_value": share(numerator, denominator)})


def weighted(*clusters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [act(route={"weighted_clusters": {"clusters": clusters}})]


def fault(**policy: Any) -> dict[str, Any]:
    """A `typed_per_filter_config` with this fault."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    return {"typed_per_filter_config": {"envoy.filters.http.fault": {"@type": kind, **policy}}}


FAULT_FILTER: Final = "envoy.filters.http.fault"
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"
ROUTER: Final = {"name": "router", "typed_config": {"@type": f"{_TYPE}.router.v3.Router"}}
UNKNOWN_CONFIG: Final = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}
"""The configuration of a filter that no client has."""


def fault_filter(name: str = FAULT_FILTER, /, **policy: Any) -> dict[str, Any]:
    """A fault filter for the chain of a listener."""
    return {"name": name, "typed_config": {"@type": f"{_TYPE}.fault.v3.HTTPFault", **policy}}


def chain(*filters: Mapping[str, Any]) -> dict[str, Any]:
    """More of a listener: just these filters."""
    return {"http_filters": list(filters)}


def override(config: Mapping[str, Any], name: str = FAULT_FILTER) -> dict[str, Any]:
    """A `typed_per_filter_config` of a route."""
    return {"typed_per_filter_config": {name: config}}


def wrapped(config: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A FilterConfig around a filter's configuration."""
    inner = {} if config is None else {"config": config}
    return {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", **inner, **more}


def overridden(config: Mapping[str, Any], name: str = FAULT_FILTER) -> list[dict[str, Any]]:
    """To v1, with this override."""
    return [{**route("v1"), **override(config, name)}]


def faulty(**policy: Any) -> list[dict[str, Any]]:
    """To v1, with this fault."""
    return [{**route("v1"), **fault(**policy)}]


def abort(percent: int = 100, **what: Any) -> list[dict[str, Any]]:
    """To v1, unless this abort comes first."""
    return faulty(abort={"percentage": share(percent), **what})


def retried(**policy: Any) -> list[dict[str, Any]]:
    """To v1, with Istiod's retry policy changed so."""
    return to_v1(retry_policy={**ISTIO_RETRIES, **policy})


def host(routes: Iterable[Mapping[str, Any]], **fields: Any) -> list[VirtualHost]:
    """A virtual host for everything, with these fields."""
    return [ParseDict(fields, virtual_host("vh", ["*"], routes))]


ISTIO_RETRIES: Final = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                ".PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
    "retriable_status_codes": [503],
}
"""What Istiod puts on every route that says nothing of retries."""

LANES = [
    route("v2", headers=[header("baggage", safe_regex_match=regex(lane_regex("env", "dev")))]),
    route("v3", headers=[header("baggage", safe_regex_match=regex(lane_regex("env", "v1.2+x")))]),
    route("v1"),
]
SOON: Final = {"max_stream_duration": "0.1s"}
NEVER: Final = {"max_stream_duration": "0s"}
LIMIT: Final = {"common_http_protocol_options": SOON}
A: Final = header("a", exact_match="1")
FORBID: Final = {"grpc_status": 7, "percentage": share(100)}
LONG: Final = {"fixed_delay": "60s", "percentage": share(100)}
_UNKNOWN: Final = {"name": "unknown", "typed_config": UNKNOWN_CONFIG}
A_MOMENT: Final = {"fixed_delay": "0.02s", "percentage": share(100)}

# --- why we differ, where more than one row does ------------------------------------------------------------

EMPTY_STRING = "Envoy demands a length of at least 1: an empty one would match every value"
TREAT_MISSING = "gRPC ignores treat_missing_header_as_empty; Istio sets it for withoutHeaders"
HEADER_NAMES = "header names have no case (Envoy); gRPC looks the name up as written and never finds it"
SEPARATED = "gRPC does not know path_separated_prefix; Envoy does"
PSEUDO = "Envoy matches it, and every gRPC call has it; gRPC's client adds it only after routing"
IGNORED_CASE = "the field is documented as without effect on a regex; both peers refuse the two together"
PERCENTAGE = "gRFC A33 and Envoy say …-abort-request-percentage; gRPC's client reads …-abort-percentage"
"""So it is with delays."""
TIMEOUT = "both peers show matchers the deadline in its encoding, which no rule can be meant for"

EACH_VALUE = "since 1.39 Envoy tests each value of a repeated header by itself; gRPC joins them by a comma"
ON_THE_WIRE = "Envoy matches what is on the wire; gRFC A28 hides what the transport adds, and -bin keys"
NO_ROUTE = "Envoy answers 404, which HTTP's mapping makes UNIMPLEMENTED; gRFC A28 says UNAVAILABLE"
LITERAL = "Envoy takes it for a name that no authority has; gRPC refuses what is no pattern"
HTTP_ANSWER = "Envoy answers by itself, in HTTP; gRFC A28 fails calls whose route is no forwarding"
NO_ABORT = "Envoy answers in place of the backend all the same; to gRPC an abort with OK is none"

ROWS = [
    # --- exact ---
    Case("exact: equal", when("env", exact_match="dev"), env("dev"), "v2"),
    Case("exact: another value", when("env", exact_match="dev"), env("prod"), "v1"),
    Case("exact: longer value", when("env", exact_match="dev"), env("dev2"), "v1"),
    Case("exact: another case", when("env", exact_match="dev"), env("DEV"), "v1"),
    Case("exact: missing", when("env", exact_match="dev"), [], "v1"),
    Case("exact: another header", when("env", exact_match="dev"), [("lane", "dev")], "v1"),
    Case("exact: empty value", when("env", exact_match="dev"), env(""), "v1"),
    Case("exact empty: empty value", when("env", exact_match=""), env(""), "v2"),
    Case("exact empty: missing", when("env", exact_match=""), [], "v1"),
    Case("exact: a blank behind", when("env", exact_match="dev"), env("dev "), "v1"),
    # --- prefix, suffix, contains ---
    Case("prefix: starts so", when("env", prefix_match="dev"), env("dev-7"), "v2"),
    Case("prefix: has it later", when("env", prefix_match="dev"), env("my-dev"), "v1"),
    Case("prefix: missing", when("env", prefix_match="dev"), [], "v1"),
    Case("suffix: ends so", when("env", suffix_match="dev"), env("my-dev"), "v2"),
    Case("suffix: has it earlier", when("env", suffix_match="dev"), env("dev-7"), "v1"),
    Case("contains: inside", when("env", contains_match="dev"), env("my-dev-7"), "v2"),
    Case("contains: not inside", when("env", contains_match="dev"), env("de-v"), "v1"),
    Case("contains: missing", when("env", contains_match="dev"), [], "v1"),
    Case("prefix empty", when("env", prefix_match=""), env("dev"), REFUSED, "v2", EMPTY_STRING),
    Case("suffix empty", when("env", suffix_match=""), env("dev"), REFUSED, "v2", EMPTY_STRING),
    Case("contains empty", when("env", contains_match=""), env("dev"), REFUSED, "v2", EMPTY_STRING),
    # --- regex ---
    Case("regex: whole", env_like("dev-[0-9]+"), env("dev-42"), "v2"),
    Case("regex: part", env_like("dev-[0-9]+"), env("dev-42x"), "v1"),
    Case("regex: part in front", env_like("dev"), env("mydev"), "v1"),
    Case("regex: alternatives", env_like("dev|prod"), env("prod"), "v2"),
    Case("regex: alternatives are anchored", env_like("dev|prod"), env("device"), "v1"),
    Case("regex: alternatives backtrack", env_like("a|ab"), env("ab"), "v2"),
    Case("regex: lazy is whole too", env_like("d.*?"), env("dev"), "v2"),
    Case("regex: its own anchors", env_like("^dev$"), env("dev"), "v2"),
    Case("regex: case", env_like("dev"), env("DEV"), "v1"),
    Case("regex: (?i)", env_like("(?i)dev"), env("DEV"), "v2"),
    Case("regex: (?P<name>)", env_like("(?P<n>d)ev"), env("dev"), "v2"),
    Case("regex: RE2's \\pL", env_like(r"\pL+"), env("dev"), "v2"),
    Case("regex: .* matches empty", env_like(".*"), env(""), "v2"),
    Case("regex: .* missing", env_like(".*"), [], "v1"),
    Case("regex: look-ahead is not RE2", env_like("(?=d)dev"), [], REFUSED),
    Case("regex: back reference is not RE2", env_like(r"(d)\1"), [], REFUSED),
    Case("regex: broken", when("env", safe_regex_match=regex("dev(")), [], REFUSED),
    Case("regex: empty", env_like(""), env(""), REFUSED, "v2", EMPTY_STRING),
    # --- range ---
    Case("range: inside", between(10, 20), age("15"), "v2"),
    Case("range: start", between(10, 20), age("10"), "v2"),
    Case("range: end", between(10, 20), age("20"), "v1"),
    Case("range: negative", between(-5, 1), age("-5"), "v2"),
    Case("range: plus", between(10, 20), age("+15"), "v2"),
    Case("range: zeros", between(10, 20), age("0" * 40 + "15"), "v2"),
    Case("range: blanks", between(10, 20), age(" 15 "), "v2"),
    Case("range: blank inside", between(-20, 20), age("- 15"), "v1"),
    Case("range: fraction", between(10, 20), age("15.5"), "v1"),
    Case("range: hex", between(10, 20), age("0xf"), "v1"),
    Case("range: underscore", between(10, 20), age("1_5"), "v1"),
    Case("range: word", between(10, 20), age("ten"), "v1"),
    Case("range: empty value", between(0, 20), age(""), "v1"),
    Case("range: missing", between(0, 20), [], "v1"),
    Case("range: beyond 64 bits", between(0, 9), age("9" * 20), "v1"),
    Case("range: the largest", between(0, 2**63 - 1), age(str(2**63 - 2)), "v2"),
    Case("range: empty range", between(5, 5), age("5"), "v1"),
    Case(
        "range: turned round",
        between(6, 5),
        [],
        REFUSED,
        envoy="v1",
        why="Envoy takes a range in which nothing lies; gRPC refuses it, as nobody can mean it",
    ),
    Case("range: two values", between(0, 20), age("5", "6"), "v1", envoy="v2", why=EACH_VALUE),
    # --- present ---
    Case("present: there", when("env", present_match=True), env("dev"), "v2"),
    Case("present: there but empty", when("env", present_match=True), env(""), "v2"),
    Case("present: missing", when("env", present_match=True), [], "v1"),
    Case("absent: there", when("env", present_match=False), env("dev"), "v1"),
    Case("absent: missing", when("env", present_match=False), [], "v2"),
    Case("present, inverted: there", unless("env", present_match=True), env(""), "v1"),
    Case("present, inverted: missing", unless("env", present_match=True), [], "v2"),
    Case("absent, inverted: there", unless("env", present_match=False), env(""), "v2"),
    Case("absent, inverted: missing", unless("env", present_match=False), [], "v1"),
    # --- string_match ---
    Case("string exact", when("env", string_match={"exact": "dev"}), env("dev"), "v2"),
    Case("string exact: another case", when("env", string_match={"exact": "dev"}), env("Dev"), "v1"),
    Case("string prefix", when("env", string_match={"prefix": "de"}), env("dev"), "v2"),
    Case("string suffix", when("env", string_match={"suffix": "ev"}), env("dev"), "v2"),
    Case("string contains", when("env", string_match={"contains": "e"}), env("dev"), "v2"),
    Case("string regex", when("env", string_match={"safe_regex": regex("d.v")}), env("dev"), "v2"),
    Case("string regex: part", when("env", string_match={"safe_regex": regex("d.")}), env("dev"), "v1"),
    Case("ignore_case exact", when("env", **text(exact="dEv")), env("DeV"), "v2"),
    Case("ignore_case prefix", when("env", **text(prefix="DE")), env("dev"), "v2"),
    Case("ignore_case suffix", when("env", **text(suffix="EV")), env("dev"), "v2"),
    Case("ignore_case contains", when("env", **text(contains="E")), env("dev"), "v2"),
    Case("ignore_case contains: in the value", when("env", **text(contains="e")), env("DEV"), "v2"),
    Case(
        "ignore_case regex: no effect",
        when("env", **text(safe_regex=regex("dev"))),
        env("DEV"),
        "v1",
        REFUSED,
        IGNORED_CASE,
        envoy=REFUSED,
    ),
    Case(
        "ignore_case regex: equal",
        when("env", **text(safe_regex=regex("dev"))),
        env("dev"),
        "v2",
        REFUSED,
        IGNORED_CASE,
        envoy=REFUSED,
    ),
    Case("ignore_case: other text", when("env", **text(exact="dev")), env("prod"), "v1"),
    Case("ignore_case: missing", when("env", **text(exact="dev")), [], "v1"),
    Case("string: nothing set", when("env", string_match={"ignore_case": True}), [], REFUSED),
    Case(
        "string prefix empty",
        when("env", string_match={"prefix": ""}),
        env("dev"),
        REFUSED,
        "v2",
        EMPTY_STRING,
    ),
    # --- inverted ---
    Case("not exact: equal", unless("env", exact_match="dev"), env("dev"), "v1"),
    Case("not exact: another", unless("env", exact_match="dev"), env("prod"), "v2"),
    Case("not exact: empty", unless("env", exact_match="dev"), env(""), "v2"),
    Case("not exact: missing", unless("env", exact_match="dev"), [], "v1"),
    Case("not prefix: starts so", unless("env", prefix_match="d"), env("dev"), "v1"),
    Case("not prefix: another", unless("env", prefix_match="d"), env("prod"), "v2"),
    Case("not prefix: missing", unless("env", prefix_match="d"), [], "v1"),
    Case("not suffix: another", unless("env", suffix_match="v"), env("prod"), "v2"),
    Case("not suffix: missing", unless("env", suffix_match="v"), [], "v1"),
    Case("not contains: another", unless("env", contains_match="e"), env("x"), "v2"),
    Case("not contains: missing", unless("env", contains_match="e"), [], "v1"),
    Case("not regex: whole", unless("env", safe_regex_match=regex("d.*")), env("dev"), "v1"),
    Case("not regex: part", unless("env", safe_regex_match=regex("d.")), env("dev"), "v2"),
    Case("not regex: missing", unless("env", safe_regex_match=regex("d.*")), [], "v1"),
    Case("not range: inside", outside(0, 9), age("5"), "v1"),
    Case("not range: word", outside(0, 9), age("five"), "v2"),
    Case("not range: missing", outside(0, 9), [], "v1"),
    Case("not ignore_case: equal", unless("env", **text(exact="dev")), env("DEV"), "v1"),
    Case("not string: missing", unless("env", string_match={"exact": "dev"}), [], "v1"),
    # --- treat_missing_header_as_empty ---
    Case(
        "missing as empty: exact empty",
        when("env", exact_match="", treat_missing_header_as_empty=True),
        [],
        "v2",
        "v1",
        TREAT_MISSING,
    ),
    Case(
        "missing as empty: not exact",
        unless("env", exact_match="dev", treat_missing_header_as_empty=True),
        [],
        "v2",
        "v1",
        TREAT_MISSING,
    ),
    Case(
        "missing as empty: not regex",
        unless("env", safe_regex_match=regex("d.*"), treat_missing_header_as_empty=True),
        [],
        "v2",
        "v1",
        TREAT_MISSING,
    ),
    Case(
        "missing as empty: exact",
        when("env", exact_match="dev", treat_missing_header_as_empty=True),
        [],
        "v1",
    ),
    Case(
        "missing as empty: there",
        unless("env", exact_match="dev", treat_missing_header_as_empty=True),
        env("dev"),
        "v1",
    ),
    # --- several values of a key ---
    Case(
        "joined by a comma", when("env", exact_match="a,b"), env("a", "b"), "v2", envoy="v1", why=EACH_VALUE
    ),
    Case("joined in order", when("env", exact_match="a,b"), env("b", "a"), "v1"),
    Case(
        "joined: no value for itself",
        when("env", exact_match="a"),
        env("a", "b"),
        "v1",
        envoy="v2",
        why=EACH_VALUE,
    ),
    Case(
        "joined: others between",
        when("env", exact_match="a,b,c"),
        [("env", "a"), ("x", "y"), ("env", "b"), ("env", "c")],
        "v2",
        envoy="v1",
        why=EACH_VALUE,
    ),
    Case(
        "joined: empty value",
        when("env", exact_match="a,,b"),
        env("a", "", "b"),
        "v2",
        envoy="v1",
        why=EACH_VALUE,
    ),
    Case(
        "joined: empty first", when("env", exact_match=",b"), env("", "b"), "v2", envoy="v1", why=EACH_VALUE
    ),
    Case("joined: prefix", when("env", prefix_match="a,"), env("a", "b"), "v2", envoy="v1", why=EACH_VALUE),
    Case("joined: regex", env_like("a,b"), env("a", "b"), "v2", envoy="v1", why=EACH_VALUE),
    # --- -bin, content-type, pseudo headers, headers gRPC owns ---
    Case("-bin: exact", when("env-bin", exact_match="dev"), [("env-bin", b"dev")], "v1"),
    Case(
        "-bin: its base64",
        when("env-bin", exact_match="ZGV2"),
        [("env-bin", b"dev")],
        "v1",
        envoy="v2",
        why=ON_THE_WIRE,
    ),
    Case(
        "-bin: not exact",
        unless("env-bin", exact_match="x"),
        [("env-bin", b"dev")],
        "v1",
        envoy="v2",
        why=ON_THE_WIRE,
    ),
    Case(
        "-bin: present",
        when("env-bin", present_match=True),
        [("env-bin", b"dev")],
        "v1",
        envoy="v2",
        why=ON_THE_WIRE,
    ),
    Case(
        "-bin: absent",
        when("env-bin", present_match=False),
        [("env-bin", b"dev")],
        "v2",
        envoy="v1",
        why=ON_THE_WIRE,
    ),
    Case("content-type: exact", when("content-type", exact_match="application/grpc"), [], "v2"),
    Case("content-type: present", when("content-type", present_match=True), [], "v2"),
    Case("content-type: with +proto", when("content-type", exact_match="application/grpc+proto"), [], "v1"),
    Case("upper case name", when("X-Env", exact_match="dev"), [("x-env", "dev")], "v2", "v1", HEADER_NAMES),
    Case("upper case name: absent", when("X-Env", present_match=False), [], "v2"),
    Case(":path", when(":path", exact_match=METHOD), [], "v2"),
    Case(":path: suffix", when(":path", suffix_match="/GetReviews"), [], "v2"),
    Case(":path: another", when(":path", exact_match="/x/y"), [], "v1"),
    Case(
        ":authority",
        when(":authority", exact_match="auth:9080"),
        [],
        "v2",
        "v1",
        PSEUDO,
        listener="auth:9080",
    ),
    Case(":method", when(":method", exact_match="POST"), [], "v2", "v1", PSEUDO),
    Case(":scheme", when(":scheme", exact_match="http"), [], "v2", "v1", PSEUDO),
    Case("te", when("te", present_match=True), [], "v1", envoy="v2", why=ON_THE_WIRE),
    Case("user-agent", when("user-agent", present_match=True), [], "v1", envoy="v2", why=ON_THE_WIRE),
    Case("grpc-timeout", when("grpc-timeout", present_match=True), [], "v1", "v2", TIMEOUT, envoy="v2"),
    Case("grpc-encoding", when("grpc-encoding", present_match=True), [], "v1"),
    Case(
        "grpc-accept-encoding",
        when("grpc-accept-encoding", present_match=True),
        [],
        "v1",
        envoy="v2",
        why=ON_THE_WIRE,
    ),
    Case(
        "host: the caller's",
        when("host", exact_match="dev"),
        [("host", "dev")],
        "v2",
        envoy="v1",
        why="to Envoy `host` is another name of :authority; to gRPC a key like any other",
    ),
    Case(
        "user-agent: the caller's",
        when("user-agent", exact_match="me"),
        [("user-agent", "me")],
        "v2",
        envoy="v1",
        why="Envoy sees what gRPC appends to it on the wire; gRPC matches what the caller gave",
    ),
    Case("x-request-id", when("x-request-id", prefix_match="7"), [("x-request-id", "7e4")], "v2"),
    # --- several headers: all of them ---
    Case(
        "both headers",
        [route("v2", headers=[A, header("b", exact_match="2")]), route("v1")],
        [("b", "2"), ("a", "1")],
        "v2",
    ),
    Case(
        "one of two headers",
        [route("v2", headers=[A, header("b", exact_match="2")]), route("v1")],
        [("a", "1")],
        "v1",
    ),
    Case(
        "one header tested twice",
        [
            route(
                "v2",
                headers=[header("a", prefix_match="1"), header("a", suffix_match="1", invert_match=True)],
            ),
            route("v1"),
        ],
        [("a", "12")],
        "v2",
    ),
    Case(
        "no test at all",
        when("env"),
        env("dev"),
        REFUSED,
        envoy="v2",
        why="Envoy reads it as `present`; gRPC refuses it, for so looks a matcher newer than its reader",
    ),
    Case("no name", when("", exact_match="dev"), env("dev"), REFUSED, "v1", "Envoy demands a name"),
    # --- paths ---
    Case("path prefix: all", path(prefix=""), [], "v2"),
    Case("path prefix: slash", path(prefix="/"), [], "v2"),
    Case("path prefix: service", path(prefix="/bookinfo.v1.Reviews/"), [], "v2"),
    Case("path prefix: part of the service", path(prefix="/bookinfo"), [], "v2"),
    Case("path prefix: another", path(prefix="/bookinfo.v1.Ratings/"), [], "v1"),
    Case("path prefix: no slash", path(prefix="bookinfo"), [], "v1"),
    Case("path prefix: case", path(prefix="/BOOKINFO"), [], "v1"),
    Case("path prefix: any case", path(prefix="/BOOKINFO", case_sensitive=False), [], "v2"),
    Case("path prefix: case_sensitive", path(prefix="/bookinfo", case_sensitive=True), [], "v2"),
    Case("path prefix: two slashes", path(prefix="//"), [], "v1"),
    Case("path exact", path(path=METHOD), [], "v2"),
    Case("path exact: another method", path(path="/bookinfo.v1.Reviews/Get"), [], "v1"),
    Case("path exact: case", path(path=METHOD.lower()), [], "v1"),
    Case("path exact: any case", path(path=METHOD.upper(), case_sensitive=False), [], "v2"),
    Case("path exact: only a service", path(path="/bookinfo.v1.Reviews"), [], "v1"),
    Case("path regex", path(safe_regex=regex(r"/bookinfo\.v1\.\w+/Get.*")), [], "v2"),
    Case("path regex: part", path(safe_regex=regex("Get.*")), [], "v1"),
    Case("path regex: start", path(safe_regex=regex("/bookinfo")), [], "v1"),
    Case("path regex: case", path(safe_regex=regex("/BOOKINFO.*"), case_sensitive=False), [], "v1"),
    Case("path regex: (?i)", path(safe_regex=regex("(?i)/BOOKINFO.*")), [], "v2"),
    Case("path regex: broken", path(safe_regex=regex("/(")), [], REFUSED),
    Case(
        "path: nothing set",
        [act({"headers": [header("a", present_match=True)]}, route={"cluster": "v1"})],
        [],
        REFUSED,
    ),
    Case(
        "path separated prefix: below",
        path(path_separated_prefix="/bookinfo.v1.Reviews"),
        [],
        "v2",
        REFUSED,
        SEPARATED,
    ),
    Case("path separated prefix: whole", path(path_separated_prefix=METHOD), [], "v2", REFUSED, SEPARATED),
    Case(
        "path separated prefix: part of a word",
        path(path_separated_prefix="/bookinfo.v1.Rev"),
        [],
        "v1",
        REFUSED,
        SEPARATED,
    ),
    Case("path and header", [route("v2", prefix="/bookinfo", headers=[A]), route("v1")], [("a", "1")], "v2"),
    Case("path but not header", [route("v2", prefix="/bookinfo", headers=[A]), route("v1")], [], "v1"),
    Case("header but not path", [route("v2", prefix="/x", headers=[A]), route("v1")], [("a", "1")], "v1"),
    Case("grpc matcher", path(prefix="", grpc={}), [], "v2"),
    Case(
        "query parameters", path(prefix="", query_parameters=[{"name": "x", "present_match": True}]), [], "v1"
    ),
    Case(
        "a matcher of TLS",
        path(prefix="", tls_context={"presented": True}),
        [],
        REFUSED,
        "v2",
        "a matcher that is not understood never widens a route; gRPC ignores it, Envoy knows it",
        envoy="v1",
    ),
    # --- domains ---
    Case("domain: exact", serve(v1=["*"], v2=["d1.shop:9080"]), [], "v2", listener="d1.shop:9080"),
    Case("domain: port counts", serve(v1=["*"], v2=["d2.shop"]), [], "v1", listener="d2.shop:9080"),
    Case("domain: suffix", serve(v1=["*"], v2=["*.shop:9080"]), [], "v2", listener="d3.shop:9080"),
    Case(
        "domain: suffix needs more", serve(v1=["*"], v2=["*d4.shop:9080"]), [], "v1", listener="d4.shop:9080"
    ),
    Case("domain: prefix", serve(v1=["*"], v2=["d5.*"]), [], "v2", listener="d5.shop:9080"),
    Case(
        "domain: prefix needs more", serve(v1=["*"], v2=["d6.shop:9080*"]), [], "v1", listener="d6.shop:9080"
    ),
    Case("domain: all", serve(v1=["other"], v2=["*"]), [], "v2", listener="d7.shop:9080"),
    Case(
        "domain: exact before suffix",
        serve(v1=["*.shop:9080", "d8*", "*"], v2=["d8.shop:9080"]),
        [],
        "v2",
        listener="d8.shop:9080",
    ),
    Case(
        "domain: suffix before longer prefix",
        serve(v1=["d9.shop:908*", "*"], v2=["*80"]),
        [],
        "v2",
        listener="d9.shop:9080",
    ),
    Case(
        "domain: longest suffix",
        serve(v1=["*:9080"], v2=["*.shop:9080"], v3=["*9080"]),
        [],
        "v2",
        listener="d10.shop:9080",
    ),
    Case(
        "domain: longest prefix",
        serve(v1=["d11*"], v2=["d11.shop*"], v3=["d11.*"]),
        [],
        "v2",
        listener="d11.shop:9080",
    ),
    Case("domain: pattern's case", serve(v1=["*"], v2=["D12.Shop:9080"]), [], "v2", listener="d12.shop:9080"),
    Case("domain: authority's case", serve(v1=["*"], v2=["*.shop:9080"]), [], "v2", listener="D13.SHOP:9080"),
    Case(
        "domain: one of several",
        serve(v1=["*"], v2=["x", "d14.shop:9080"]),
        [],
        "v2",
        listener="d14.shop:9080",
    ),
    Case(
        "domain: none",
        serve(v1=["x"], v2=["*y"]),
        [],
        UNAVAILABLE,
        listener="d15.shop:9080",
        envoy=UNIMPLEMENTED,
        why=NO_ROUTE,
    ),
    Case("domain: no virtual hosts", serve(v1=["x"])[1:], [], UNAVAILABLE, envoy=UNIMPLEMENTED, why=NO_ROUTE),
    Case(
        "domain: no second thoughts",
        [*serve(v1=["*"]), virtual_host("none", ["d16.shop:9080"], [])],
        [],
        UNAVAILABLE,
        listener="d16.shop:9080",
        envoy=UNIMPLEMENTED,
        why=NO_ROUTE,
    ),
    Case("domain: no domains", serve(v1=[]), [], REFUSED),
    Case("domain: empty", serve(v1=["*", ""]), [], REFUSED, envoy="v1", why=LITERAL),
    Case("domain: star inside", serve(v1=["*"], v2=["a*b"]), [], REFUSED, envoy="v1", why=LITERAL),
    Case(
        "domain: two stars",
        serve(v1=["*"], v2=["*a*"]),
        [],
        REFUSED,
        "v1",
        "both peers take the second star for a letter, which no host has: nobody can mean that",
        envoy="v1",
    ),
    Case(
        "domain: twice",
        serve(v1=["*"], v2=["*"]),
        [],
        REFUSED,
        "v1",
        "Envoy demands that a domain is unique; gRPC takes the first",
    ),
    # --- which route ---
    Case("the first match wins", [route("v2"), route("v1", headers=[A])], [("a", "1")], "v2"),
    Case("order, not precision", [route("v2", prefix="/bookinfo"), route("v1", path=METHOD)], [], "v2"),
    Case("no route matches", [route("v1", prefix="/x")], [], UNAVAILABLE, envoy=UNIMPLEMENTED, why=NO_ROUTE),
    Case("no routes", host([]), [], UNAVAILABLE, envoy=UNIMPLEMENTED, why=NO_ROUTE),
    Case("non-forwarding", [act(non_forwarding_action={})], [], UNAVAILABLE),
    Case(
        "redirect",
        [act(redirect={"host_redirect": "x"}), route("v1")],
        [],
        UNAVAILABLE,
        envoy=UNKNOWN,
        why=HTTP_ANSWER,
    ),
    Case(
        "direct response",
        [act(direct_response={"status": 200}), route("v1")],
        [],
        UNAVAILABLE,
        envoy=UNKNOWN,
        why=HTTP_ANSWER,
    ),
    Case(
        "redirect that does not match",
        [act({"prefix": "/x"}, redirect={"host_redirect": "x"}), route("v1")],
        [],
        "v1",
    ),
    Case(
        "no action",
        [act(), route("v1")],
        [],
        REFUSED,
        UNAVAILABLE,
        "Envoy demands an action; gRPC fails the calls that match",
    ),
    Case(
        "cluster_header",
        [act(route={"cluster_header": "x"}), route("v1")],
        [],
        REFUSED,
        "v1",
        "skipping the route would hand its calls to the next one; gRFC A28 does, and Envoy reads the header",
        envoy=UNAVAILABLE,
    ),
    Case("no match", [{"route": {"cluster": "v1"}}], [], REFUSED),
    Case("empty cluster", to_v1(cluster=""), [], REFUSED),
    # --- shares ---
    Case("fraction 0 %", fraction(0), [], {"v1": 1}),
    Case("fraction 100 %", fraction(100), [], {"v2": 1}),
    Case("fraction 30 %", fraction(30), [], {"v1": 0.7, "v2": 0.3}),
    Case("fraction 2000/10000", fraction(2000, "TEN_THOUSAND"), [], {"v1": 0.8, "v2": 0.2}),
    Case("fraction 600000/1000000", fraction(600_000, "MILLION"), [], {"v1": 0.4, "v2": 0.6}),
    Case("fraction over 100 %", fraction(300), [], {"v2": 1}),
    Case(
        "fraction without a value",
        path(prefix="", runtime_fraction={"runtime_key": "x"}),
        [],
        REFUSED,
        "v2",
        "Envoy demands default_value; without it gRPC lets every call through",
    ),
    Case("weights 80:20", [route({"v1": 80, "v2": 20})], [], {"v1": 0.8, "v2": 0.2}),
    Case(
        "weights of their own sum",
        [route({"v1": 1, "v2": 1, "v3": 2})],
        [],
        {"v1": 0.25, "v2": 0.25, "v3": 0.5},
    ),
    Case("weight 0 first", [route({"v1": 0, "v2": 1})], [], {"v2": 1}),
    Case("weight 0 last", [route({"v1": 5, "v2": 5, "v3": 0})], [], {"v1": 0.5, "v2": 0.5}),
    Case("weight 0 of a cluster that is not there", [route({"v1": 1, "nowhere": 0})], [], {"v1": 1}),
    Case(
        "one cluster twice",
        weighted(*({"name": n, "weight": 1} for n in ("v1", "v2", "v1"))),
        [],
        {"v1": 2 / 3, "v2": 1 / 3},
    ),
    Case("weights add up to 0", [route({"v1": 0, "v2": 0})], [], REFUSED),
    Case("no weighted clusters", weighted(), [], REFUSED),
    Case("a weight left out", weighted({"name": "v1", "weight": 1}, {"name": "v2"}), [], REFUSED),
    Case("weights beyond 32 bits", [route({"v1": 2**32 - 1, "v2": 1})], [], REFUSED),
    # --- the lanes of `lanes/` ---
    *(
        Case(f"lane: {value!r}", LANES, baggage(value), expected)
        for value, expected in {
            "env=dev": "v2",
            "env=v1.2+x": "v3",
            "env=v1x2+x": "v1",
            "user=7,env=dev;ttl=1,x=y": "v2",
            "env=dev,user=7": "v2",
            "user=7,env=dev": "v2",
            " env = dev ": "v2",
            "user=7 , env=dev": "v2",
            "env=dev;ttl=1": "v2",
            "env=dev2": "v1",
            "someenv=dev": "v1",
            "env=dev=x": "v1",
            "user=env=dev": "v1",
            "user=7;env=dev": "v1",
            "ENV=dev": "v1",
            "env=Dev": "v1",
            "env=": "v1",
            "": "v1",
            ",,env=dev,,": "v2",
            "env=prod,env=dev": "v2",
        }.items()
    ),
    Case("lane: in the second header", LANES, baggage("user=7", "env=dev"), "v2"),
    Case("lane: no baggage", LANES, [], "v1"),
    # --- faults ---
    Case("abort", abort(grpc_status=7), [], DENIED),
    Case("abort 0 %", abort(0, grpc_status=7), [], {"v1": 1}),
    Case("abort 40 %", abort(40, grpc_status=7), [], {"v1": 0.6, "PERMISSION_DENIED": 0.4}),
    Case("abort without a percentage", faulty(abort={"grpc_status": 7}), [], "v1"),
    Case("abort over 100 %", abort(200, grpc_status=7), [], DENIED),
    *(
        Case(f"abort: http {http}", abort(http_status=http), [], code)
        for http, code in {
            400: StatusCode.INTERNAL,
            401: StatusCode.UNAUTHENTICATED,
            403: DENIED,
            404: StatusCode.UNIMPLEMENTED,
            418: UNKNOWN,
            429: UNAVAILABLE,
            500: UNKNOWN,
            502: UNAVAILABLE,
            503: UNAVAILABLE,
            504: UNAVAILABLE,
        }.items()
    ),
    Case("abort: http 200 is none", abort(http_status=200), [], "v1", envoy=UNKNOWN, why=NO_ABORT),
    Case("abort: gRPC 0 is none", abort(grpc_status=0), [], "v1", envoy="OK", why=NO_ABORT),
    Case(
        "abort: no such status",
        abort(grpc_status=99),
        [],
        REFUSED,
        envoy=UNKNOWN,
        why="Envoy sends any number; gRPC refuses those that are no status",
    ),
    Case("abort: by header", abort(header_abort={}), [("x-envoy-fault-abort-grpc-request", "7")], DENIED),
    Case("abort: no header", abort(header_abort={}), [], "v1"),
    Case(
        "abort: header without a number",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "x")],
        "v1",
        UNKNOWN,
        "gRFC A33: an invalid header is ignored; gRPC's client aborts with UNKNOWN",
    ),
    Case(
        "abort: by HTTP header",
        abort(header_abort={}),
        [("x-envoy-fault-abort-request", "503")],
        UNAVAILABLE,
        "v1",
        "gRFC A33 has the header; gRPC's client does not",
    ),
    Case(
        "abort: header asks for less",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "0")],
        "v1",
        DENIED,
        PERCENTAGE,
    ),
    Case(
        "abort: header asks for less, as gRPC spells it",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-percentage", "0")],
        DENIED,
        "v1",
        PERCENTAGE,
    ),
    Case(
        "abort: header asks for more",
        abort(0, header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "100")],
        "v1",
    ),
    Case(
        "abort: header where none counts",
        abort(0, grpc_status=7),
        [("x-envoy-fault-abort-grpc-request", "7")],
        "v1",
    ),
    Case("delay, then abort", faulty(delay=A_MOMENT, abort=FORBID), [], DENIED),
    Case("delay", faulty(delay=A_MOMENT), [], "v1"),
    Case("fault of the virtual host", host([route("v1")], **fault(abort=FORBID)), [], DENIED),
    Case(
        "fault: route before virtual host",
        host(abort(grpc_status=5), **fault(abort=FORBID)),
        [],
        StatusCode.NOT_FOUND,
    ),
    Case("fault: route lifts the virtual host's", host(faulty(), **fault(abort=FORBID)), [], "v1"),
    Case(
        "fault of a weighted cluster",
        weighted({"name": "v1", "weight": 1}, {"name": "v2", "weight": 1, **fault(abort=FORBID)}),
        [],
        {"v1": 0.5, "PERMISSION_DENIED": 0.5},
    ),
    Case(
        "fault: the route that matches",
        [{**route("v2", headers=[A]), **fault(abort=FORBID)}, route("v1")],
        [],
        "v1",
    ),
    Case(
        "fault: weighted cluster before route",
        [
            {
                **weighted({"name": "v1", "weight": 1, **fault()})[0],
                **fault(abort=FORBID),
            }
        ],
        [],
        "v1",
    ),
    Case(
        "fault: the delay counts against the route's limit",
        [{**to_v1(max_stream_duration=SOON)[0], **fault(delay=LONG)}],
        [],
        DEADLINE,
    ),
    Case("fault: none at once is none", faulty(abort=FORBID, max_active_faults=0), [], "v1"),
    Case("fault: one at once is enough", faulty(abort=FORBID, max_active_faults=1), [], DENIED),
    Case(
        "abort: header's percentage without a number",
        abort(header_abort={}),
        [("x-envoy-fault-abort-grpc-request", "7"), ("x-envoy-fault-abort-request-percentage", "x")],
        DENIED,
    ),
    Case(
        "delay: by header",
        [
            {
                **to_v1(max_stream_duration=SOON)[0],
                **fault(delay={"header_delay": {}, "percentage": share(100)}),
            }
        ],
        [("x-envoy-fault-delay-request", "60000")],
        DEADLINE,
    ),
    Case(
        "delay: header asks for less",
        [
            {
                **to_v1(max_stream_duration=SOON)[0],
                **fault(delay={"header_delay": {}, "percentage": share(100)}),
            }
        ],
        [("x-envoy-fault-delay-request", "60000"), ("x-envoy-fault-delay-request-percentage", "0")],
        "v1",
        DEADLINE,
        PERCENTAGE,
    ),
    # --- overrides of filters ---
    Case(
        "filters: unknown but optional, behind the router",
        to_v1(),
        [],
        "v1",
        envoy=REFUSED,
        why="Envoy demands that the router is the last before it leaves filters out, gRPC after",
        hcm=chain(ROUTER, {**_UNKNOWN, "is_optional": True}),
    ),
    Case("override: unknown, wrapped", overridden(wrapped(UNKNOWN_CONFIG)), [], REFUSED),
    Case(
        "override: optional and known",
        overridden(wrapped(fault_filter(abort=FORBID)["typed_config"], is_optional=True)),
        [],
        DENIED,
    ),
    Case(
        "override: optional, known and broken",
        overridden(wrapped(fault_filter(abort={"grpc_status": 99})["typed_config"], is_optional=True)),
        [],
        REFUSED,
        envoy="v1",
        why="Envoy takes the status, at no percentage; gRPC refuses those that are no status",
    ),
    Case("override: of the router", overridden(ROUTER["typed_config"], "router"), [], REFUSED),
    Case(
        "override: of the router, optional",
        overridden(wrapped(ROUTER["typed_config"], is_optional=True), "router"),
        [],
        "v1",
    ),
    # --- retries ---
    Case("retry: Istiod's default, once", retried(), fails("UNAVAILABLE 1"), "v1"),
    Case("retry: Istiod's default, twice", retried(), fails("UNAVAILABLE 2"), "v1"),
    Case("retry: Istiod's default, thrice", retried(), fails("UNAVAILABLE 3"), UNAVAILABLE),
    Case("retry: CANCELLED", retried(), fails("CANCELLED 1"), "v1"),
    Case("retry: not INTERNAL", retried(), fails("INTERNAL 1"), StatusCode.INTERNAL),
    Case("retry: no policy", to_v1(), fails("UNAVAILABLE 1"), UNAVAILABLE),
    Case(
        "retry: one by default", to_v1(retry_policy={"retry_on": "unavailable"}), fails("UNAVAILABLE 1"), "v1"
    ),
    Case(
        "retry: no more by default",
        to_v1(retry_policy={"retry_on": "unavailable"}),
        fails("UNAVAILABLE 2"),
        UNAVAILABLE,
    ),
    Case(
        "retry: five attempts at most",
        retried(num_retries=9),
        fails("UNAVAILABLE 5"),
        UNAVAILABLE,
        envoy="v1",
        why="gRFC A44 caps attempts at five; Envoy has no cap",
    ),
    Case("retry: five attempts", retried(num_retries=9), fails("UNAVAILABLE 4"), "v1"),
    Case(
        "retry: every condition",
        retried(retry_on="deadline-exceeded,internal,resource-exhausted"),
        fails("RESOURCE_EXHAUSTED 1"),
        "v1",
    ),
    Case(
        "retry: HTTP conditions only",
        retried(retry_on="5xx,gateway-error,connect-failure"),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
    ),
    Case(
        "retry of the virtual host",
        host([route("v1")], retry_policy=ISTIO_RETRIES),
        fails("UNAVAILABLE 2"),
        "v1",
    ),
    Case(
        "retry: route before virtual host",
        host(retried(retry_on="internal"), retry_policy=ISTIO_RETRIES),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
    ),
    Case(
        "retry: never in another cluster",
        [act(route={**route({"v1": 1, "v2": 1})["route"], "retry_policy": ISTIO_RETRIES})],
        fails("UNAVAILABLE 9", "v2"),
        {"v1": 0.5, "UNAVAILABLE": 0.5},
    ),
    Case(
        "retry: 0",
        retried(num_retries=0),
        fails("UNAVAILABLE 1"),
        UNAVAILABLE,
        REFUSED,
        "Envoy and Istio (`attempts: 0`) read 0 as none",
    ),
    Case(
        "retry: blanks between conditions",
        retried(retry_on="cancelled, unavailable"),
        fails("UNAVAILABLE 1"),
        "v1",
        UNAVAILABLE,
        "Envoy trims the conditions; gRPC does not know ` unavailable`",
    ),
    Case("retry: no base interval", retried(retry_back_off={"max_interval": "1s"}), [], REFUSED),
    # --- limits ---
    Case("limit of the route", to_v1(max_stream_duration=SOON), fails("HANG 1"), DEADLINE),
    Case(
        "limit of the timeout header",
        to_v1(max_stream_duration={"max_stream_duration": "0s", "grpc_timeout_header_max": "0.1s"}),
        fails("HANG 1"),
        DEADLINE,
    ),
    Case("limit of the listener", to_v1(), fails("HANG 1"), DEADLINE, hcm=LIMIT),
    Case("limit that is not reached", to_v1(max_stream_duration={"max_stream_duration": "19s"}), [], "v1"),
    Case("limit 0 is none", to_v1(max_stream_duration=NEVER), [], "v1"),
    Case("limit of the listener, none of the route", to_v1(max_stream_duration=NEVER), [], "v1", hcm=LIMIT),
    Case(
        "limit is not an attempt's",
        to_v1(retry_policy={"retry_on": "deadline-exceeded"}, max_stream_duration=SOON),
        fails("HANG 1"),
        DEADLINE,
    ),
]


def numbered(rows: Iterable[Case], stem: str) -> tuple[Case, ...]:
    """The rows, each with a listener name of its own."""
    return tuple(
        replace(each, listener=each.listener or f"{stem}-{i}.default.svc.cluster.local:9080")
        for i, each in enumerate(rows)
    )


CASES = numbered(ROWS, "case")
"""The rows, each with a listener name of its own."""
