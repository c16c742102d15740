"""gRPC's own xDS client, driven by the control plane against real servers."""

from __future__ import annotations

from pathlib import Path

from controlplane.app import ControlPlane
from tests.unit.controlplane.peers import admin_of, grpc_client, rule, to, versions

DEV = 'match: [{headers: {baggage: {regex: "(.*,)?env=dev([,;].*)?"}}}], '


async def test_calls_follow_the_rules_and_a_rule_edited_live(tmp_path: Path) -> None:
    async with versions("v1", "v2", "v3") as services:
        (tmp_path / "services.yaml").write_text(services)
        rules = tmp_path / "rules.yaml"
        rules.write_text(rule(f"{to('v2', DEV)}, {to('v1')}"))
        plane = ControlPlane(tmp_path, port=0, admin_port=0)
        async with plane, grpc_client(plane.port) as client, admin_of(plane) as admin:
            for baggage, version in {
                "env=dev": "v2",
                "user=7,env=dev;ttl=1,x=y": "v2",
                "env=dev2": "v1",
                "someenv=dev": "v1",
                "env=prod": "v1",
            }.items():
                assert await client.call(baggage=baggage) == version
            assert await client.call() == "v1"

            since = (await admin.get("/status"))["generation"]
            rules.write_text(rule(f"{to('v3', DEV)}, {to('v1')}"))
            reloaded = await admin.post("/reload")
            assert reloaded == {"generation": since + 1, "errors": [], "warnings": []}
            synced = await admin.get(f"/sync?since={since}&timeout=20")
            assert synced["complete"]
            assert [(c["state"], c["resources"]) for c in synced["clients"]] == [
                ("acknowledged", ["outbound|9080||reviews.default.svc.cluster.local"])
            ]
            while await client.call(baggage="env=dev") != "v3":  # acknowledged is not applied yet
                pass
            assert await client.call() == "v1"


async def test_the_watch_alone_makes_a_change_live(tmp_path: Path) -> None:
    async with versions("v1", "v2") as services:
        (tmp_path / "services.yaml").write_text(services)
        plane = ControlPlane(tmp_path, port=0, admin_port=0)
        async with plane, grpc_client(plane.port) as client:
            assert await client.call() in ("v1", "v2")
            for version in ("v2", "v1"):
                (tmp_path / "rules.yaml").write_text(rule(to(version)))
                for _ in range(20):
                    while await client.call() != version:
                        pass
            (tmp_path / "rules.yaml").unlink()
            seen: set[str] = set()
            while seen != {"v1", "v2"}:
                seen.add(await client.call())


async def test_faults_weights_and_identity(tmp_path: Path) -> None:
    abort = "fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}, retries: {attempts: 0}, "
    weighted = (
        "{match: [{sourceLabels: {app: weighted}}], route: ["
        "{destination: {host: reviews, subset: v1}, weight: 1},"
        " {destination: {host: reviews, subset: v2}, weight: 1},"
        " {destination: {host: reviews, subset: v3}, weight: 0}]}"
    )
    http = f"{to('v1', DEV + abort)}, {weighted}, {to('v3')}"
    async with versions("v1", "v2", "v3") as services:
        (tmp_path / "all.yaml").write_text(f"{services}---\n{rule(http)}")
        plane = ControlPlane(tmp_path, port=0, admin_port=0)
        async with (
            plane,
            grpc_client(plane.port) as plain,
            grpc_client(plane.port, "127.0.9.7", {"app": "weighted"}) as other,
        ):
            assert await plain.call(baggage="env=dev") == "UNAVAILABLE"
            assert {await plain.call() for _ in range(10)} == {"v3"}
            seen: set[str] = set()
            while len(seen) < 2:
                seen.add(await other.call())
            assert {await other.call() for _ in range(20)} <= {"v1", "v2"}
            assert seen == {"v1", "v2"}
