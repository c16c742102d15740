"""Any path of an API server, for what tests need beyond what lanes do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import new_client_from_config

Object = dict[str, Any]
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status = status


class Server:
    """An API server and who asks it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._plurals: dict[tuple[str, str], str] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self._client.configuration.host)

    async def ask(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Object:
        """What it answers; Refused."""
        headers = {"Accept": JSON, "Content-Type": kind}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        response = await self._client.call_api(method, self.url + path, headers, body)
        text = (await response.read()).decode(errors="replace")
        if response.status >= 400:
            raise Refused(response.status, text)
        try:
            found = json.loads(text)
        except ValueError:
            return {"text": text}
        return found if isinstance(found, dict) else {"text": text}

    async def items(self, path: str) -> list[Object]:
        """The items of a list."""
        return list((await self.ask("GET", path)).get("items") or ())

    async def find(self, path: str) -> Object | None:
        """One object, if it is there."""
        try:
            return await self.ask("GET", path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def apply(self, document: Mapping[str, Any], manager: str = "helm") -> Object:
        """As `kubectl apply --server-side` does it."""
        path = f"{await self.path_of(document)}?fieldManager={manager}&force=true"
        return await self.ask("PATCH", path, dict(document), APPLY)

    async def path_of(self, document: Mapping[str, Any]) -> str:
        """Where an object is."""
        version, kind = str(document["apiVersion"]), str(document["kind"])
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._plurals:
            resources = (await self.ask("GET", root))["resources"]
            self._plurals |= {
                (version, each["kind"]): each["name"] for each in resources if "/" not in each["name"]
            }
        metadata = document["metadata"]
        namespace = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        return f"{root}{namespace}/{self._plurals[version, kind]}/{metadata['name']}"


@asynccontextmanager
async def connected(kubeconfig: str) -> AsyncIterator[Server]:
    """The API server of a kubeconfig's current context."""
    client = await new_client_from_config(kubeconfig, persist_config=False)
    try:
        yield Server(client)
    finally:
        await client.close()
