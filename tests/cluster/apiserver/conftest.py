"""Bookinfo by its chart, in a namespace of its own on the API server of CLUSTER_KUBECONFIG."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from lanes.cluster.api import Api
from lanes.cluster.connect import connected as api_of
from mesh.walkthrough.door import Door
from tests.cluster.apiserver.settings import KUBECONFIG, POD_NETWORK
from tests.fakes.lanes_command import Command

collect_ignore_glob = [] if KUBECONFIG else ["test_*.py"]

if KUBECONFIG:
    from tests.cluster.apiserver import installation
    from tests.cluster.apiserver.kubelet import Kubelet
    from tests.cluster.apiserver.server import Object, Server, connected


@dataclass
class Bookinfo:
    """The chart, installed."""

    server: Server
    kubelet: Kubelet
    api: Api
    namespace: str

    @property
    def url(self) -> str:
        """The page."""
        [page] = [each for each in self.kubelet.running.values() if each.service == "productpage"]
        return f"http://{page.ip}:9080"

    async def rules(self) -> dict[str, Object]:
        """What the rules say, by kind and name."""
        path = f"/apis/networking.istio.io/v1/namespaces/{self.namespace}"
        found = {}
        for plural in ("virtualservices", "destinationrules"):
            for each in await self.server.items(f"{path}/{plural}"):
                metadata = {key: each["metadata"].get(key) for key in ("labels", "annotations")}
                found[f"{plural}/{each['metadata']['name']}"] = {**metadata, "spec": each["spec"]}
        return found

    async def deployments(self) -> list[str]:
        """The names of the Deployments."""
        found = await self.server.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        return sorted(each["metadata"]["name"] for each in found)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bookinfo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bookinfo]:
    """The chart with the versions of the lane matrix and no lane."""
    if not KUBECONFIG:
        pytest.skip("needs an API server: make test-cluster KUBECONFIG=path")
    name = f"lanes-test-{secrets.token_hex(3)}"
    network = f"{POD_NETWORK}.{random.randrange(16, 250)}"
    async with connected(KUBECONFIG) as server, api_of(None, name, KUBECONFIG) as api:
        kubelet = Kubelet(server, name, network, tmp_path_factory.mktemp("kubelet"))
        async with kubelet.at_work(), installation.namespace(server, name):
            await installation.install(server, installation.rendered(name))
            await installation.rolled_out(server, name)
            yield Bookinfo(server, kubelet, api, name)


@pytest_asyncio.fixture(loop_scope="session")
async def lanes(bookinfo: Bookinfo, tmp_path: Path) -> AsyncIterator[Command]:
    """The command on rules that are the chart's, and must be again in the end."""
    before, deployed = await bookinfo.rules(), await bookinfo.deployments()
    command = Command(tmp_path, KUBECONFIG=KUBECONFIG, LANES_NAMESPACE=bookinfo.namespace)
    yield command
    for lane in await command.json("list"):
        await command.ok("delete", lane["name"])
    assert await bookinfo.rules() == before
    assert await bookinfo.deployments() == deployed


@pytest_asyncio.fixture(loop_scope="session")
async def door(bookinfo: Bookinfo) -> AsyncIterator[Door]:
    """A client of the page."""
    async with Door(bookinfo.url) as door:
        yield door
