"""A control plane without measure: what it sends costs memory in proportion, and calls go on.

The client is a process of its own, so that the memory is its own. The bounds are generous: they tell a cost
that grows with the square of something, or that is never given back, from one that is paid once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.bystander import bystander
from tests.fakes.control_plane import FakeControlPlane

NAME = "reviews:9080"
MOST = 400.0
"""MiB that a client may take more than before, for responses of a few MiB each."""


def many_routes() -> Any:
    made = build.route_config(NAME, [build.route("v1")])
    host = made.virtual_hosts[0]
    last = type(host)()
    last.CopyFrom(host)
    del host.routes[:]
    for i in range(50_000):
        added = host.routes.add()
        added.match.prefix, added.route.cluster = f"/{i}", "v1"
    host.routes.MergeFrom(last.routes)
    return made


def many_hosts() -> Any:
    made = build.route_config(NAME, [build.route("v1")])
    for i in range(20_000):
        added = made.virtual_hosts.add()
        added.CopyFrom(made.virtual_hosts[0])
        added.name, added.domains[:] = str(i), [f"d{i}"]
    return made


def many_endpoints() -> Any:
    made = build.endpoints("elsewhere")
    for i in range(50):
        addresses = [f"10.{i}.{j >> 8}.{j & 255}:80" for j in range(2000)]
        build.add_locality(made, addresses, zone=str(i))
    return made


def long_names() -> Any:
    names = [letter * 1_000_000 for letter in "abc"]
    made = [build.route(name, f"/{name[:1]}") for name in names]
    return build.route_config(NAME, [*made, build.route("v1")])


LISTS: dict[str, Callable[[], Any]] = {
    "50,000 routes": many_routes,
    "20,000 virtual hosts": many_hosts,
    "100,000 endpoints of a cluster that no call goes to": many_endpoints,
    "clusters with names of a megabyte": long_names,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", LISTS)
async def test_an_enormous_list_costs_what_it_weighs(what: str) -> None:
    async with FakeControlPlane() as control_plane, Backend("v1") as v1:
        clusters = {"v1": [v1.address], "elsewhere": ["127.0.0.1:1"]}
        control_plane.set(
            *build.service(NAME, clusters, [build.route("elsewhere", "/elsewhere"), build.route("v1")])
        )
        async with bystander(control_plane.address) as client:
            before = await client.call()
            assert before["answer"] == "v1"
            lie = LISTS[what]()
            control_plane.set(lie)
            await settled(control_plane, build.type_url(lie))
            assert control_plane.nacks == []
            after = await client.call()
            assert after["answer"] == "v1"
            assert after["peak"] - before["peak"] < MOST


@pytest.mark.timeout(300)
async def test_thousands_of_versions_cost_no_more_than_one() -> None:
    async with FakeControlPlane() as control_plane, Backend("v1") as v1:
        control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
        async with bystander(control_plane.address) as client:
            before = await client.call()
            for turn in range(10):
                for i in range(500):
                    other = build.route("v1", f"/{turn}/{i}")
                    control_plane.set(build.route_config(NAME, [other, build.route("v1")]))
                assert (await client.call())["answer"] == "v1", "while they come"
            await settled(control_plane, build.RDS)
            after = await client.call()
            assert after["answer"] == "v1"
            assert after["peak"] - before["peak"] < MOST / 4
            assert len(control_plane.nodes) == 1


async def settled(control_plane: FakeControlPlane, type_url: str) -> None:
    """Wait until the last version of this type was acknowledged or refused."""
    last = str(control_plane.version)

    def answered() -> bool:
        requests = [request for stream in control_plane.streams for request in stream.requests]
        asked = [request for request in requests if request.type_url == type_url]
        return bool(control_plane.nacks) or any(request.version_info == last for request in asked)

    await control_plane.until(answered)
