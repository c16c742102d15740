"""A client whose control plane has lost its mind: calls are answered, or fail as calls do, and no more."""

from __future__ import annotations

import asyncio
import json
import os
from random import Random
from typing import Any

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fuzz.mutate import mutate

from .conftest import METHOD, NAME, TARGET, bootstrap_for

CHANGES = int(os.environ.get("CHANGES", "150"))
AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
EXPECTED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def world(v1: str, v2: str) -> list[Any]:
    """A bit of everything that stands between a call and its endpoint."""
    first = build.route({"v1": 3, "both": 1}, headers=[build.header("env", string_match={"prefix": "d"})])
    first["request_headers_to_add"] = [{"header": {"key": "x-a", "value": "%REQ(env)%"}}]
    first["route"] |= {
        "retry_policy": {"retry_on": "unavailable", "num_retries": 2, "per_try_timeout": "0.1s"},
        "request_mirror_policies": [{"cluster": "v2"}],
        "hash_policy": [{"header": {"header_name": "env"}}],
        "max_stream_duration": {"max_stream_duration": "1s"},
    }
    config = {"@type": AGGREGATE, "clusters": ["v1", "v2"]}
    return [
        *build.service(NAME, {"v1": [v1, v2], "v2": [v2]}, [first, build.route("both")]),
        build.cluster(
            "v1", lb_policy="RING_HASH", outlier_detection={"interval": "0.1s", "consecutive_5xx": 1}
        ),
        build.cluster(
            "v2", lb_policy="LEAST_REQUEST", circuit_breakers={"thresholds": [{"max_requests": 9}]}
        ),
        build.cluster("both", cluster_type={"name": "aggregate", "typed_config": config}),
    ]


def renamed(message: Any, like: Any) -> Any:
    """The message under the name of another, so that it reaches whoever watches that one."""
    field = "cluster_name" if build.type_url(like) == build.EDS else "name"
    setattr(message, field, build.name_of(like))
    return message


def contained(message: Any, ours: set[str]) -> Any:
    """The message with none in it but the test's own: port 1 of this machine stands for the others."""
    if build.type_url(message) not in (build.CDS, build.EDS):
        return message
    assignment = message if build.type_url(message) == build.EDS else message.load_assignment
    entries = [entry for each in assignment.endpoints for entry in each.lb_endpoints]
    for i, entry in enumerate(entries):
        socket = entry.endpoint.address.socket_address
        if (
            entry.endpoint.address.HasField("socket_address")
            and f"{socket.address}:{socket.port_value}" not in ours
        ):
            socket.address, socket.port_value = f"127.0.0.{i % 250 + 1}", 1
    return message


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
async def test_any_configuration(
    control_plane: FakeControlPlane, v1: Backend, v2: Backend, seed: int
) -> None:
    rng = Random(seed)
    surprises: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: surprises.append(context))
    fallback = rng.choice(("none", "next-route"))
    good = world(v1.address, v2.address)
    control_plane.set(*good)
    async with proxyless.Client(bootstrap_for(control_plane), fallback=fallback) as mesh:  # type: ignore[arg-type]
        method = mesh.channel(TARGET).unary_unary(METHOD)
        for _ in range(CHANGES):
            like = rng.choice(good)
            message = type(like)()
            message.CopyFrom(like)
            mutate(message, rng)
            if rng.randrange(4) == 0:
                control_plane.set(*good)
            control_plane.set(contained(renamed(message, like), {v1.address, v2.address}))
            for metadata in ((), (("env", "dev"),)):
                try:
                    assert await method(b"", metadata=metadata, timeout=rng.choice((0.02, 0.2))) in (
                        b"v1",
                        b"v2",
                    )
                except aio.AioRpcError as error:
                    assert error.code() in EXPECTED, (error.code(), error.details(), message)
            json.dumps(mesh.config_dump(), allow_nan=False)
        control_plane.set(*good)
        while await method(b"", timeout=20, wait_for_ready=True) not in (b"v1", b"v2"):
            pass  # whatever it has been through, it is well again
        assert len(control_plane.nodes) == 1, "no resource ends the stream"
    assert not surprises
