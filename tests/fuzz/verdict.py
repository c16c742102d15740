"""What must hold of any bytes as any resource: refused with a reason, or fit for all that uses it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random

from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from proxyless.admin import plain
from proxyless.balance import Ask, OutlierDetector, Picker, Readiness, Status, draw_drop, make_picker
from proxyless.balance.policies import POLICIES
from proxyless.depgraph import AggregateConfig, ClusterConfig, Config, Dependencies, Failed
from proxyless.edits import edited, edited_answer
from proxyless.errors import ResourceError
from proxyless.held import Held, State
from proxyless.match import CallHeaders
from proxyless.match.headers import RequestHeaders
from proxyless.parse import Parsed, parse_resource
from proxyless.resources import (
    Cluster,
    Endpoints,
    Kind,
    LbPolicy,
    Listener,
    RedirectAction,
    Resource,
    RouteConfig,
)
from proxyless.retry import GRPC_ATTEMPTS, backoff, may_retry, may_retry_request, request_backoff
from proxyless.rewrites import location, rewritten
from proxyless.routing import Chosen, Course, choose

from tests.fakes import resources as fake

MEANT = {
    Kind.LISTENER: Listener,
    Kind.ROUTE_CONFIG: RouteConfig,
    Kind.CLUSTER: Cluster,
    Kind.ENDPOINTS: Endpoints,
}
WRAPPER = f"type.googleapis.com/{Wrapper.DESCRIPTOR.full_name}"
UNREAD = ("cannot be decoded", "expected ", "the resource wrapper")
"""How a refusal begins that can name no field, because there is nothing to read."""

AUTHORITY = "fuzz:80"
TARGET = "/s/m?a=1&b=%zz#x"
CALLS: tuple[CallHeaders, ...] = (
    CallHeaders("/s/m", AUTHORITY),
    CallHeaders(
        "/s/m", AUTHORITY, [("a", "x"), ("b", "3"), ("x-a", "dev"), ("x-envoy-fault-abort-request", "503")]
    ),
    CallHeaders("/", AUTHORITY, [("a", "a"), ("a", "b"), ("env-bin", b"\xff"), ("x-a", "d\xe9")]),
    RequestHeaders("GET", TARGET, AUTHORITY, [("a", "x"), ("x-a", "dev")]),
)


def _parsed(kind: Kind, message: object) -> Resource:
    return parse_resource(kind, kind.type_url, message.SerializeToString()).resource  # type: ignore[attr-defined]


def _stock_endpoints() -> Endpoints:
    made = fake.endpoints("b", "10.0.0.1:80", "10.0.0.2:80")
    fake.add_locality(made, ["::1:80"], zone="z", weight=3)
    fake.add_locality(made, ["10.0.1.1:80"], priority=1)
    resource = _parsed(Kind.ENDPOINTS, made)
    assert isinstance(resource, Endpoints)
    return resource


STOCK_ENDPOINTS = _stock_endpoints()
STOCK: dict[Kind, Resource] = {
    Kind.LISTENER: _parsed(Kind.LISTENER, fake.listener(AUTHORITY, "r")),
    Kind.ROUTE_CONFIG: _parsed(Kind.ROUTE_CONFIG, fake.route_config("r", [fake.route("c")])),
    Kind.CLUSTER: _parsed(Kind.CLUSTER, fake.cluster("b")),
    Kind.ENDPOINTS: STOCK_ENDPOINTS,
}
_SMALL_RINGS = {name: LbPolicy(name, min_ring_size=8, max_ring_size=32) for name in POLICIES}


def judge(kind: Kind, type_url: str, data: bytes) -> Parsed | None:
    """Parse, and use what comes of it; None where it was refused. Raises where a promise is broken."""
    try:
        parsed = parse_resource(kind, type_url, data)
    except ResourceError as error:
        assert error.reason
        assert error.field or error.reason.startswith(UNREAD), error
        str(error).encode()
        return None
    assert parsed.name
    assert type(parsed.resource) is MEANT[kind]
    hash(parsed.resource)
    assert parse_resource(kind, type_url, data) == parsed
    json.dumps(plain(parsed.resource), allow_nan=False)
    _fold(kind, parsed.resource)
    if isinstance(parsed.resource, Endpoints):
        for policy in _SMALL_RINGS.values():
            _pick(parsed.resource, policy)
    if isinstance(parsed.resource, Cluster):
        _pick(STOCK_ENDPOINTS, parsed.resource.lb_policy)
        _eject(parsed.resource)
    return parsed


def _fold(kind: Kind, resource: Resource) -> None:
    """Fold it with three others that are good, for each of the first domains it serves."""

    def lookup(wanted: Kind, name: str) -> Held:
        return Held(State.ACKED, resource if wanted is kind else STOCK[wanted])

    for authority in _authorities(kind, resource):
        dependencies = Dependencies(AUTHORITY, authority)
        dependencies.resolve(lookup)
        outcome = dependencies.outcome
        before = dependencies.needs
        dependencies.resolve(lookup)
        assert (dependencies.outcome, dependencies.needs) == (outcome, before)
        if isinstance(outcome, Failed):
            assert outcome.reason
            continue
        assert isinstance(outcome, Config)
        for name, each in outcome.clusters.items():
            if isinstance(each, AggregateConfig):
                assert all(isinstance(outcome.clusters[leaf], ClusterConfig) for leaf in each.leaves), name
            else:
                assert isinstance(each, (ClusterConfig, Failed)), name
        for seed, call in enumerate(CALLS):
            _route(outcome, call, Random(seed))


def _authorities(kind: Kind, resource: Resource) -> list[str]:
    config = resource.route_config if isinstance(resource, Listener) else resource
    if not isinstance(config, RouteConfig):
        return [AUTHORITY]
    domains = [domain for host in config.virtual_hosts[:3] for domain in host.domains[:2]]
    return [AUTHORITY, *(domain.replace("*", "x") for domain in domains)]


def _route(config: Config, call: CallHeaders, rng: Random) -> None:
    draw: Callable[[int], int] = rng.randrange
    steps = list(config.table.explain(call, lambda _: 0))
    matched = [route.index for route in config.table.matches(call, lambda _: 0)]
    assert matched == [step.route.index for step in steps if step.matched]
    assert all(step.reason for step in steps)
    for state in Status:
        course = Course(config.table, call, draw, channel=7)
        found = choose(config, course, fallback="next-route", status=lambda _, state=state: (state, "why"))
        if isinstance(found, Chosen):
            _use_action(config, found, course, rng)
            continue
        assert found.reason
        if found.route is not None and isinstance(found.route.action, RedirectAction):
            path = found.route.match.path
            assert "://" in location(found.route.action, path, "http", AUTHORITY, TARGET)


def _use_action(config: Config, found: Chosen, course: Course, rng: Random) -> None:
    assert math.isfinite(found.fault.delay) and found.fault.delay >= 0
    statuses = range(1, 17) if course.call.is_grpc else range(200, 600)
    assert found.fault.abort is None or found.fault.abort in statuses
    if found.cluster is not None:
        assert found.cluster.weight > 0
        assert found.cluster.name in config.clusters
        for level in config.edits(found.route, found.cluster):
            sent = edited((("x-a", "1"),), [level.request], course.call.get)
            answered = edited_answer((("x-a", "1"),), [level.response], course.call.get)
            for name, value in (*sent, *answered):
                assert name and isinstance(value, (str, bytes))
        assert isinstance(rewritten(found.action.rewrite, found.route.match.path, TARGET), str)
    for mirror in found.action.mirrors:
        assert mirror.cluster in config.clusters
    timeout = config.timeout(found.action)
    assert timeout is None or (math.isfinite(timeout) and timeout > 0)
    retry = config.retry(found.action)
    if retry is not None:
        assert not may_retry(retry, 14, GRPC_ATTEMPTS, lost="reset")
        assert not may_retry_request(retry, retry.max_attempts, lost="reset")
        may_retry_request(retry, 1, status=503, headers=course.call)
        for attempt in (1, 2, 5, 2000, retry.max_attempts):
            assert 0 <= backoff(retry, attempt, rng.uniform) <= retry.max_interval * 1.2
            assert 0 <= request_backoff(retry, attempt, rng.uniform) <= retry.max_interval
    hashed = course.hash(found.route)
    assert hashed is None or 0 <= hashed < 2**64


def _pick(endpoints: Endpoints, policy: LbPolicy) -> None:
    usable = [e.address for each in endpoints.localities for e in each.endpoints if e.health.usable]
    rng = Random(len(usable))
    some = {a: rng.choice(list(Readiness)) for a in usable}
    for readiness in (dict.fromkeys(usable, Readiness.READY), some, {}):
        picker: Picker = make_picker(endpoints, readiness, rng.randrange, policy, ejected=set(usable[:1]))
        if picker.status is not Status.USABLE:
            assert picker.reason
            continue
        for avoid in (frozenset[str](), frozenset(usable[:1]), frozenset(usable)):
            picked = picker.pick(Ask(rng.randrange, avoid, hash=5))
            assert picked is None or (readiness[picked] is Readiness.READY and picked not in usable[:1])
    draw_drop(endpoints.drops, rng.randrange)


def _eject(cluster: Cluster) -> None:
    if cluster.outlier_detection is None:
        return
    detector = OutlierDetector(cluster.outlier_detection, Random(0).randrange)
    detector.keep(["a", "b", "c"])
    for i in range(12):
        detector.ended("abc"[i % 3], (0, 14, 2)[i % 3], float(i))
    for i in range(3):
        detector.sweep(i * cluster.outlier_detection.interval)
    assert detector.ejected <= {"a", "b", "c"}
