"""The admin port: the contract that `mesh apply` and `mesh status` build on."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from controlplane.app import ControlPlane
from controlplane.state import MAX_GENERATIONS
from tests.unit.controlplane.peers import HOST, ROUTES, admin_of, ads, rule, to

ENTRY = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: reviews}}
spec:
  hosts: [{HOST}]
  resolution: STATIC
  ports: [{{number: 9080, name: grpc, protocol: GRPC}}]
  endpoints: [{{address: 127.0.1.1, labels: {{version: v1}}}}]
"""
SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
"""
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: {}
"""


async def test_health_and_an_empty_directory(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{plane.admin_port}/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.get(f"http://127.0.0.1:{plane.admin_port}/status") as response:
            assert await response.json() == {
                "generation": 0,
                "config": str(tmp_path),
                "errors": [],
                "warnings": [],
                "objects": [],
                "clients": [],
            }


async def test_status_lists_objects_and_clients(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{GATEWAY}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        response = await stream.subscribe("CDS", [])
        status = await admin.get("/status")
        while status["clients"][0]["types"]["CDS"]["state"] != "acknowledged":
            status = await admin.get("/status")
        place = {"namespace": "default", "file": "a.yaml"}
        assert status["objects"] == [
            {"kind": "Gateway", "name": "door", "document": 2, "effective": False, **place},
            {"kind": "ServiceEntry", "name": "reviews", "document": 1, "effective": True, **place},
        ]
        assert [w["field"] for w in status["warnings"]] == ["kind"]
        (client,) = status["clients"]
        assert client["id"] == "sidecar~127.0.9.8~me.default~default.svc.cluster.local"
        assert client["labels"] == {"app": "raw"}
        assert client["address"].startswith("ipv4:127.0.0.1:")
        assert client["types"] == {
            "CDS": {
                "subscribed": [],
                "wildcard": True,
                "version_sent": response.version_info,
                "version_acked": response.version_info,
                "nonce": response.nonce,
                "last_nack": None,
                "state": "acknowledged",
            }
        }


async def test_an_error_keeps_the_last_good_state_and_is_visible_until_it_is_mended(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
    rules.write_text(rule(to("v1")))
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:
        good = await admin.get("/status")
        rules.write_text(rule(to("v1", "timeout: soon, ")))
        (tmp_path / "b.yaml").write_text(GATEWAY)
        reloaded = await admin.post("/reload")
        (error,) = reloaded["errors"]
        assert reloaded["generation"] == good["generation"]
        assert error == {
            "file": "rules.yaml",
            "document": 1,
            "line": 4,
            "field": "spec.http[0].timeout",
            "message": 'must be a duration such as "1.5s", not "soon"',
        }
        assert (await admin.get("/status"))["objects"] == good["objects"]
        assert (await admin.get("/status"))["errors"] == reloaded["errors"]
        assert plane.state.snapshot.anyone("default").resources("RDS", [ROUTES]).by_name
        rules.write_text(rule(to("v1", "timeout: 1s, ")))
        mended = await admin.post("/reload")
        assert (mended["errors"], mended["generation"]) == ([], good["generation"] + 1)


async def test_a_warning_is_logged_when_it_comes_up_and_not_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules.yaml"
    (tmp_path / "a.yaml").write_text(ENTRY)
    (tmp_path / "b.yaml").write_text(GATEWAY)
    rules.write_text(rule(to("v1")))
    plane = ControlPlane(tmp_path, port=0, admin_port=0)

    def told() -> list[str]:
        found = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        caplog.clear()
        return found

    subset = "rules.yaml:4: spec.http[0].route[0].destination.subset: no DestinationRule gives"
    async with plane, admin_of(plane) as admin:
        gateway, other = told()
        assert gateway == "b.yaml:3: kind: Gateway has no effect here; it is kept"
        assert other.startswith(f"{subset} {HOST} a subset v1")
        rules.write_text(f"# moved down\n{rule(to('v1'))}")
        await admin.post("/reload")
        assert told() == []
        rules.write_text(rule(to("v2")))
        await admin.post("/reload")
        (news,) = told()
        assert news.startswith(f"{subset} {HOST} a subset v2")


async def test_the_watch_notices_files_and_folders(tmp_path: Path) -> None:
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:

        async def objects(count: int) -> None:
            while len((await admin.get("/status"))["objects"]) != count:
                pass

        (tmp_path / "a.yaml").write_text(ENTRY)
        await objects(1)
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "b.yaml").write_text(SUBSETS)
        await objects(2)
        temporary = tmp_path / "c.tmp"
        temporary.write_text(GATEWAY)
        temporary.rename(tmp_path / "c.yaml")
        await objects(3)
        (tmp_path / "more" / "b.yaml").unlink()
        await objects(2)


async def test_bytes_that_do_not_change_anything_change_no_generation(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ENTRY)
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        first = await stream.subscribe("LDS", [])
        before = (await admin.get("/status"))["generation"]
        (tmp_path / "a.yaml").write_text(f"# a comment\n{ENTRY}")
        assert (await admin.post("/reload"))["generation"] == before
        (tmp_path / "b.yaml").write_text(GATEWAY)
        assert (await admin.post("/reload"))["generation"] == before + 1
        # Nothing was pushed for either: the next response is the one to this request.
        await stream.send("LDS", ["reviews:9080"], first)
        _, response = await stream.read()
        assert len(response.resources) == 1


async def test_validate_merges_and_applies_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:
        good = await admin.post("/validate", {"files": {"new.yaml": rule(to("v1"))}})
        assert good == {"ok": True, "errors": [], "warnings": []}
        warned = await admin.post("/validate", {"files": {"new.yaml": rule(to("v9"))}})
        assert warned["ok"]
        assert [w["field"] for w in warned["warnings"]] == ["spec.http[0].route[0].destination.subset"]
        refused = await admin.post("/validate", {"files": {"new.yaml": rule(to("v1", "retry: {}, "))}})
        assert not refused["ok"]
        assert [(e["file"], e["line"], e["field"]) for e in refused["errors"]] == [
            ("new.yaml", 4, "spec.http[0].retry")
        ]
        removed = await admin.post(
            "/validate",
            {"files": {"n.yaml": rule(to("v1"))}, "remove": [{"kind": "DestinationRule", "name": "reviews"}]},
        )
        assert removed["ok"]
        assert [w["file"] for w in removed["warnings"]] == ["n.yaml"]
        assert (await admin.get("/status"))["generation"] == 1


@pytest.mark.parametrize(
    "body", [[], {"files": []}, {"files": {"a": 1}}, {"remove": {}}, {"remove": [{"kind": "x"}]}]
)
async def test_bad_requests_are_refused_with_words(tmp_path: Path, body: object) -> None:
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:
        assert (await admin.post("/validate", body))["error"]
        assert (await admin.get("/sync?since=x"))["error"]
        assert (await admin.get("/sync?timeout=-1"))["error"]


async def test_a_client_that_leaves_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:
        async with ads(plane.port) as stream:
            await stream.subscribe("RDS", [ROUTES])
            (tmp_path / "rules.yaml").write_text(rule(to("v1")))
            assert (await admin.post("/reload"))["generation"] == 2
            assert not (await admin.get("/sync?since=1&timeout=0"))["complete"]
        synced = await admin.get("/sync?since=1&timeout=30")
        assert (synced["complete"], synced["clients"]) == (True, [])


async def test_of_changes_too_long_ago_to_be_remembered_every_client_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        await stream.subscribe("CDS", [])
        for number in range(MAX_GENERATIONS + 2):
            (tmp_path / "rules.yaml").write_text(rule(to(f"v{1 + number % 2}")))
            generation = (await admin.post("/reload"))["generation"]
        assert len(plane.state.history) == MAX_GENERATIONS
        # A rule is nothing to a subscription to clusters, and that is known of the last change of all.
        assert (await admin.get(f"/sync?since={generation - 1}&timeout=0"))["clients"] == []
        (client,) = (await admin.get("/sync?since=1&timeout=0"))["clients"]
        assert client["state"] != "refused"


async def test_a_stream_remembers_what_changed_as_long_as_the_state_does(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
    plane = ControlPlane(tmp_path, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin, ads(plane.port) as stream:
        await stream.subscribe("RDS", [ROUTES])
        for number in range(MAX_GENERATIONS + 2):
            (tmp_path / "rules.yaml").write_text(rule(to(f"v{1 + number % 2}")))
            await admin.post("/reload")
        (client,) = plane.state.clients
        assert [change.generation for change in client.stream.changes] == [
            generation for generation, _ in plane.state.history
        ]


async def test_a_directory_that_goes_and_comes_back_is_followed(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "a.yaml").write_text(ENTRY)
    plane = ControlPlane(config, port=0, admin_port=0)
    async with plane, admin_of(plane) as admin:
        config.rename(tmp_path / "away")
        while not (status := await admin.get("/status"))["errors"]:
            pass
        assert len(status["objects"]) == 1  # the last good state
        config.mkdir()
        (config / "b.yaml").write_text(f"{ENTRY}---\n{SUBSETS}")
        while len((await admin.get("/status"))["objects"]) != 2:
            pass
        (config / "b.yaml").write_text(ENTRY)
        while len((await admin.get("/status"))["objects"]) != 1:
            pass
