"""The door's rules in a cluster: a ConfigMap, and the pods that go by it once their kubelet has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import aiohttp

from lanes.cluster.api import Api
from lanes.cluster.door import RulesPlace, door_pods, door_service, rules_place, target_port
from lanes.cluster.forward import forwarded
from lanes.cluster.objects import Objects
from lanes.cluster.reading import is_ours, labels_of
from lanes.cluster.resource import CONFIG_MAPS, PODS
from lanes.doorfile import digest_of
from lanes.landscape import Document, LaneError
from lanes.render import MANAGED_BY
from lanes.store import NoMesh, Outcome

_POLL = 1.0
_BY = "app.kubernetes.io/managed-by"


class Doorkeeper:
    """Reads and replaces the rules of the Service that is the door."""

    def __init__(self, api: Api, objects: Objects, timeout: float, tell: Callable[[str], None]) -> None:
        self._api = api
        self._objects = objects
        self._timeout = timeout
        self._tell = tell
        self._read: Document | None = None

    async def text(self) -> str:
        """The rules; empty where there are none, or no door that reads any."""
        self._read = None
        try:
            place = self._place()
        except LaneError:
            return ""
        self._read = await self._api.get(CONFIG_MAPS, place.config_map)
        return str(((self._read or {}).get("data") or {}).get(place.key) or "")

    async def replace(self, text: str) -> Outcome:
        """Write the rules and wait until every pod behind the door goes by them; Conflict as for others."""
        place = self._place()
        line, wanted = await self._write(place, text), digest_of(text)
        faults = {"the door": "it has not been asked"}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                while faults:
                    pods = await self._pods()
                    if not pods:
                        return Outcome(True, (line, "note: no pod of the door is ready to go by it yet"), {})
                    faults = {_name(pod): fault for pod in pods if (fault := await self._fault(pod, wanted))}
                    if faults:
                        await asyncio.sleep(_POLL)
        if not faults:
            return Outcome(
                True,
                (line, "the door goes by its new rules; `lanes door` lists them"),
                {"door": {"digest": wanted}},
            )
        told = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        late = f"not every door goes by these rules after {self._timeout:g} s: {told}"
        return Outcome(False, (line, late), {"door": {"error": told}})

    async def _write(self, place: RulesPlace, text: str) -> str:
        document: Document = {
            "apiVersion": "v1",
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": place.config_map, "namespace": self._api.namespace},
            "data": {place.key: text},
        }
        if self._read is None:
            document["metadata"]["labels"] = dict(MANAGED_BY)
            await self._api.create(CONFIG_MAPS, document)
            return CONFIG_MAPS.line(place.config_map, "created")
        if not is_ours(self._read):
            owner = labels_of(self._read).get(_BY) or "nobody says whose it is"
            raise LaneError(
                f"The ConfigMap {place.config_map} is not the lanes' own ({owner}), so the door's rules are "
                "changed where it comes from."
            )
        await self._api.apply(CONFIG_MAPS, document, self._read["metadata"]["resourceVersion"])
        return CONFIG_MAPS.line(place.config_map, "configured")

    async def _fault(self, pod: Document, wanted: str) -> str:
        """Why a pod does not go by the rules of this digest; empty if it does."""
        port = target_port(door_service(self._objects.listed), pod)
        try:
            async with (
                forwarded(self._api, _name(pod), port, self._tell) as address,
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(f"http://{address}/health/door") as response,
            ):
                answer = await response.json()
        except NoMesh:
            raise
        except (LaneError, aiohttp.ClientError, TimeoutError, ValueError):
            return "it does not answer"
        if answer.get("digest") == wanted:
            return ""
        return str(answer.get("error") or "it has not read them; a kubelet takes about a minute")

    def _place(self) -> RulesPlace:
        return rules_place(self._objects.listed, door_service(self._objects.listed))

    async def _pods(self) -> list[Document]:
        listed = replace(self._objects.listed, pods=await self._api.list(PODS))
        return door_pods(listed, door_service(listed))


def _name(pod: Document) -> str:
    return str(pod["metadata"]["name"])
