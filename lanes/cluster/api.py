"""The API server, through the `kubernetes` client: plain objects in and out, and refusals as one sentence."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from lanes.cluster.refusal import Asked, refusal
from lanes.cluster.resource import PODS, Resource
from lanes.landscape import Document
from lanes.marks import FIELD_MANAGER
from lanes.store import Conflict, NoMesh

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_DRY = ("dryRun", "All")
_STRICT = ("fieldValidation", "Strict")
_MANAGER = ("fieldManager", FIELD_MANAGER)
_LIMIT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_PORT_FORWARD = "portforward"
# https://kubernetes.io/docs/reference/generated/kubernetes-api: a byte for the channel, then the data
_PROTOCOL = "v4.channel.k8s.io"
_REFUSED, _GONE = 400, 404

Query = Sequence[tuple[str, str]]


class Api:
    """A namespace of a cluster; every error is Conflict, NoMesh or another LaneError."""

    def __init__(self, client: ApiClient, cluster: str, namespace: str) -> None:
        self._client = client
        self.cluster = cluster
        """As a person knows it: `the context kind-shop`."""
        self.namespace = namespace

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Document]:
        """All objects of a kind, or those with these labels."""
        query = [("labelSelector", labels)] if labels else []
        asked = self._asked("list", resource, namespace=namespace)
        found = await self._ask(asked, "GET", query)
        # In the lists of Kubernetes' own kinds the items do not say what they are.
        known = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**known, **item} for item in found.get("items") or ()]

    async def get(self, resource: Resource, name: str) -> Document | None:
        """One object; None where there is none."""
        try:
            return await self._ask(self._asked("get", resource, name), "GET")
        except _NotThere:
            return None

    async def create(
        self, resource: Resource, document: Document, *, dry: bool = False, strict: bool = False
    ) -> Document:
        """A new object; Conflict where there is one of this name.

        `strict` is for what a person wrote: a field that is not known is refused and not dropped.
        """
        query = _query(dry, strict)
        return await self._ask(self._asked("create", resource), "POST", query, document)

    async def apply(
        self, resource: Resource, document: Document, resource_version: str, *, dry: bool = False
    ) -> Document:
        """Set these fields of an object that is there; Conflict where it has changed since that version.

        By force: whose fields they were is no question where the object is just as it was read.
        """
        query = [_MANAGER, ("force", "true"), *([_DRY] if dry else [])]
        return await self._patch(resource, document, resource_version, query, _APPLY)

    async def merge(
        self,
        resource: Resource,
        name: str,
        patch: Document,
        resource_version: str,
        *,
        dry: bool = False,
        strict: bool = False,
    ) -> Document:
        """Change an object by a merge patch; Conflict as for `apply`, `strict` as for `create`."""
        named = {**patch, "metadata": {**patch.get("metadata", {}), "name": name}}
        return await self._patch(resource, named, resource_version, _query(dry, strict), _MERGE)

    async def delete(
        self, resource: Resource, name: str, preconditions: Mapping[str, str], *, dry: bool = False
    ) -> bool:
        """Take an object away, if it is still the one with this `uid` (and `resourceVersion`); else Conflict.

        Returns whether it was there.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": dict(preconditions),
            "propagationPolicy": "Background",
            **({"dryRun": ["All"]} if dry else {}),
        }
        try:
            await self._ask(self._asked("delete", resource, name), "DELETE", (), options)
        except _NotThere:
            return False
        return True

    @asynccontextmanager
    async def forwarding(
        self, pod: str, port: int, namespace: str = ""
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A connection to a port of a pod, in frames of https://kubernetes.io's port-forward."""
        # A WebSocket is a GET, for which newer API servers want the right to create as well.
        asked = self._asked("get and create", PODS, pod, below=_PORT_FORWARD, namespace=namespace)
        url = await self._url(asked, [("ports", str(port))])
        headers = await self._headers(asked, "GET")
        rest = self._client.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()
        configuration = self._client.configuration
        named = {"server_hostname": configuration.tls_server_name} if configuration.tls_server_name else {}
        try:
            async with rest.pool_manager.ws_connect(
                url, headers=headers, protocols=[_PROTOCOL], proxy=configuration.proxy, **named
            ) as connection:
                yield connection
        except aiohttp.WSServerHandshakeError as error:
            raise refusal(asked, error.status, "") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None

    async def _patch(
        self, resource: Resource, document: Document, resource_version: str, query: Query, kind: str
    ) -> Document:
        metadata = {**document["metadata"], "resourceVersion": resource_version}
        asked = self._asked("patch", resource, metadata["name"])
        try:
            return await self._ask(asked, "PATCH", query, {**document, "metadata": metadata}, kind)
        except _NotThere:
            raise Conflict from None

    def _asked(
        self, verb: str, resource: Resource, name: str = "", below: str = "", namespace: str = ""
    ) -> Asked:
        return Asked(verb, resource, namespace or self.namespace, self.cluster, name, below)

    async def _url(self, asked: Asked, query: Query) -> str:
        path = asked.resource.path(asked.namespace, asked.name, asked.below)
        return f"{self._client.configuration.host}{path}{'?' if query else ''}{urlencode(query)}"

    async def _headers(self, asked: Asked, method: str, kind: str = _JSON) -> dict[str, str]:
        headers = {"Accept": _JSON, "Content-Type": kind, "User-Agent": FIELD_MANAGER}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], asked.what, method, None)
        return headers

    async def _ask(
        self, asked: Asked, method: str, query: Query = (), body: Document | None = None, kind: str = _JSON
    ) -> Document:
        url = await self._url(asked, query)
        headers = await self._headers(asked, method, kind)
        try:
            response = await self._client.call_api(method, url, headers, body, _request_timeout=_LIMIT)
            text = (await response.read()).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None
        if response.status == _GONE and asked.name:
            raise _NotThere from None
        if response.status >= _REFUSED:
            raise refusal(asked, response.status, text)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NoMesh(f"What {self.cluster} answers is no API server's answer; is its address right?")
        return found

    def _unreachable(self, error: BaseException) -> NoMesh:
        host = self._client.configuration.host
        return NoMesh(f"The API server of {self.cluster} ({host}) cannot be reached: {_reason(error)}.")


class _NotThere(NoMesh):
    """There is no object of this name."""


def _query(dry: bool, strict: bool) -> Query:
    return [_MANAGER, *([_DRY] if dry else []), *([_STRICT] if strict else [])]


def _reason(error: BaseException) -> str:
    """What the system says, without the layers that the client wraps it in."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {_certificate_fault(error.certificate_error)}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return (os.strerror(number) if number and number > 0 else str(error.os_error)).lower()
    return str(error) or type(error).__name__


def _certificate_fault(error: object) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
