"""The objects of a namespace: what was read of them last, and writes that count only if they are still so."""

from __future__ import annotations

import asyncio

from lanes.change import Change
from lanes.cluster.api import Api
from lanes.cluster.reading import Listed
from lanes.cluster.resource import (
    DEPLOYMENT_KIND,
    DEPLOYMENTS,
    DESTINATION_RULES,
    PODS,
    SERVICES,
    VIRTUAL_SERVICES,
    WRITTEN,
)
from lanes.cluster.written import leftovers, own_fields
from lanes.landscape import Document, Key, key_of


class Objects:
    """What others have changed since it was read is not overwritten: that is a Conflict."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: dict[Key, Document] = {}
        self.listed = Listed()
        """As of the last `read`."""

    async def read(self) -> Listed:
        """All that lanes look at."""
        kinds = (VIRTUAL_SERVICES, DESTINATION_RULES, SERVICES, DEPLOYMENTS, PODS)
        hosts, subsets, services, deployments, pods = await asyncio.gather(*map(self._api.list, kinds))
        self.listed = Listed([*hosts, *subsets], services, deployments, pods)
        self._found = {key_of(each): each for each in (*hosts, *subsets, *deployments)}
        return self.listed

    def found(self, key: Key) -> Document | None:
        """An object as it was read or written last."""
        return self._found.get(key)

    def found_all(self, kind: str) -> list[Document]:
        """All objects of a kind, likewise."""
        return [document for key, document in self._found.items() if key.kind == kind]

    async def renew(self, key: Key) -> Document | None:
        """Read one object anew: Deployments change by themselves."""
        there = await self._api.get(WRITTEN[key.kind], key.name)
        self._found = {known: each for known, each in self._found.items() if known != key}
        if there is not None:
            self._found[key] = there
        return there

    async def put(self, document: Document, *, dry: bool = False) -> str:
        """Create an object, or set what lanes have a say in; returns what was done, as kubectl says it.

        Created by POST, since an apply cannot be told that there must not be one yet.
        """
        resource, key = WRITTEN[document["kind"]], key_of(document)
        there = self._found.get(key)
        if there is None:
            answer = await self._api.create(resource, document, dry=dry)
        else:
            wanted = own_fields(document)
            answer = await self._api.apply(resource, wanted, _version(there), dry=dry)
            patch = leftovers(wanted, answer)
            if patch is not None:
                # A dry run leaves no version behind that it could go on from.
                version = _version(there if dry else answer)
                answer = await self._api.merge(resource, key.name, patch, version, dry=dry)
        if not dry:
            self._found[key] = answer
        return resource.line(key.name, "created" if there is None else "configured")

    async def remove(self, key: Key, *, dry: bool = False) -> str | None:
        """Delete an object; None where it has gone already."""
        there = self._found.get(key)
        if there is None:
            return None
        resource = WRITTEN[key.kind]
        same = {"uid": str(there["metadata"]["uid"])}
        if key.kind != DEPLOYMENT_KIND:  # whose status changes all the time
            same["resourceVersion"] = _version(there)
        gone = await self._api.delete(resource, key.name, same, dry=dry)
        if not dry:
            del self._found[key]
        return resource.line(key.name, "deleted") if gone else None

    async def rehearse(self, change: Change) -> None:
        """Have the API server say whether it would take a change."""
        if change.after is not None:
            await self.put(change.after, dry=True)
        else:
            await self.remove(change.key, dry=True)


def _version(document: Document) -> str:
    return str(document["metadata"]["resourceVersion"])
