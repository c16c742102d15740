"""`lanes door`: rules that count at once, and those that cannot be used."""

import asyncio
from collections import Counter

import aiohttp
import pytest

from mesh import Mesh
from tests.fakes.lanes_command import Lanes

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def lane_of(mesh: Mesh, session: aiohttp.ClientSession, **headers: str) -> str:
    async with session.get(f"{mesh.url}/api/v1/products/0", headers=headers) as response:
        return str((await response.json())["hops"]["lane"])


async def test_the_doors_rules_live(lanes: Lanes, mesh: Mesh) -> None:
    assert await lanes.ok("door") == "There are no rules.\n"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"
        out = await lanes.ok("door", "add", "--header", "x-lane")
        assert out == "the door goes by these rules\n"
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "dev"
        await lanes.ok("door", "add", "--cookie", "team=blue", "--lane", "blue")
        assert await lane_of(mesh, session, cookie="team=blue") == "blue"
        assert await lane_of(mesh, session, cookie="team=red") == "base"
        await lanes.ok("door", "add", "--user", "jason", "--lane", "jasons", "--at", "1")
        async with session.post(f"{mesh.url}/login", data={"username": "jason"}) as response:
            assert response.status == 200
        assert await lane_of(mesh, session) == "jasons"
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "jasons"  # in order
    kinds = [next(iter(rule)) for rule in (await lanes.json("door"))["rules"]]
    assert kinds == ["user", "header", "cookie"]
    assert "2     header x-lane → the lane it names" in await lanes.ok("door")
    await lanes.ok("door", "remove", "1")
    assert "-- header: x-lane" in await lanes.ok("door", "clear", "--dry-run")
    await lanes.ok("door", "clear")
    async with aiohttp.ClientSession() as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"


async def test_a_share_of_the_visitors_and_each_keeps_their_side(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok(
        "door", "set", "-f", "-", stdin="rules: [{percent: 40, lane: dev}, {percent: 40, lane: qa}]"
    )
    seen: Counter[str] = Counter()
    for _ in range(60):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as visitor:
            lane = await lane_of(mesh, visitor)
            assert {await lane_of(mesh, visitor) for _ in range(3)} == {lane}
            seen[lane] += 1
    assert seen.keys() == {"dev", "qa", "base"}
    async with aiohttp.ClientSession() as session:
        asked = [await lane_of(mesh, session, baggage="env=mine") for _ in range(10)]
    assert set(asked) == {"mine"}
    await lanes.ok("door", "clear")


async def test_rules_of_the_door_that_cannot_be_used(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok("door", "add", "--header", "x-lane")
    assert (await lanes("door", "remove", "9")).err == "There is no rule 9; there is 1.\n"
    (lanes.folder / "door.yaml").write_text("rules:\n- header: x-lane\n- user: jason\n  lane: Dev\n")
    answer = await lanes("door", "set", "-f", "door.yaml")
    assert answer.code == 1
    assert answer.err.startswith("door.yaml:4: rules[1].lane: the lane name 'Dev' is not made of a-z")
    # somebody writes past the command: the door says so and keeps what it had
    log = mesh.log_of("productpage/v1")
    mesh.state.door_rules.write_text("rules: [{percent: 400, lane: dev}]")
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while "door_rules_refused" not in log.read_text():  # noqa: ASYNC110 - the log of another process
            await asyncio.sleep(0.05)
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "dev"
    assert "400 is no number above 0 and up to 100" in log.read_text()
    assert "`lanes door clear` mends it" in (await lanes("door")).err
    await lanes.ok("door", "clear")
    async with aiohttp.ClientSession() as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"
