"""What takes more than one call to see: copies, limits, outliers, hashes; by our client and by Envoy."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections import Counter
from typing import Any

import pytest

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.witness import Seen, Witness
from tests.parity.balancing import limit, of
from tests.parity.cases import BACKENDS, METHOD, Case, act, fails, share, to_v1
from tests.parity.conftest import Ours
from tests.parity.envoy_driver import Envoy
from tests.parity.test_balancing import HASHES, set_row

Client = Ours | Envoy
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(params=["ours", "envoy"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each of the two in turn."""
    found: Client = request.getfixturevalue(request.param)
    return found


def of_all(name: str, client: Client, **action: Any) -> Case:
    """A case whose only route has its own cluster."""
    listener = f"{name}-{client.node}.sidecar:9080"
    return Case(name, [act(route={"cluster": f"of {listener}", **action})], [], "any", listener=listener)


# --- mirrors ------------------------------------------------------------------------------------------------


def mirror(percent: int, **more: Any) -> dict[str, Any]:
    return {"cluster": "copies", "runtime_fraction": {"default_value": share(percent)}, **more}


async def mirrored(plane: FakeControlPlane, client: Client, name: str, *policies: dict[str, Any]) -> Seen:
    """Make ten calls that `policies` may copy, then one that is copied anyway; return the first copy."""
    sure = {"match": {"prefix": "", "headers": [build.header("k-last", present_match=True)]}}
    routes = [
        {**sure, "route": {"cluster": "v1", "request_mirror_policies": [mirror(100)]}},
        *to_v1(request_mirror_policies=policies),
    ]
    case = Case(name, routes, [], "v1", listener=f"{name}-{client.node}.sidecar:9080")
    async with Witness("copies") as copies:
        plane.set(build.cluster("copies"), build.endpoints("copies", copies.address), *case.resources)
        try:
            assert set(await client.call(case.target, METHOD, (("k-a", "1"),), 10)) == {"v1"}
            assert await client.call(case.target, METHOD, (("k-last", "1"),)) == ["v1"]
            return await copies.seen.get()
        finally:
            await client.close(case.target)


async def test_all_calls_are_copied_to_a_shadow(plane: FakeControlPlane, client: Client) -> None:
    copy = await mirrored(plane, client, "all", mirror(100))
    assert ("k-a", "1") in copy.metadata
    assert copy.authority == f"all-{client.node}.sidecar-shadow:9080"
    assert copy.method == METHOD


async def test_the_shadow_may_keep_the_name(plane: FakeControlPlane, client: Client) -> None:
    copy = await mirrored(plane, client, "same", mirror(100, disable_shadow_host_suffix_append=True))
    assert copy.authority == f"same-{client.node}.sidecar:9080"


async def test_no_call_is_copied(plane: FakeControlPlane, client: Client) -> None:
    copy = await mirrored(plane, client, "none", mirror(0))
    assert ("k-last", "1") in copy.metadata


# --- limits -------------------------------------------------------------------------------------------------


async def test_a_second_call_finds_the_circuit_open(plane: FakeControlPlane, client: Client) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def hold(_: Any) -> None:
        entered.set()
        await leave.wait()

    case = of_all("circuit", client)
    async with Backend("held", hold) as held:
        set_row(plane, case, lambda name, _: of("held", **limit(1))(name, {"held": held.address}))
        try:
            first = asyncio.create_task(client.call(case.target, METHOD, ()))
            await entered.wait()
            [second] = await client.call(case.target, METHOD, ())
            assert second.startswith("UNAVAILABLE: ")
            leave.set()
            assert await first == ["held"]
            assert await client.call(case.target, METHOD, ()) == ["held"]
        finally:
            await client.close(case.target)


# --- outliers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detection", ["consecutive_5xx", "consecutive_gateway_failure"])
@pytest.mark.parametrize(("status", "ejects"), [("UNAVAILABLE", True), ("NOT_FOUND", False)])
async def test_who_fails_three_times_gets_no_more_calls(
    plane: FakeControlPlane, client: Client, detection: str, status: str, ejects: bool
) -> None:
    outlier = {
        detection: 3,
        f"enforcing_{detection}": 100,
        "interval": "600s",
        "base_ejection_time": "600s",
        "max_ejection_percent": 50,
    }
    case = of_all(f"{detection}-{status}".lower(), client)
    set_row(plane, case, of(*BACKENDS, outlier_detection=outlier))
    metadata = tuple(fails(f"{status} 1", "v1"))
    try:
        went = [(await client.call(case.target, METHOD, metadata))[0].partition(":")[0] for _ in range(60)]
    finally:
        await client.close(case.target)
    assert went.count(status) >= 3
    # Envoy ejects on its main thread: a call or two may still be on their way.
    assert (status not in went[20:]) == ejects
    assert {"v2", "v3"} <= set(went[20:])


# --- hashes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hashed", [name for name in HASHES if "browsers" not in name])
async def test_equal_keys_stay_at_an_endpoint(plane: FakeControlPlane, client: Client, hashed: str) -> None:
    """Not the same as Envoy's: its ring hashes other strings (gRFC A42)."""
    case = of_all(f"sticky-{hashed.replace(' ', '-')}", client, hash_policy=HASHES[hashed])
    set_row(plane, case, of(*BACKENDS, lb_policy="RING_HASH"))
    counts: Counter[str] = Counter()
    try:
        for i in range(30):
            metadata = (("user", f"user-{i}"), ("second", f"{i * i}"))
            went = set(await client.call(case.target, METHOD, metadata, 5))
            assert len(went) == 1
            counts.update(went)
    finally:
        await client.close(case.target)
    assert counts.keys() == set(BACKENDS)


# --- the driver ---------------------------------------------------------------------------------------------

_RUN = """
import asyncio, pathlib, sys
from tests.fakes.control_plane import FakeControlPlane
from tests.parity import envoy_driver

async def main():
    async with FakeControlPlane() as plane:
        async with envoy_driver.running(envoy_driver.binary(), plane, pathlib.Path(sys.argv[1])) as envoy:
            print(envoy.process.pid, flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_envoy_does_not_outlive_the_tests(envoy: Envoy, tmp_path: Any, end: signal.Signals) -> None:
    tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _RUN, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert tests.stdout is not None
    process = os.pidfd_open(int(await tests.stdout.readline()))
    try:
        os.killpg(tests.pid, end)
        await tests.wait()
        gone, _, _ = await asyncio.to_thread(select.select, [process], [], [], 20)
        assert gone
    finally:
        os.close(process)
