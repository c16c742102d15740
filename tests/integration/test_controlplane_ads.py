"""The ADS stream over the wire: what a client gets, in which order, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from controlplane.app import ControlPlane
from tests.unit.controlplane.peers import HOST, ROUTES, Ads, admin_of, ads, rule, to

SERVICES = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: reviews}}
spec:
  hosts: [{HOST}]
  resolution: STATIC
  ports: [{{number: 9080, name: grpc, protocol: GRPC}}]
  endpoints:
  - {{address: 127.0.1.1, labels: {{version: v1}}}}
  - {{address: 127.0.1.2, labels: {{version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: reviews}}
spec:
  host: reviews
  subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]
"""
V1 = f"outbound|9080|v1|{HOST}"


async def subscribe(stream: Ads) -> None:
    for short, names in (("LDS", [f"{HOST}:9080"]), ("RDS", [ROUTES]), ("CDS", [V1]), ("EDS", [V1])):
        assert len((await stream.subscribe(short, names)).resources) == 1


async def client(admin: Any, state: str) -> Any:
    """The one client, once its routes are in a state."""
    while True:
        for found in (await admin.get("/status"))["clients"]:
            if found["types"].get("RDS", {}).get("state") == state:
                return found


async def test_a_change_of_everything_comes_in_order(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(SERVICES)
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, ads(plane.port) as stream:
        await subscribe(stream)
        file.write_text("")
        plane.directory.load()
        got = [await stream.read() for _ in range(4)]
        assert [short for short, _ in got] == ["CDS", "EDS", "LDS", "RDS"]
        assert [len(response.resources) for _, response in got] == [0, 1, 0, 1]
        file.write_text(SERVICES)
        plane.directory.load()
        # Answers to the first push, which the second has overtaken: they do not count, and the second does.
        again = [await stream.read() for _ in range(4)]
        for (short, old), names in zip(got, ([V1], [V1], [f"{HOST}:9080"], [ROUTES]), strict=True):
            await stream.send(short, names, old)
        assert [short for short, _ in again] == ["CDS", "EDS", "LDS", "RDS"]
        assert {r.nonce for _, r in got}.isdisjoint({r.nonce for _, r in again})


async def test_a_refusal_is_visible_and_the_next_change_is_sent(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    (tmp_path / "a.yaml").write_text(SERVICES)
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        good = await stream.subscribe("RDS", [ROUTES])
        await client(admin, "acknowledged")
        rules.write_text(rule(to("v1")))
        since = plane.state.generation
        await admin.post("/reload")
        _, response = await stream.read()
        pending = await admin.get(f"/sync?since={since}&timeout=0")
        assert not pending["complete"]
        assert [c["state"] for c in pending["clients"]] == ["pending"]

        await stream.send("RDS", [ROUTES], response, error="cannot do that")
        synced = await admin.get(f"/sync?since={since}&timeout=20")
        assert synced["complete"]
        assert synced["changed"] == {"LDS": [], "RDS": [ROUTES], "CDS": [], "EDS": []}
        assert synced["clients"] == [
            {
                "id": "sidecar~127.0.9.8~me.default~default.svc.cluster.local",
                "state": "refused",
                "message": "cannot do that",
                "resources": [ROUTES],
            }
        ]
        found = (await client(admin, "refused"))["types"]["RDS"]
        assert found["version_acked"] == good.version_info
        assert found["version_sent"] == response.version_info
        assert found["last_nack"]["version"] == response.version_info
        assert found["last_nack"]["message"] == "cannot do that"

        rules.write_text(rule(to("v2")))
        await admin.post("/reload")
        _, mended = await stream.read()
        await stream.send("RDS", [ROUTES], mended)
        found = (await client(admin, "acknowledged"))["types"]["RDS"]
        assert found["version_acked"] == mended.version_info


async def test_a_sync_waits_for_what_a_change_makes_a_client_ask_for(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    (tmp_path / "a.yaml").write_text(SERVICES)
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    v2 = V1.replace("v1", "v2")
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        await subscribe(stream)
        rules.write_text(rule(to("v2")))
        since = plane.state.generation
        await admin.post("/reload")
        _, response = await stream.read()
        await stream.send("RDS", [ROUTES], response)
        await client(admin, "acknowledged")
        # It knows of v2 now, and has not asked for it.
        waiting = await admin.get(f"/sync?since={since}&timeout=0")
        assert [c["state"] for c in waiting["clients"]] == ["pending"]
        await stream.send("CDS", [V1, v2], None)
        for short in ("CDS", "EDS"):
            if short == "EDS":
                await stream.send("EDS", [V1, v2], None)
            got, answer = await stream.read()
            assert (got, len(answer.resources)) == (short, 2)
            await stream.send(short, [V1, v2], answer)
        synced = await admin.get(f"/sync?since={since}&timeout=20")
        assert synced["complete"]
        assert [c["state"] for c in synced["clients"]] == ["acknowledged"]


async def test_nobody_affected_is_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SERVICES)
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        await stream.subscribe("LDS", [f"{HOST}:9080"])
        since = plane.state.generation
        (tmp_path / "rules.yaml").write_text(rule(to("v1")))
        await admin.post("/reload")
        synced = await admin.get(f"/sync?since={since}&timeout=30")
        assert (synced["complete"], synced["clients"]) == (True, [])
        assert synced["changed"]["RDS"] == [ROUTES]


async def test_a_client_without_identity_is_turned_away(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        await stream.send("LDS", [], id="who-knows")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "who-knows" in (caught.value.details() or "")
        assert (await admin.get("/status"))["clients"] == []


async def test_a_large_configuration_is_one_response(tmp_path: Path) -> None:
    name = "a-lane-with-a-name-that-adds-up-" * 4
    match = "match: [{{headers: {{baggage: {{exact: env={}{}}}}}}}], "
    lanes = ", ".join(to("v1", match.format(name, i)) for i in range(8000))
    (tmp_path / "a.yaml").write_text(f"{SERVICES}---\n{rule(lanes)}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, ads(plane.port) as stream:
        view = plane.state.snapshot.anyone("default")
        assert len(view.resources("RDS", [ROUTES]).by_name[ROUTES].value) > 4 * 1024 * 1024
        await stream.send("RDS", [ROUTES])
        _, response = await stream.read()
        assert len(response.resources) == 1
