"""The rules of a namespace: applied, remembered, put back."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.cluster.workload import told
from lanes.cluster.api import Api
from lanes.cluster.resource import DESTINATION_RULES, VIRTUAL_SERVICES, Resource
from lanes.landscape import Document
from lanes.store import Conflict
from mesh.errors import MeshError
from mesh.objects import MeshObject
from mesh.report import ObjectOutcome

_RESOURCES = {each.kind: each for each in (DESTINATION_RULES, VIRTUAL_SERVICES)}
_TRIES = 5


class Rules:
    """VirtualServices and DestinationRules of one namespace."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def apply(self, items: Sequence[MeshObject]) -> list[ObjectOutcome]:
        """Put objects in force, in this namespace whatever they say, those that others point at first."""
        ordered = sorted(items, key=lambda item: list(_RESOURCES).index(_resource(item.ref.kind).kind))
        return [ObjectOutcome(item.title, await self._apply(item.document)) for item in ordered]

    async def all(self) -> list[Document]:
        """Every rule as somebody would write it."""
        with told():
            found = [each for kind in _RESOURCES.values() for each in await self._api.list(kind)]
        return [self._written(each, _resource(each["kind"])) for each in found]

    async def restore(self, before: Sequence[Document]) -> None:
        """Make the rules what they were: theirs as they stood, and no others."""
        kept = {(each["kind"], each["metadata"]["name"]) for each in before}
        for document in before:
            await self._apply(document)
        with told():
            for kind in reversed(_RESOURCES.values()):
                for each in await self._api.list(kind):
                    metadata = each["metadata"]
                    if (kind.kind, metadata["name"]) not in kept:
                        await self._api.delete(kind, metadata["name"], {"uid": metadata["uid"]})

    async def _apply(self, document: Document) -> str:
        resource = _resource(document["kind"])
        wanted = self._written(document, resource)
        name = wanted["metadata"]["name"]
        for _ in range(_TRIES):
            try:
                with told():
                    found = await self._api.get(resource, name)
                    if found is None:
                        await self._api.create(resource, wanted)
                        return "created"
                    before = found["metadata"]["resourceVersion"]
                    after = await self._api.apply(resource, wanted, before)
            except Conflict:  # somebody else was at it, or made it
                continue
            return "unchanged" if after["metadata"]["resourceVersion"] == before else "configured"
        raise MeshError(f"{resource.plural}/{name} changes faster than it can be written.")

    def _written(self, document: Document, resource: Resource) -> Document:
        metadata = document["metadata"]
        kept = {key: metadata[key] for key in ("name", "labels", "annotations") if metadata.get(key)}
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {**kept, "namespace": self._api.namespace},
            "spec": document["spec"],
        }


def _resource(kind: str) -> Resource:
    if kind not in _RESOURCES:
        raise MeshError(f"A {kind} is no rule; VirtualServices and DestinationRules are.")
    return _RESOURCES[kind]
