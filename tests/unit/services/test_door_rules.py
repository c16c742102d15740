"""The door's rules as they change under a running productpage."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lanes.context import Forwarding, current
from lanes.door import Door, HeaderRule
from productpage.door import DRAW, door_middleware
from productpage.rules import LiveDoor

STANDING = Door((HeaderRule("x-standing"),), trust_baggage=True)


def test_rules_come_after_those_of_the_environment_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "door.yaml"
    live = LiveDoor(STANDING, file)
    assert live.current == STANDING
    file.write_text("rules: [{header: x-lane}]")
    live.read()
    good = live.current
    assert good.rules == (HeaderRule("x-standing"), HeaderRule("x-lane"))
    assert good.trust_baggage
    before = live.report()
    assert (before["rules"], before["error"]) == (1, None)
    for content in (b"rules: [{percent: 0, lane: dev}]", b"\xff"):
        file.write_bytes(content)
        live.read()
        assert live.current is good
        assert live.report() == {**before, "error": live.report()["error"]}
        assert str(file) in live.report()["error"] or "utf-8" in live.report()["error"]
    file.write_text("rules: [{header: x-lane}]")
    live.read()
    assert live.report() == before
    file.unlink()
    live.read()
    assert live.current.rules == STANDING.rules


async def test_a_change_is_seen_however_the_file_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    # as a kubelet mounts a ConfigMap: the file is a link into a folder that is swapped by a link, too
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "door.yaml").write_text(f"rules: [{{header: x-{name}}}]")
    folder.mkdir()
    (folder / "..data").symlink_to(tmp_path / "one")
    (folder / "door.yaml").symlink_to(folder / "..data" / "door.yaml")
    live = LiveDoor(Door(), folder / "door.yaml")
    assert live.current.rules == (HeaderRule("x-one"),)
    following = asyncio.create_task(live.follow())
    (folder / "new").symlink_to(tmp_path / "two")
    os.replace(folder / "new", folder / "..data")
    async with asyncio.timeout(20):
        while live.current.rules != (HeaderRule("x-two"),):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


async def lane(_: web.Request) -> web.Response:
    return web.Response(text=current().lane_name)


async def test_a_visitor_keeps_what_was_drawn(tmp_path: Path) -> None:
    file = tmp_path / "door.yaml"
    file.write_text("rules: [{percent: 10, lane: dev}, {percent: 20, lane: qa}]")
    draws: Iterator[float] = iter([0.05, 0.25, 0.9, 0.05])
    live = LiveDoor(Door(), file)
    app = web.Application(middlewares=[door_middleware(live, Forwarding(), b"s" * 16, lambda: next(draws))])
    app.router.add_get("/", lane)
    async with TestClient(TestServer(app)) as client:

        async def visit(cookie: str | None = None) -> tuple[str, str | None]:
            client.session.cookie_jar.clear()
            async with client.get("/", cookies={DRAW: cookie} if cookie else {}) as response:
                given = response.cookies.get(DRAW)
                return await response.text(), given.value if given else None

        first, dev = await visit()
        second, qa = await visit()
        third, none = await visit()
        assert (first, second, third) == ("dev", "qa", "base")
        assert dev is not None
        for _ in range(3):
            assert await visit(dev) == ("dev", None)
            assert await visit(qa) == ("qa", None)
            assert await visit(none) == ("base", None)
        # what nobody signed is drawn anew, and never believed
        forged = await visit("0.25." + dev.partition(".")[2])
        assert forged[0] == "dev"
        assert forged[1] is not None
        file.write_text("rules: [{percent: 50, lane: dev}]")
        live.read()
        assert await visit(qa) == ("dev", None)  # a share that grows keeps whom it had and takes more
        file.write_text("")
        live.read()
        assert await visit() == ("base", None)
