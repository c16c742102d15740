"""Big responses are taken in between everything else, and still as a whole, in order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import proxyless
import pytest
import pytest_asyncio
from proxyless.depgraph import Config
from proxyless.resources import Kind
from proxyless.targets import ActiveTarget

from lanes.render import lane_regex
from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import Stream

from .conftest import NAME, TARGET
from .routing import call

MANY = 400


def in_lane(number: int) -> dict[str, Any]:
    return build.header("baggage", string_match={"safe_regex": {"regex": lane_regex("env", f"l{number}")}})


def lanes(cluster: str, last: dict[str, Any] | None = None) -> Any:
    """Many lanes that all go to one cluster; each says in its name which."""
    each = [build.route(cluster, headers=[in_lane(i)]) | {"name": f"{cluster}-{i}"} for i in range(MANY)]
    return build.route_config(NAME, [*each, last or build.route(cluster) | {"name": f"{cluster}-base"}])


@pytest.fixture(autouse=True)
def a_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop runs after each single step, so that anything may happen in between."""
    monkeypatch.setattr("proxyless.slices.SLICE", 0.0)


@pytest_asyncio.fixture
async def talking(mesh_by_hand: Any, v1: Backend) -> AsyncIterator[tuple[Stream, proxyless.Client]]:
    """A stream on which everything has been said once, the routes all going to `a`."""
    control_plane, client = mesh_by_hand
    channel = client.channel(TARGET)
    active = target_of(client)
    await control_plane.until(lambda: any(build.LDS in s.names for s in control_plane.streams))
    stream = control_plane.streams[0]
    stream.send(build.LDS, [build.listener(NAME)])
    stream.send(build.RDS, [lanes("a")])
    stream.send(build.CDS, [build.cluster("a")])
    stream.send(build.EDS, [build.endpoints("a", v1.address)])
    while not isinstance(active.outcome, Config):
        await active.changed()
    yield stream, client
    await channel.close()


def target_of(client: proxyless.Client) -> ActiveTarget:
    (active,) = client._targets.values()
    return active


def routed(active: ActiveTarget) -> set[str]:
    """Where the routes in force say that they go, which is one place if they are of one version."""
    assert isinstance(active.outcome, Config)
    routes = [rule.route for rule in active.outcome.table.rules]
    assert tuple(routes) == active.outcome.table.virtual_host.routes
    return {route.name.partition("-")[0] for route in routes}


def answers(stream: Stream, nonce: str) -> list[str]:
    """How each request with this nonce answers: its error, or none."""
    return [request.error_detail.message for request in stream.requests if request.response_nonce == nonce]


async def test_calls_go_on_by_the_old_version_until_the_new_one_is_whole(
    talking: tuple[Stream, proxyless.Client], v1: Backend
) -> None:
    stream, client = talking
    active, seen, turns = target_of(client), [{"a"}], 0
    nonce = stream.send(build.RDS, [lanes("b")], "2")
    stream.send(build.CDS, [build.cluster("a"), build.cluster("b")], "2")
    stream.send(build.EDS, [build.endpoints("b", v1.address)], "2")
    while seen[-1] != {"b"}:
        await asyncio.sleep(0)
        turns += 1
        now = routed(active)
        assert len(now) == 1
        if now != seen[-1]:
            seen.append(now)
    assert seen == [{"a"}, {"b"}]
    assert turns > MANY  # the loop ran all the while
    assert answers(stream, nonce) == [""] * len(answers(stream, nonce))
    assert await call(client) == b"v1"


async def test_versions_that_overtake_each_other_are_taken_in_order(
    talking: tuple[Stream, proxyless.Client], mesh_by_hand: Any
) -> None:
    stream, client = talking
    control_plane = mesh_by_hand[0]
    nonces = [stream.send(build.RDS, [lanes(each)], each) for each in ("b", "c", "a")]
    await control_plane.until(lambda: bool(answers(stream, nonces[-1])))
    acknowledged = [each.response_nonce for each in stream.requests if each.response_nonce in nonces]
    assert list(dict.fromkeys(acknowledged)) == nonces
    assert routed(target_of(client)) == {"a"}
    assert client.config_dump()["resources"]["RDS"]["resources"][NAME]["version"] == "a"


async def test_nothing_is_acknowledged_before_the_last_route_is_found_bad(
    talking: tuple[Stream, proxyless.Client], mesh_by_hand: Any
) -> None:
    stream, client = talking
    control_plane = mesh_by_hand[0]
    nonce = stream.send(build.RDS, [lanes("b", last={"match": {"prefix": ""}})], "2")
    await control_plane.until(lambda: bool(answers(stream, nonce)))
    (refusal,) = answers(stream, nonce)
    assert f"virtual_hosts[0].routes[{MANY}]: has no action" in refusal
    assert routed(target_of(client)) == {"a"}


async def test_a_stream_that_ends_meanwhile_loses_nothing(
    talking: tuple[Stream, proxyless.Client], mesh_by_hand: Any
) -> None:
    stream, client = talking
    control_plane = mesh_by_hand[0]
    stream.send(build.RDS, [lanes("a", build.route("a") | {"name": "a-new"})], "2")
    stream.end()
    await control_plane.until(lambda: stream not in control_plane.streams and bool(control_plane.streams))
    again = control_plane.streams[0]
    await control_plane.until(lambda: build.RDS in again.names)
    (first, *_) = [each for each in again.requests if each.type_url == build.RDS]
    assert (first.version_info, first.response_nonce) == ("2", "")
    outcome = target_of(client).outcome
    assert isinstance(outcome, Config)
    assert outcome.table.virtual_host.routes[-1].name == "a-new"


async def test_a_client_that_is_closed_meanwhile_takes_no_more(
    talking: tuple[Stream, proxyless.Client], mesh_by_hand: Any
) -> None:
    stream, client = talking
    reading = asyncio.Event()
    machine = client._machine
    steps = machine.reading

    def watched(response: Any) -> Any:
        reading.set()
        return (yield from steps(response))

    machine.reading = watched  # type: ignore[method-assign]
    stream.send(build.RDS, [lanes("b")], "2")
    await reading.wait()
    await client.close()
    held = machine.held(Kind.ROUTE_CONFIG, NAME)
    assert held is not None and held.version == "1"


async def test_a_channel_that_is_closed_meanwhile_is_left_alone(
    talking: tuple[Stream, proxyless.Client], mesh_by_hand: Any
) -> None:
    stream, client = talking
    first, other = target_of(client), client.attach(TARGET, options=[("grpc.primary_user_agent", "other")])
    assert routed(other) == {"a"}
    nonce = stream.send(build.RDS, [lanes("b")], "2")
    while routed(first) == {"a"}:
        await first.changed()
    client.detach(other)  # its own table is being built, or is about to be
    await mesh_by_hand[0].until(lambda: bool(answers(stream, nonce)))
    for _ in range(4 * MANY):
        await asyncio.sleep(0)
    assert routed(other) == {"a"}
    assert not other.clusters
