"""How `lanes` reaches a cluster: by a kubeconfig, and by port-forwards to the door."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from lanes.doorfile import digest_of
from lanes.store import NoMesh
from tests.fakes.api_server import ApiServer
from tests.fakes.lanes_command import Command, no_traceback
from tests.integration.lanes_cluster.conftest import (
    DEV,
    change,
    creating,
    opened,
)
from tests.unit.lanes.cluster.objects import deployment, pod, service

# -- through the port-forward


@pytest.fixture
async def page(server: ApiServer) -> AsyncIterator[dict[str, Any]]:
    """A pod of the door on this machine, and what it says of its rules."""
    told: dict[str, Any] = {"digest": ""}

    async def health(_: web.Request) -> web.Response:
        return web.json_response(told)

    async def product(request: web.Request) -> web.Response:
        lane = request.headers["baggage"].removeprefix("env=")
        return web.json_response(
            {"hops": {"service": "productpage", "version": "v1", "lane": lane, "calls": []}}
        )

    app = web.Application()
    app.router.add_get("/health/door", health)
    app.router.add_get("/api/v1/products/0", product)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = deployment("productpage-v1", "productpage", "v1", replicas=1)
    template = there["spec"]["template"]["spec"]
    template["containers"][0] |= {
        "env": [{"name": "DOOR_RULES", "value": "/door/door.yaml"}],
        "volumeMounts": [{"name": "door", "mountPath": "/door"}],
    }
    template["volumes"] = [{"name": "door", "configMap": {"name": "page-door"}}]
    server.put("deployments", there)
    del server.objects["pods", "productpage-v1-1"]
    server.put("pods", pod("page-1", "productpage", "v1", podIP="127.0.0.1"))
    port = runner.addresses[0][1]
    server.put("services", service("productpage", {"name": "http", "port": 80, "targetPort": port}))
    yield told
    await runner.cleanup()


async def test_the_doors_rules(server: ApiServer, kubeconfig: Path, page: dict[str, Any]) -> None:
    async with opened(kubeconfig, 0.3) as store:
        outcome = await store.set_door("rules: []\n") if await store.door() == "" else None
        assert outcome is not None
        assert not outcome.ok
        assert "page-1: it has not read them; a kubelet takes about a minute" in outcome.lines[-1]
        page["digest"] = digest_of("rules: [{header: x}]\n")
        assert await store.door() == "rules: []\n"
        outcome = await store.set_door("rules: [{header: x}]\n")
        assert outcome.lines == (
            "configmap/page-door configured",
            "the door goes by its new rules; `lanes door` lists them",
        )


async def test_try_through_the_port_forward_of_a_command(
    server: ApiServer, kubeconfig: Path, page: dict[str, Any], tmp_path: Path
) -> None:
    async with opened(kubeconfig) as store:
        await change(store, creating(DEV))
    command = Command(tmp_path, KUBECONFIG=str(kubeconfig))
    out = await command.ok("try", "dev", "-n", "shop")
    assert out.startswith("http://page-1:")
    assert out.splitlines()[1:] == ["productpage v1 (base)"]
    server.denied.add(("get", "pods/portforward"))
    answer = await command("try", "dev", "-n", "shop")
    assert answer.code == 2
    assert answer.err.startswith(
        "You have no right to get and create pods/portforward in the namespace shop of "
    )
    no_traceback(answer)


# -- without a cluster, or rights


async def test_each_way_to_have_no_cluster_is_one_sentence(
    server: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    refused = yaml.safe_load(server.kubeconfig())
    refused["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:1"
    no_program = yaml.safe_load(server.kubeconfig())
    no_program["users"][0]["user"] = {
        "exec": {"command": "./no-such-program", "apiVersion": "client.authentication.k8s.io/v1"}
    }
    server.unknown.add("destinationrules")
    cases = [
        (str(tmp_path / "none"), "There is no kubeconfig "),
        (written("torn", "clusters: ["), "cannot be read: "),
        (written("odd", "a: b"), "has no current context; name one with --context; there are none."),
        (written("list", "[]"), "cannot be read: it is not built as one."),
        (written("refused", yaml.safe_dump(refused)), "cannot be reached: connection refused."),
        (written("stranger", server.kubeconfig(token="x")), "does not know who you are (401)"),
        (written("program", yaml.safe_dump(no_program)), "gives no credentials: [Errno 2]"),
        (
            str(kubeconfig),
            "does not know destinationrules.networking.istio.io in version v1 (404); install Istio",
        ),
    ]
    for file, said in cases:
        with pytest.raises(NoMesh, match=re.escape(said)) as caught:
            async with opened(Path(file)) as store:
                await store.read()
        assert "\n" not in str(caught.value)
    answer = await Command(tmp_path)("list", "--kubeconfig", str(kubeconfig), "--context", "other")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"The kubeconfig {kubeconfig} has no context 'other'; there are shop.\n"


async def test_who_changes_something_is_told_where(
    server: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    command = Command(tmp_path, KUBECONFIG=str(kubeconfig), LANES_CONTEXT="shop")
    answer = await command("create", "dev", "-s", "reviews=v2", "--ttl", "8h")
    assert (answer.code, answer.err) == (0, "the context shop, namespace shop\n")
    answer = await command("list")
    assert "EXPIRES" in answer.out
    assert answer.err == ""


def test_the_client_is_imported_only_where_it_is_used() -> None:
    code = (
        "import sys, lanes.cli.app, mesh.lane_store\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'kubernetes']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
