"""A namespace of a cluster as a store of lanes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

from lanes.change import Change, Step
from lanes.cluster.api import Api
from lanes.cluster.connect import IN_POD, connected
from lanes.cluster.door import door_pods, door_service, target_port
from lanes.cluster.doorkeeper import Doorkeeper
from lanes.cluster.forward import forwarded
from lanes.cluster.ledger import NAME, ledger_of, revisions_in
from lanes.cluster.objects import Objects
from lanes.cluster.reading import deployed_in, is_ours, is_ready, members_of, plain, services_known
from lanes.cluster.resource import CONFIG_MAPS, PODS
from lanes.cluster.workloads import Workloads
from lanes.history import Revision
from lanes.landscape import Document, Key, Landscape, LaneError, key_of
from lanes.own import lanes_in
from lanes.spec import Lane
from lanes.store import Conflict, FrontDoor, Outcome, Place, Seen, Workload

_SHORTEST, _LONGEST = 0.05, 1.0
_ISTIO_NAMESPACE, _ISTIOD, _XDS_PORT = "istio-system", "app=istiod", 15010


class ClusterStore:
    """The lanes of one namespace. Nobody is kept out: who writes at the same time is noticed, and heeded."""

    def __init__(self, api: Api, lane_key: str, timeout: float, tell: Callable[[str], None]) -> None:
        self._api = api
        self._lane_key = lane_key
        self._tell = tell
        self._objects = Objects(api)
        self._workloads = Workloads(api, self._objects, timeout, tell)
        self._door = Doorkeeper(api, self._objects, timeout, tell)
        self._ledger: Document | None = None
        self._crossings = 0
        self._crossed = False

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        *,
        context: str | None,
        namespace: str | None,
        kubeconfig: str | None,
        lane_key: str,
        timeout: float,
        tell: Callable[[str], None],
        tell_where: bool = False,
    ) -> AsyncIterator[ClusterStore]:
        """The namespace meant; see `connect.connected`."""
        async with connected(context, namespace, kubeconfig) as api:
            if tell_where:
                tell(f"{api.cluster}, namespace {api.namespace}")
            yield cls(api, lane_key, timeout, tell)

    # -- reading

    async def read(self) -> Seen:
        """The objects and workloads now."""
        listed = await self._objects.read()
        documents = [plain(each) for each in listed.rules]
        known = services_known(listed.services)
        landscape = Landscape.of(documents, known, self._lane_key, deployed_in(listed))
        where = f"the namespace {self._api.namespace} of {self._api.cluster}"
        return Seen(landscape, tuple(members_of(listed)), where)

    async def workload_changes(
        self, start: Mapping[Place, Workload], stop: Sequence[Place], seen: Seen
    ) -> Sequence[Change]:
        """The Deployments that come and go."""
        begun = [self._workloads.planned(*place, workload, seen) for place, workload in start.items()]
        ended = [change for place in stop if (change := self._workloads.ending(*place)) is not None]
        return [*begun, *ended]

    async def rehearse(self, changed: Sequence[Change]) -> None:
        """Have the API server refuse what it would refuse."""
        for change in changed:
            await self._objects.rehearse(change)

    # -- writing

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keeps nobody out; who was crossed by others enters a little later each time, by chance."""
        self._crossings = self._crossings + 1 if self._crossed else 0
        self._crossed = False
        if self._crossings:
            await asyncio.sleep(random.uniform(0, min(_LONGEST, _SHORTEST * 2**self._crossings)))
        yield

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        """Remember that others were faster."""
        try:
            yield
        except Conflict:
            self._crossed = True
            raise

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        """Write object by object; Conflict when one has changed since `seen`, with what is in force."""
        lines: list[str] = []
        objects = dict(seen.landscape.objects)
        try:
            with self._heeding():
                for step in steps:
                    for document in step.apply:
                        lines.append(await self._objects.put(document))
                        objects[key_of(document)] = document
                    for key in step.delete:
                        lines += filter(None, [await self._objects.remove(key)])
                        del objects[key]
                lines += await self._workloads.date(_lanes(seen.landscape, objects))
        except Conflict:
            raise Conflict(lines) from None
        except LaneError as error:
            if not lines:
                raise
            raise type(error)(f"{error} By then was done: {'; '.join(lines)}.") from None
        return Outcome(True, tuple(lines), {})

    async def start(self, service: str, version: str, workload: Workload, seen: Seen) -> Sequence[str]:
        """Start a version of a service, in place of an earlier one; it is ready when this returns."""
        with self._heeding():
            return await self._workloads.start(service, version, workload, seen)

    async def withdraw(self, service: str, version: str) -> None:
        """Take back what `start` did, also when that failed or was cancelled."""
        await self._workloads.withdraw(service, version)

    async def stop(self, service: str, version: str) -> Sequence[str]:
        """Drain and end what `start` started, now or earlier; nothing happens when it is not there."""
        return await self._workloads.stop(service, version)

    # -- history and door

    async def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first."""
        self._ledger = await self._api.get(CONFIG_MAPS, NAME)
        return revisions_in(self._ledger)

    async def record(self, revisions: Sequence[Revision]) -> None:
        """Add revisions at the end; Conflict when somebody else has added one since `history`."""
        there = self._ledger
        document = ledger_of([*revisions_in(there), *revisions], self._api.namespace)
        with self._heeding():
            if there is None:
                self._ledger = await self._api.create(CONFIG_MAPS, document)
            elif is_ours(there):
                version = str(there["metadata"]["resourceVersion"])
                self._ledger = await self._api.apply(CONFIG_MAPS, document, version)
            else:
                raise LaneError(f"The ConfigMap {NAME} is not the lanes' own.")

    async def door(self) -> str:
        """The colouring rules as their ConfigMap has them, empty where there is none."""
        if not self._objects.listed.services:
            await self._objects.read()
        return await self._door.text()

    async def set_door(self, text: str) -> Outcome:
        """Replace the colouring rules and wait until the door goes by them."""
        with self._heeding():
            return await self._door.replace(text)

    # -- as a client

    @asynccontextmanager
    async def front_door(self) -> AsyncIterator[FrontDoor]:
        """A pod of the door, through the API server's port-forward."""
        listed = await self._objects.read()
        service = door_service(listed)
        pods = door_pods(listed, service)
        if not pods:
            raise LaneError(f"No pod of {service['metadata']['name']} is ready.")
        name, port = str(pods[0]["metadata"]["name"]), target_port(service, pods[0])
        async with forwarded(self._api, name, port, self._tell) as address:
            yield FrontDoor(f"http://{address}", f"http://{name}:{port}")

    @asynccontextmanager
    async def client(self, xds_address: str = "") -> AsyncIterator[Mapping[str, str]]:
        """The environment with which the library joins this mesh, as a client of this namespace."""
        # On an address of no pod's, so that Istiod takes it for none of them.
        identity = {
            "INSTANCE_IP": "127.0.0.254",
            "POD_NAME": "lanes-explain",
            "POD_NAMESPACE": self._api.namespace,
        }
        if not xds_address and self._api.cluster == IN_POD:
            xds_address = f"istiod.{_ISTIO_NAMESPACE}.svc:{_XDS_PORT}"
        if xds_address:
            yield {**identity, "XDS_ADDRESS": xds_address}
            return
        async with self._istiod() as address:
            yield {**identity, "XDS_ADDRESS": address}

    @asynccontextmanager
    async def _istiod(self) -> AsyncIterator[str]:
        """The plaintext port of a pod of Istiod, through the API server's port-forward."""
        async with AsyncExitStack() as stack:
            try:
                pods = await self._api.list(PODS, _ISTIO_NAMESPACE, _ISTIOD)
                ready = [str(each["metadata"]["name"]) for each in pods if is_ready(each)]
                if not ready:
                    raise LaneError(f"No pod of Istiod ({_ISTIOD}) is ready in {_ISTIO_NAMESPACE}.")
                way = forwarded(self._api, ready[0], _XDS_PORT, self._tell, _ISTIO_NAMESPACE)
                address = await stack.enter_async_context(way)
            except LaneError as error:
                raise type(error)(f"{error} --xds-address HOST:PORT says where else Istiod is.") from None
            yield address


def _lanes(before: Landscape, objects: dict[Key, Document]) -> tuple[Lane, ...]:
    return lanes_in(replace(before, objects=objects))
