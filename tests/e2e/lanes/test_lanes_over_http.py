"""Lanes of a service that speaks HTTP with a caller in the mesh."""

from __future__ import annotations

import pytest

from mesh import Mesh
from tests.fakes.lanes_command import Lanes

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_service_that_speaks_http_and_is_called_in_the_mesh(lanes: Lanes, mesh: Mesh) -> None:
    try:
        await mesh.start("delivery/v1")
        await mesh.start("delivery/v2")
        await lanes.ok("create", "team", "-s", "delivery=v2")
        out = await lanes.ok("status", "team")
        assert "delivery v2 (from callers over proxyless.http)" in " ".join(out.split())
        out = await lanes.ok("explain", "team")
        assert "delivery: lane-team → outbound|9080|lane-v2|delivery.default.svc.cluster.local at 127." in out
        tried = await lanes.json("try", "team", "/api/v1/products/0/delivery")
        assert tried["chain"][:2] == ["productpage v1 (base)", "  → delivery v2 (team)"]
        asked = ("explain", "team", "-s", "delivery", "--path", "delivery/1")
        (decision,) = await lanes.json(*asked, "--method", "PUT", "--want-route", "#1")
        url = "http://delivery.default.svc.cluster.local:9080/delivery/1"
        assert (decision["target"], decision["method"], decision["timeout"]) == (url, "PUT", None)
        assert decision["wanted"][0]["call"]["url"] == url
        await mesh.kill("delivery/v2")
        standing = {each["service"]: each for each in (await lanes.json("status", "team"))["standing"]}
        assert standing["delivery"]["servedBy"].startswith("base: ")
        assert "fallback passed over" in await lanes.ok("explain", "team", "-s", "delivery")
        await mesh.kill("delivery/v1")
        standing = {each["service"]: each for each in (await lanes.json("status", "team"))["standing"]}
        assert standing["delivery"]["servedBy"].startswith("base: ")
        (decision,) = await lanes.json("explain", "team", "-s", "delivery")
        assert decision["error"] is not None
    finally:
        await lanes("delete", "team")
