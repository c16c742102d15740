"""An API server, an Istiod and a kubectl that stand in front of the one-machine mesh.

As much of each as `deploy.cluster` uses: rules go to the mesh, a Pod deleted ends its process, a Deployment
scaled up starts it, and what the control plane says of its clients is told as Istiod would.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from aiohttp import web

from mesh import Mesh
from mesh.admin import Admin
from mesh.inventory import BOOKINFO, CONTROL_PLANE, instances_of
from mesh.objects import Ref, dump_yaml

Document = dict[str, Any]
_KINDS = {"virtualservices": "VirtualService", "destinationrules": "DestinationRule"}
_ISTIO = "/apis/networking.istio.io/v1/namespaces/{namespace}/{plural}"
_APPS = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
_PODS = "/api/v1/namespaces/{namespace}/pods"
_KUBECTL = """#!{python}
import sys, urllib.request
words = sys.argv[1:]
assert words[:2] == ["--kubeconfig", {kubeconfig!r}], words
namespace = words[words.index("--namespace") + 1]
assert "delete pod" in " ".join(words) and words[-2:] == ["--grace-period=0", "--force"], words
for name in words[words.index("pod") + 1 : -2]:
    request = urllib.request.Request(f"{url}/api/v1/namespaces/{{namespace}}/pods/{{name}}", method="DELETE")
    urllib.request.urlopen(request).read()
"""


class FakeCluster:
    """The cluster, in front of a mesh that runs."""

    def __init__(self, mesh: Mesh, folder: Path) -> None:
        self._mesh = mesh
        self._folder = folder
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.deployments = {(each.namespace, each.name): each for each in _deployments()}

    async def start(self) -> None:
        """Listen, and lay out a kubeconfig and a kubectl."""
        app = web.Application()
        app.add_routes(
            [
                web.get(_ISTIO, self._list_rules),
                web.post(_ISTIO, self._write_rule),
                web.get(f"{_ISTIO}/{{name}}", self._get_rule),
                web.patch(f"{_ISTIO}/{{name}}", self._write_rule),
                web.delete(f"{_ISTIO}/{{name}}", self._delete_rule),
                web.get(_APPS, self._get_deployment),
                web.patch(_APPS, self._scale),
                web.get(_PODS, self._list_pods),
                web.delete(f"{_PODS}/{{name}}", self._delete_pod),
                web.get("/debug/syncz", self._syncz),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self.url)))
        kubectl = self._folder / "bin" / "kubectl"
        kubectl.parent.mkdir()
        kubectl.write_text(
            _KUBECTL.format(python=sys.executable, kubeconfig=str(self.kubeconfig), url=self.url)
        )
        kubectl.chmod(0o755)

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def kubeconfig(self) -> Path:
        """The file that leads here."""
        return self._folder / "kubeconfig"

    @property
    def path(self) -> str:
        """A PATH whose kubectl is the one of this cluster."""
        return f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    # -- rules

    async def _rules(self, request: web.Request) -> dict[str, Document]:
        kind = _KINDS[request.match_info["plural"]]
        return {o.ref.name: o.document for o in await self._mesh.objects() if o.ref.kind == kind}

    async def _list_rules(self, request: web.Request) -> web.Response:
        found = await self._rules(request)
        return web.json_response({"items": [_stored(each) for each in found.values()]})

    async def _get_rule(self, request: web.Request) -> web.Response:
        return _answer((await self._rules(request)).get(request.match_info["name"]))

    async def _write_rule(self, request: web.Request) -> web.Response:
        assert request.method == "POST" or request.content_type == "application/apply-patch+yaml"
        document = json.loads(await request.text())
        sent = document["metadata"].pop("resourceVersion", None)
        found = (await self._rules(request)).get(document["metadata"]["name"])
        if sent != (found and _stored(found)["metadata"]["resourceVersion"]):
            return web.json_response({"message": "changed meanwhile"}, status=409)
        await self._mesh.apply(dump_yaml(document))
        return _answer(document)

    async def _delete_rule(self, request: web.Request) -> web.Response:
        kind = _KINDS[request.match_info["plural"]]
        await self._mesh.delete(Ref(kind, "default", request.match_info["name"]))
        return web.json_response({"status": "Success"})

    # -- workloads

    def _deployment(self, request: web.Request) -> Deployment:
        return self.deployments[request.match_info["namespace"], request.match_info["name"]]

    async def _get_deployment(self, request: web.Request) -> web.Response:
        found = self._deployment(request)
        return _answer(found.document(len(await self._pods(found))))

    async def _scale(self, request: web.Request) -> web.Response:
        found = self._deployment(request)
        found.replicas = json.loads(await request.text())["spec"]["replicas"]
        if found.replicas and not await self._pods(found):
            await self._mesh.start(found.process)
        return _answer(found.document(0))

    async def _pods(self, deployment: Deployment) -> list[Document]:
        process = (await self._mesh.status()).process(deployment.process)
        ready = process.phase == "ready"
        ip = process.address.rpartition(":")[0]
        return [deployment.pod(ip, str(process.pid))] if ready else []

    async def _list_pods(self, request: web.Request) -> web.Response:
        wanted = dict(pair.split("=") for pair in request.query["labelSelector"].split(","))
        mine = [each for each in self.deployments.values() if each.labels == wanted]
        return web.json_response({"items": [pod for each in mine for pod in await self._pods(each)]})

    async def _delete_pod(self, request: web.Request) -> web.Response:
        found = self._deployment(request)
        await self._mesh.kill(found.process)
        if found.replicas:
            await self._mesh.start(found.process)
        return web.json_response({"status": "Success"})

    # -- Istiod

    async def _syncz(self, request: web.Request) -> web.Response:
        admin = Admin(self._mesh.admin_url)
        try:
            view = await admin.status()
        finally:
            await admin.close()
        return web.json_response([_proxy(each, view["generation"]) for each in view["clients"]])


class Deployment:
    """A Deployment, and the process of the mesh that is its Pod; they bear one name."""

    def __init__(self, namespace: str, name: str, process: str, labels: dict[str, str]) -> None:
        self.namespace = namespace
        self.name = name
        self.process = process
        self.labels = labels
        self.replicas = 1

    def document(self, pods: int) -> Document:
        count = {
            "replicas": pods,
            "updatedReplicas": pods,
            "availableReplicas": pods,
            "observedGeneration": 1,
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.namespace, "generation": 1},
            "spec": {"replicas": self.replicas, "selector": {"matchLabels": self.labels}},
            "status": count,
        }

    def pod(self, ip: str, uid: str) -> Document:
        metadata = {"name": self.name, "namespace": self.namespace, "uid": uid, "labels": self.labels}
        return {
            "metadata": metadata,
            "status": {
                "phase": "Running",
                "podIP": ip,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }


def _deployments() -> Iterator[Deployment]:
    yield Deployment("istio-system", "istiod", CONTROL_PLANE, {"istio": "pilot"})
    for each in instances_of(BOOKINFO):
        yield Deployment("default", each.pod, str(each), each.labels)


def _stored(document: Document) -> Document:
    """As the API server keeps it: with a version that changes when it does."""
    stored = copy.deepcopy(document)
    version = str(abs(hash(json.dumps(document, sort_keys=True))))
    stored["metadata"] = {**stored["metadata"], "uid": stored["metadata"]["name"], "resourceVersion": version}
    return stored


def _answer(document: Document | None) -> web.Response:
    if document is None:
        return web.json_response({"kind": "Status", "message": "not found"}, status=404)
    return web.json_response(_stored(document))


def _proxy(client: Document, generation: int) -> Document:
    """A client as `/debug/syncz` tells of it."""
    names = {"LDS": "listener", "RDS": "route", "CDS": "cluster", "EDS": "endpoint"}
    told: Document = {"proxy": client["id"].split("~")[2]}
    for short, known in client["types"].items():
        nonce = f"2026-11-21T00:00:00Z/{generation}{UUID(int=0)}"
        told[f"{names[short]}_sent"] = nonce
        told[f"{names[short]}_acked"] = nonce if known["state"] == "acknowledged" else ""
    return told


def _kubeconfig(url: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me", "namespace": "default"}}],
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
    }
