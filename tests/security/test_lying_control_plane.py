"""A control plane that lies: what cannot be is refused by its field, and calls go the way they went."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import proxyless
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyProto
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane, Stream

NAME = "reviews:9080"
TARGET = f"xds:///{NAME}"
METHOD = "/test.Service/UnaryUnary"
MEGABYTE = 1_000_000
AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
Call = Callable[[], Any]


@asynccontextmanager
async def mesh() -> AsyncIterator[tuple[FakeControlPlane, Call]]:
    """A control plane that has told the truth so far, and a call that v1 answers."""
    async with FakeControlPlane() as control_plane, Backend("v1") as v1:
        control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
        environ = {"XDS_ADDRESS": control_plane.address, "POD_NAME": "test"}
        async with proxyless.Client(proxyless.Bootstrap.from_env(environ)) as client:
            method = client.channel(TARGET).unary_unary(METHOD)

            async def call() -> bytes:
                return await method(b"", timeout=60)

            assert await call() == b"v1"
            yield control_plane, call


def routes(*domains: str, **match: Any) -> Any:
    return build.route_config(NAME, [build.route("v1", **match)], domains or ["*"])


def with_route(change: Callable[[Any], object]) -> Any:
    made = routes()
    change(made.virtual_hosts[0].routes[0])
    return made


def regex(pattern: str) -> Any:
    return routes(headers=[build.header("h", safe_regex_match={"regex": pattern})])


def with_cluster(change: Callable[[Any], object]) -> Any:
    made = build.cluster("v1")
    change(made)
    return made


def with_timeout(seconds: int, nanos: int = 0) -> Any:
    def change(route: Any) -> None:
        limit = route.route.max_stream_duration.max_stream_duration
        limit.seconds, limit.nanos = seconds, nanos

    return with_route(change)


def nested_any(depth: int) -> AnyProto:
    inner = AnyProto()
    for _ in range(depth):
        inner = AnyProto(type_url="type.googleapis.com/google.protobuf.Any", value=inner.SerializeToString())
    return inner


def with_override(made: AnyProto) -> Any:
    return with_route(lambda route: route.typed_per_filter_config["f"].CopyFrom(made))


def panic(value: float) -> Any:
    return with_cluster(
        lambda cluster: setattr(cluster.common_lb_config.healthy_panic_threshold, "value", value)
    )


def localities(*weights: int) -> Any:
    made = build.endpoints("v1")
    for i, weight in enumerate(weights):
        build.add_locality(made, [f"127.0.0.1:{i + 1}"], zone=str(i), weight=weight)
    return made


MOST = 2**32 - 1
UNKNOWN = AnyProto(type_url="type.googleapis.com/no.Such", value=b"\xff" * 1000)
ROUTE = "virtual_hosts[0].routes[0]"
HEADER = f"{ROUTE}.match.headers[0]"
LIES: dict[str, tuple[Callable[[], Any], str]] = {
    "weights beyond 2^32": (lambda: build.route_config(NAME, [build.route({"v1": MOST, "b": 1})]), ROUTE),
    "weights of localities beyond 2^32": (lambda: localities(MOST, 1), "endpoints"),
    "a regex of a megabyte": (lambda: regex("a" * MEGABYTE), HEADER),
    "a regex that multiplies itself": (lambda: regex("((a{30}){30}){30}"), HEADER),
    "a regex of half a megabyte of choices": (lambda: regex("a|" * MEGABYTE), HEADER),
    "a negative duration": (lambda: with_timeout(-1), ROUTE),
    "a duration beyond 10,000 years": (lambda: with_timeout(2**63 - 1), ROUTE),
    "nanoseconds beyond a second": (lambda: with_timeout(1, 10**9), ROUTE),
    "Any in Any, 1000 deep": (lambda: with_override(nested_any(1000)), ROUTE),
    "an override of nothing known": (lambda: with_override(UNKNOWN), ROUTE),
    "10,000 domains that are one": (lambda: routes(*["*"] * 10_000), "domains"),
    "a domain of a megabyte of stars": (lambda: routes("*" * MEGABYTE), "domains"),
    "an address of a megabyte": (lambda: build.endpoints("v1", "a" * MEGABYTE + ":1"), "endpoints[0]"),
}  # fmt: skip


@pytest.mark.parametrize("what", LIES)
async def test_what_cannot_be_is_refused_by_its_field(what: str) -> None:
    make, field = LIES[what]
    async with mesh() as (control_plane, call):
        control_plane.set(make())
        await control_plane.until(lambda: bool(control_plane.nacks))
        [nack] = control_plane.nacks
        assert field in nack.error_detail.message, nack.error_detail.message[:500]
        assert len(nack.error_detail.message) < 20_000, "a refusal does not send the lie back"
        assert await call() == b"v1"
        assert len(control_plane.nodes) == 1, "no resource ends the stream"


ODD = {
    "a threshold that is no number": lambda: panic(math.nan),
    "a threshold without end": lambda: panic(math.inf),
    "10,000 brackets around nothing": lambda: build.route_config(
        NAME, [*regex("(" * 10_000 + ")" * 10_000).virtual_hosts[0].routes, build.route("v1")]
    ),
    "thousands of domains": lambda: routes("*", *(f"d{i}" for i in range(20_000))),
    "thousands of subsets that are nowhere": lambda: build.route_config(
        NAME, [*(build.route(f"none{i}", f"/{i}") for i in range(2000)), build.route("v1")]
    ),
}


@pytest.mark.parametrize("what", ODD)
async def test_what_is_odd_is_taken_and_harms_nobody(what: str) -> None:
    async with mesh() as (control_plane, call):
        lie = ODD[what]()
        control_plane.set(lie)
        await control_plane.until(lambda: taken(control_plane, build.type_url(lie)))
        assert control_plane.nacks == []
        assert await call() == b"v1"


def aggregate(name: str, *below: str) -> Any:
    typed = {"name": "aggregate", "typed_config": {"@type": AGGREGATE, "clusters": below}}
    return build.cluster(name, cluster_type=typed)


def ladder(height: int, name: str = "a") -> list[Any]:
    """Each of two clusters on a step stands on both of the next: 2^height ways down."""
    made = []
    for step in range(height):
        below = [f"{name}{step + 1}l", f"{name}{step + 1}r"] if step < height - 1 else ["v1"]
        made += [aggregate(f"{name}{step}l", *below), aggregate(f"{name}{step}r", *below)]
    return made


GRAPHS: dict[str, tuple[list[Any], str, str]] = {
    "a cluster of itself": ([aggregate("a", "a")], "a", "contains itself"),
    "a loop of three": (
        [aggregate("a", "b"), aggregate("b", "c"), aggregate("c", "a")],
        "a",
        "contains itself",
    ),
    "a loop far below": ([*ladder(8), aggregate("a7l", "a0l")], "a0l", "contains itself"),
    "too deep": ([aggregate(f"d{i}", f"d{i + 1}") for i in range(100)], "d0", "deep"),
}


@pytest.mark.parametrize("what", GRAPHS)
async def test_clusters_that_lead_nowhere(what: str) -> None:
    clusters, top, said = GRAPHS[what]
    own = [build.header("to", string_match={"exact": "nowhere"})]
    async with mesh() as (control_plane, call):
        control_plane.set(*clusters)
        control_plane.set(build.route_config(NAME, [build.route(top, headers=own), build.route("v1")]))
        assert await call() == b"v1"
        environ = {"XDS_ADDRESS": control_plane.address, "POD_NAME": "lost"}
        async with proxyless.Client(proxyless.Bootstrap.from_env(environ)) as client:
            method = client.channel(TARGET).unary_unary(METHOD)
            with pytest.raises(aio.AioRpcError) as caught:
                await method(b"", metadata=[("to", "nowhere")], timeout=60)
            assert said in (caught.value.details() or ""), caught.value.details()
            assert await method(b"", timeout=60) == b"v1"
        assert await call() == b"v1"


async def test_thirty_thousand_ways_down_are_one() -> None:
    async with mesh() as (control_plane, call):
        control_plane.set(*ladder(16))
        control_plane.set(build.route_config(NAME, [build.route("a0l")]))
        await control_plane.until(lambda: taken(control_plane, build.RDS))
        assert await call() == b"v1"


def taken(control_plane: FakeControlPlane, type_url: str) -> bool:
    """Whether the last version of this type was acknowledged."""
    last = str(control_plane.version)
    return any(
        (request.type_url, request.version_info) == (type_url, last)
        for stream in control_plane.streams
        for request in stream.requests
    )


def respond(stream: Stream, type_url: str, nonce: str, version: str, *resources: AnyProto) -> None:
    stream.outgoing.put_nowait(
        DiscoveryResponse(type_url=type_url, nonce=nonce, version_info=version, resources=resources)
    )


async def test_responses_that_nobody_asked_for() -> None:
    async with mesh() as (control_plane, call):
        [stream] = control_plane.streams
        for i in range(1000):
            respond(stream, f"type.googleapis.com/no.Such{i}", f"x{i}", "1", AnyProto(value=b"\xff" * 1000))
        respond(stream, "", "x", "1")
        for name in ("", "other:80", "a" * MEGABYTE):
            stream.send(build.LDS, [build.listener(NAME, NAME), build.listener(name or "b", NAME)], "9")
        await control_plane.until(lambda: any(r.version_info == "9" for r in stream.requests))
        assert await call() == b"v1"
        assert len(control_plane.nodes) == 1


async def test_nonces_and_versions_of_a_megabyte() -> None:
    async with mesh() as (control_plane, call):
        [stream] = control_plane.streams
        for letter in "abc":
            packed = AnyProto()
            packed.Pack(routes())
            respond(stream, build.RDS, letter * MEGABYTE, letter * MEGABYTE, packed)
        await control_plane.until(lambda: any(r.response_nonce[:1] == "c" for r in stream.requests))
        assert await call() == b"v1"
        assert len(control_plane.nodes) == 1
