"""The lane console with the rights that the chart gives it, and no others, against a real API server."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.acting import bodies
from console.acting.acting import Acting
from console.acting.cluster import ClusterRules
from lanes.cluster.connect import connected as api_of
from lanes.cluster.store import ClusterStore
from mesh.errors import Changed, Refused
from tests.cluster.apiserver import installation
from tests.cluster.apiserver.server import Object, Server, connected
from tests.cluster.apiserver.settings import KUBECONFIG
from tests.cluster.apiserver.test_rights import with_token

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

WRITING = {"admin": {"readable": True}, "console": {"enabled": True, "write": True}}
DETAILS = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: elsewhere}
spec: {hosts: [elsewhere], http: [{route: [{destination: {host: details}}]}]}
"""


@dataclass
class Console:
    """What the console can do in a namespace of its own; nobody runs its Pods."""

    acting: Acting
    server: Server
    namespace: str

    async def do(self, verb: str, **body: Any) -> dict[str, Any]:
        return await self.acting.act(bodies.read(verb, body), verb)

    async def specs(self) -> dict[str, Object]:
        path = f"/apis/networking.istio.io/v1/namespaces/{self.namespace}"
        kinds = ("virtualservices", "destinationrules")
        return {
            f"{kind}/{each['metadata']['name']}": each["spec"]
            for kind in kinds
            for each in await self.server.items(f"{path}/{kind}")
        }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    name = f"lanes-test-{secrets.token_hex(3)}"
    async with connected(KUBECONFIG) as server, installation.namespace(server, name):
        await installation.install(server, installation.rendered(name, WRITING))
        path = f"/api/v1/namespaces/{name}/serviceaccounts/console/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": []},
        }
        token = (await server.ask("POST", path, request))["status"]["token"]
        account: Path = with_token(token, tmp_path_factory.mktemp("console"))
        async with api_of(None, name, str(account)) as api:
            store = ClusterStore(api, "env", 30, lambda _: None)
            acting = Acting(
                ClusterRules(api),
                store,
                lambda _: None,
                lambda: True,
                processes=None,
                namespace=name,
                door="",
            )
            yield Console(acting, server, name)
            await acting.close()


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("lane-create", {"name": "dev", "versions": {"reviews": "v2"}, "mode": "strict"}),
        ("weights", {"service": "reviews", "weights": {"v1": 40, "v3": 60}}),
        ("fault", {"service": "ratings", "lane": "", "delay_ms": 100, "abort": "UNAVAILABLE", "percent": 50}),
        ("apply", {"yaml": DETAILS}),
        ("apply", {"yaml": DETAILS.replace("elsewhere", "reviews")}),
        ("delete", {"kind": "DestinationRule", "namespace": "", "name": "details"}),
    ],
)
async def test_it_is_done_and_undone(console: Console, verb: str, body: dict[str, Any]) -> None:
    before = await console.specs()
    if "namespace" in body:
        body = {**body, "namespace": console.namespace}
    made = await console.do(verb, **body)
    assert made["ok"], made
    assert await console.specs() != before
    assert (await console.do("undo", id=made["action"]["id"]))["ok"]
    assert await console.specs() == before


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (DETAILS.replace("{host:", "{hst:"), "spec.http[0].route[0].destination.hst"),
        (DETAILS.replace("hosts: [elsewhere]", "hosts: 3"), "spec.hosts"),
    ],
)
async def test_what_the_schema_does_not_take_names_the_field(console: Console, text: str, field: str) -> None:
    before = await console.specs()
    answer = await console.do("validate", yaml=text)
    assert not answer["ok"]
    assert field in json.dumps(answer["details"])
    with pytest.raises(Refused) as refused:
        await console.do("apply", yaml=text)
    assert field in " ".join(refused.value.details)
    assert await console.specs() == before


async def test_what_somebody_else_has_changed_is_not_undone(console: Console) -> None:
    made = await console.do("weights", service="reviews", weights={"v2": 100})
    path = f"/apis/networking.istio.io/v1/namespaces/{console.namespace}/virtualservices/reviews"
    there = await console.server.find(path)
    assert there is not None
    http = [{**route, "timeout": "7s"} for route in there["spec"]["http"]]
    await console.server.ask("PUT", path, {**there, "spec": {**there["spec"], "http": http}})
    with pytest.raises(Changed):
        await console.do("undo", id=made["action"]["id"])
    assert (await console.specs())["virtualservices/reviews"]["http"][0]["timeout"] == "7s"
