"""Clusters, policies and limits: two clients and an Envoy, and the same calls get the same."""

from __future__ import annotations

import pytest

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.parity import assignments, balancing
from tests.parity.balancing import Addresses, Make, localities, of
from tests.parity.cases import BACKENDS, METHOD, Case, act
from tests.parity.conftest import Driver
from tests.parity.test_parity import drive

ROWS = (*balancing.ROWS, *assignments.ROWS)


def addresses(plane: FakeControlPlane) -> Addresses:
    """Where the backends listen, as the control plane says."""
    found = {}
    for name in BACKENDS:
        [locality] = plane.resources[build.EDS][name].endpoints
        socket = locality.lb_endpoints[0].endpoint.address.socket_address
        found[name] = f"{socket.address}:{socket.port_value}"
    return found


def set_row(plane: FakeControlPlane, case: Case, make: Make) -> None:
    plane.set(*make(f"of {case.listener}", addresses(plane)), *case.resources)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("case", "make"), ROWS, ids=[case.name for case, _ in ROWS])
async def test_both_balance_as_the_table_says(
    plane: FakeControlPlane, ours: Driver, theirs: Driver, case: Case, make: Make
) -> None:
    set_row(plane, case, make)
    await drive(plane, theirs, case, case.expected if case.grpc is None else case.grpc)
    await drive(plane, ours, case, case.expected)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("case", "make"), ROWS, ids=[case.name for case, _ in ROWS])
async def test_envoy_balances_as_the_table_says(
    plane: FakeControlPlane, envoy: Driver, case: Case, make: Make
) -> None:
    set_row(plane, case, make)
    await drive(plane, envoy, case, case.expected if case.envoy is None else case.envoy)


HASHES = {
    "a header": [{"header": {"header_name": "user"}}],
    "a part of a header": [
        {
            "header": {
                "header_name": "user",
                "regex_rewrite": {"pattern": {"regex": "(.)(.*)"}, "substitution": "\\2-\\1"},
            }
        }
    ],
    "two headers": [{"header": {"header_name": "user"}}, {"header": {"header_name": "second"}}],
    "the first that is there": [
        {"header": {"header_name": "nowhere"}, "terminal": True},
        {"header": {"header_name": "user"}, "terminal": True},
        {"header": {"header_name": "second"}},
    ],
    "what only browsers have, and a header": [
        {"cookie": {"name": "c"}},
        {"header": {"header_name": "user"}},
    ],
}
RINGS = {
    "equal": of("v1", "v2", "v3", lb_policy="RING_HASH"),
    "by weight": localities(("v1", 1, 0), ("v2", 5, 0), ("v3", 2, 0), lb_policy="RING_HASH"),
    "small": of("v1", "v2", "v3", lb_policy="RING_HASH", ring_hash_lb_config={"minimum_ring_size": 16}),
}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("hashed", HASHES)
async def test_a_hash_leads_both_to_the_same_endpoint(
    plane: FakeControlPlane, ours: Driver, theirs: Driver, hashed: str, ring: str
) -> None:
    name = f"{hashed}-{ring}.hash:9080".replace(" ", "-").replace(",", "")
    routes = [act(route={"cluster": f"of {name}", "hash_policy": HASHES[hashed]})]
    case = Case(name, routes, [], "any", listener=name)
    set_row(plane, case, RINGS[ring])
    went = []
    try:
        for i in range(40):
            metadata = (("user", f"user-{i}"), ("second", f"{i * i}"))
            [theirs_to] = await theirs.call(case.target, METHOD, metadata)
            [ours_to] = await ours.call(case.target, METHOD, metadata)
            assert ours_to == theirs_to, metadata
            went.append(ours_to)
    finally:
        await theirs.close(case.target)
        await ours.close(case.target)
    assert set(went) == set(BACKENDS)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_hash_of_the_channel_keeps_it_at_one_endpoint(
    plane: FakeControlPlane, ours: Driver, theirs: Driver
) -> None:
    policy = [{"filter_state": {"key": "io.grpc.channel_id"}}]
    case = Case(
        "c", [act(route={"cluster": "of c.hash", "hash_policy": policy})], [], "any", listener="c.hash"
    )
    set_row(plane, case, RINGS["equal"])
    for client in (theirs, ours):
        assert len(set(await client.call(case.target, METHOD, (), 60))) == 1
        await client.close(case.target)


@pytest.mark.asyncio(loop_scope="session")
async def test_without_a_hash_the_ring_is_drawn_from(
    plane: FakeControlPlane, ours: Driver, theirs: Driver
) -> None:
    case = Case("r", [act(route={"cluster": "of r.hash"})], [], "any", listener="r.hash")
    set_row(plane, case, RINGS["equal"])
    for client in (theirs, ours):
        assert set(await client.call(case.target, METHOD, (), 100)) == set(BACKENDS)
        await client.close(case.target)
