"""Processes killed and started, requests sent, and a steady load, through the console."""

import asyncio
from collections import Counter
from io import BytesIO
from typing import Any

import pytest

from console.acting.guard import TOKEN_HEADER
from mesh import Mesh
from mesh.logs import Tail
from mesh.walkthrough.door import Door
from tests.e2e.console.conftest import Console
from tests.fakes.lanes_command import Lanes

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def phase(mesh: Mesh, name: str) -> str:
    return (await mesh.status()).process(name).phase


async def test_a_killed_instance_is_started_by_undo_and_killed_by_its_undo(
    console: Console, mesh: Mesh
) -> None:
    killed = await console.act("kill", name="reviews/v2")
    assert killed["action"]["milliseconds"] > 0
    assert killed["action"]["lines"] == ["reviews/v2 is killed (SIGKILL)"]
    assert await phase(mesh, "reviews/v2") == "killed"
    started = await console.undo(killed)
    assert await phase(mesh, "reviews/v2") == "ready"
    again = await console.undo(started)
    assert await phase(mesh, "reviews/v2") == "killed"
    await console.act("start", name="reviews/v2")
    error = await console.refused(409, "undo", id=again["action"]["id"])
    assert error["message"] == "reviews/v2 has been started meanwhile."
    error = await console.refused(409, "start", name="reviews/v2")
    assert "is running already" in error["message"]


async def test_a_process_started_anew_by_somebody_else_is_not_killed(console: Console, mesh: Mesh) -> None:
    await console.act("kill", name="ratings/v2")
    started = await console.act("start", name="ratings/v2")
    await mesh.kill("ratings/v2")
    await mesh.start("ratings/v2")
    await console.refused(409, "undo", id=started["action"]["id"])
    assert await phase(mesh, "ratings/v2") == "ready"


async def test_one_on_demand_is_started(console: Console, mesh: Mesh, door: Door) -> None:
    error = await console.refused(409, "weights", service="delivery", weights={"v1": 100})
    assert "python -m mesh start delivery/v1" in error["message"]
    started = await console.act("start", name="delivery/v1")
    assert started["action"]["lines"] == ["delivery/v1 is ready"]
    assert (await door.visit(what="0/delivery")).versions["delivery"] == "v1"
    # Of an HTTP service a fault is an HTTP status.
    await console.act("fault", service="delivery", lane="", delay_ms=None, abort="UNAVAILABLE", percent=100)
    assert not (await door.visit(what="0/delivery")).ok
    fault = console.newest
    await console.act("undo", id=fault["id"])
    assert (await door.visit(what="0/delivery")).ok
    await console.refused(404, "start", name="delivery/v9")


async def test_the_control_plane_is_killed_and_started(console: Console, mesh: Mesh, door: Door) -> None:
    killed = await console.act("kill", name="controlplane")
    assert (await door.visit()).ok
    error = await console.refused(409, "weights", service="reviews", weights={"v3": 100})
    assert "control plane" in error["message"]
    await console.undo(killed)
    assert await phase(mesh, "controlplane") == "ready"


async def test_who_would_end_the_console_is_refused(console: Console) -> None:
    error = await console.refused(409, "kill", name="productpage/v1")
    assert "the way to this console" in error["message"]
    await console.refused(404, "kill", name="productpage")  # no shorter way to the same


async def test_requests_are_sent_in_a_lane_and_as_a_user(console: Console, lanes: Lanes) -> None:
    await console.act("lane-create", name="dev", versions={"reviews": "v2"}, mode="permissive")
    await lanes.ok("create", "vip", "--service", "reviews=v3")
    await lanes.ok("door", "add", "--user", "jason", "--lane", "vip")

    def versions(answer: Any) -> Counter[str]:
        return Counter(
            call["version"]
            for each in answer["sent"]
            for call in each["hops"]["calls"]
            if call["service"] == "reviews"
        )

    assert versions(await console.act("send", lane="", user="", count=5)) == {"v1": 5}
    sent = await console.act("send", lane="dev", user="", count=20)
    assert versions(sent) == {"v2": 20}
    assert len({each["trace_id"] for each in sent["sent"]}) == 20
    assert {each["status"] for each in sent["sent"]} == {200}
    assert versions(await console.act("send", lane="base", user="jason", count=3)) == {"v3": 3}
    await console.refused(400, "send", lane="dev", user="", count=51)
    assert console.newest["title"] == "Create lane dev"  # what was sent has changed nothing
    await lanes.ok("rollback", "0")


async def test_a_steady_load_runs_until_it_is_ended(console: Console, mesh: Mesh) -> None:
    log = Tail([mesh.log_of("productpage/v1")])
    list(log.read())
    seen: list[str] = []

    def enough() -> bool:
        return len(seen) >= 20

    await console.act("traffic", rate=50, lanes={"base": 1})
    assert console.acting.traffic == {"rate": 50, "lanes": {"base": 1}}
    async with asyncio.timeout(20):
        async for line in log.follow(until=enough):
            seen += [line] if "/api/v1/products/0" in line else []
    await console.act("traffic", rate=0, lanes={})
    assert console.acting.traffic == {"rate": 0, "lanes": {}}


async def test_what_another_site_sends_does_nothing(console: Console, mesh: Mesh) -> None:
    """The guard, through the server: what it refuses reaches no verb."""
    good = {TOKEN_HEADER: console.acting.token, "Content-Type": "application/json"}
    url = f"{console.url}/mesh/api/actions/kill"
    for changed, status in (
        ({TOKEN_HEADER: "guessed"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"X-Forwarded-For": "192.0.2.7"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ):
        headers = {**good, **changed}
        async with console.session.post(url, data=b'{"name": "reviews/v1"}', headers=headers) as response:
            assert response.status == status, changed
    async with console.session.post(url, data=BytesIO(b" " * (1 << 20) + b"{}"), headers=good) as response:
        assert response.status == 413

    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * (64 << 10)

    async with console.session.post(url, data=pieces(), headers=good) as response:
        assert response.status == 413
    async with console.session.get(f"{console.url}/mesh/api/objects", headers={"Host": "evil"}) as response:
        assert response.status == 403
    assert await phase(mesh, "reviews/v1") == "ready"
    assert console.published == []
