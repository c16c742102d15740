"""As much of an API server as lanes ask of one, over HTTP: versions, conflicts, refusals and dry runs.

What only the real one knows it cannot be asked about: defaults, validation, admission, who owns a field. For
that there is `tests/cluster/apiserver`.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import yaml
from aiohttp import web

from tests.fakes.port_forward import port_forward

Object = dict[str, Any]
TOKEN = "a-token"
USER = "system:serviceaccount:shop:lanes"
KINDS = {
    ("", "services"): "Service",
    ("", "pods"): "Pod",
    ("", "configmaps"): "ConfigMap",
    ("apps", "deployments"): "Deployment",
    ("networking.istio.io", "virtualservices"): "VirtualService",
    ("networking.istio.io", "destinationrules"): "DestinationRule",
}
KINDS_OF = {plural: f"{kind}.{group}" for (group, plural), kind in KINDS.items()}
_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


class ApiServer:
    """`objects` is what there is, by plural and name; `denied` what nobody may do, by verb and plural."""

    def __init__(self, namespace: str = "shop") -> None:
        self.namespace = namespace
        self.objects: dict[tuple[str, str], Object] = {}
        self.denied: set[tuple[str, str]] = set()
        self.unknown: set[str] = set()
        self.broken: set[str] = set()
        """Images that never become ready."""
        self.refused: dict[str, str] = {}
        """Names of objects that admission refuses, and what it says."""
        self.failing = 0
        """So many requests get a 503 first."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ApiServer]:
        """Listen for as long as this is held."""
        app = web.Application()
        for root in ("/api/{version}", "/apis/{group}/{version}"):
            path = root + "/namespaces/{namespace}/{plural}"
            app.router.add_route("*", path, self._answer)
            app.router.add_get(path + "/{name}/portforward", self._forward)
            app.router.add_route("*", path + "/{name}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def kubeconfig(self, *, token: str = TOKEN, **context: str) -> str:
        """The text of one that leads here."""
        named = {"cluster": "here", "user": "me", "namespace": self.namespace, **context}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": {"server": self.url}}],
                "users": [{"name": "me", "user": {"token": token}}],
                "contexts": [{"name": "shop", "context": named}],
                "current-context": "shop",
            }
        )

    def put(self, plural: str, document: Object) -> Object:
        """Have an object, as somebody else has made it."""
        there = copy.deepcopy(document)
        metadata = there.setdefault("metadata", {})
        metadata.setdefault("namespace", self.namespace)
        metadata.setdefault("uid", f"uid-{next(self._numbers)}")
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        metadata["resourceVersion"] = str(next(self._numbers))
        self.objects[plural, metadata["name"]] = there
        if plural == "deployments":
            self._control(there)
        return there

    def _control(self, deployment: Object) -> None:
        """What controllers and kubelets make of a Deployment, at once."""
        metadata, spec = deployment["metadata"], deployment["spec"]
        metadata["generation"] = metadata.get("generation", 0) + 1
        image = spec["template"]["spec"]["containers"][0]["image"]
        ready = image not in self.broken
        replicas = spec.get("replicas", 1)
        deployment["status"] = {
            "observedGeneration": metadata["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas if ready else 0,
        }
        waiting = {"reason": "ImagePullBackOff", "message": f"cannot pull {image}"}
        status: Object = {
            "phase": "Running" if ready else "Pending",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [] if ready else [{"state": {"waiting": waiting}}],
        }
        name = f"{metadata['name']}-1"
        labels = spec["template"]["metadata"]["labels"]
        self.put("pods", {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status})

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if ("get", "pods/portforward") in self.denied:
            raise web.HTTPForbidden
        pod = self.objects["pods", request.match_info["name"]]
        return await port_forward(request, pod["status"]["podIP"], int(request.query["ports"]))

    async def _answer(self, request: web.Request) -> web.Response:
        group, plural = request.match_info.get("group", ""), request.match_info["plural"]
        name = request.match_info.get("name", "")
        verb = _VERBS.get(request.method) or ("get" if name else "list")
        self.asked.append((verb, f"{plural}/{name}" if name else plural, dict(request.query)))
        if self.failing:
            self.failing -= 1
            return _status(503, "ServiceUnavailable", "etcd is away")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized", "Unauthorized")
        if (group, plural) not in KINDS or plural in self.unknown:
            return web.Response(status=404, text="404 page not found\n")
        if (verb, plural) in self.denied:
            of = f'User "{USER}" cannot {verb} resource "{plural}" in API group "{group}"'
            text = f'{plural} is forbidden: {of} in the namespace "{self.namespace}"'
            return _status(403, "Forbidden", text)
        there = self.objects.get((plural, name))
        if verb == "list":
            return web.json_response({"items": self._listed(plural, request.query.get("labelSelector", ""))})
        if verb != "create" and there is None:
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if verb == "get":
            return web.json_response(there)
        body = json.loads(await request.text())
        return self._write(verb, plural, there, body, request)

    def _listed(self, plural: str, selector: str) -> list[Object]:
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair).items()
        found = [each for (kind, _), each in self.objects.items() if kind == plural]
        return [each for each in found if wanted <= (each["metadata"].get("labels") or {}).items()]

    def _write(
        self, verb: str, plural: str, there: Object | None, body: Object, request: web.Request
    ) -> web.Response:
        dry = request.query.get("dryRun") == "All" or "All" in body.get("dryRun", ())
        if verb == "delete":
            assert there is not None
            wanted = body.get("preconditions", {}).items()
            if not wanted <= there["metadata"].items():
                return _status(409, "Conflict", "Precondition failed")
            if not dry:
                self._delete(plural, there)
            return _status(200, "", "")
        assert request.query["fieldManager"] == "lanes"
        if why := self.refused.get(body["metadata"]["name"]):
            return _status(
                422, "Invalid", f'{KINDS_OF[plural]} "{body["metadata"]["name"]}" is invalid: {why}'
            )
        if verb == "create":
            if (plural, body["metadata"]["name"]) in self.objects:
                return _status(409, "AlreadyExists", f"{plural} already exists")
            wanted = {**body, "metadata": {**body["metadata"], "managedFields": [_manager("Update")]}}
            return web.json_response(wanted if dry else self.put(plural, wanted), status=201)
        assert there is not None
        if body["metadata"]["resourceVersion"] != there["metadata"]["resourceVersion"]:
            return _status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest"
            )
        apply = request.content_type == "application/apply-patch+yaml"
        assert apply == (request.query.get("force") == "true")
        after = _merged(there, body)
        if not after["metadata"].get("annotations"):
            after["metadata"].pop("annotations", None)
        if apply:
            after["metadata"]["managedFields"] = [_manager("Apply")]
        return web.json_response(after if dry or after == there else self.put(plural, after))

    def _delete(self, plural: str, there: Object) -> None:
        name = there["metadata"]["name"]
        del self.objects[plural, name]
        if plural == "deployments":
            self.objects.pop(("pods", f"{name}-1"), None)


def _merged(there: Any, change: Any) -> Any:
    """As a merge patch, and as apply where others have set all of it as well; containers go by name."""
    if not isinstance(change, dict) or not isinstance(there, dict):
        return change
    found = copy.deepcopy(there)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif key == "containers":
            named = {each["name"]: each for each in value}
            found[key] = [_merged(each, named.get(each["name"], {})) for each in found[key]]
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _manager(operation: str) -> Object:
    return {"manager": "lanes", "operation": operation}


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return web.json_response({**body, "code": code}, status=code)
