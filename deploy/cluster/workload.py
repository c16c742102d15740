"""Deployments and their Pods: scaled, ended without grace, waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.cluster.kubectl import Kubectl
from lanes.cluster.api import Api
from lanes.cluster.reading import is_ready
from lanes.cluster.resource import DEPLOYMENTS, PODS
from lanes.cluster.rollout import rollout_of
from lanes.landscape import Document, LaneError
from lanes.store import Conflict
from mesh.errors import MeshError, NotFound

ROLLOUT_TIMEOUT = 120.0
_POLL = 0.2
_TRIES = 20


@contextmanager
def told() -> Iterator[None]:
    """What the cluster refuses is an error of the mesh."""
    try:
        yield
    except LaneError as error:
        raise MeshError(str(error)) from None


class Workload:
    """One Deployment of a namespace."""

    def __init__(self, api: Api, kubectl: Kubectl, name: str) -> None:
        self._api = api
        self._kubectl = kubectl
        self.name = name

    async def replicas(self) -> int:
        """How many Pods it is to have."""
        return int((await self._deployment())["spec"].get("replicas", 1))

    async def pods(self) -> list[Document]:
        """Its Pods, those on their way out included."""
        wanted = (await self._deployment())["spec"]["selector"]["matchLabels"]
        labels = ",".join(f"{key}={value}" for key, value in wanted.items())
        with told():
            return await self._api.list(PODS, labels=labels)

    async def ready_pods(self) -> list[Document]:
        """Those of its Pods that get calls."""
        return [pod for pod in await self.pods() if is_ready(pod)]

    async def scale(self, replicas: int) -> None:
        """Set how many Pods it is to have; does not wait for them."""
        await self._merge({"spec": {"replicas": replicas}})

    async def restart(self, stamp: str) -> None:
        """Have every Pod replaced, as `kubectl rollout restart` does; does not wait for it."""
        annotations = {"kubectl.kubernetes.io/restartedAt": stamp}
        await self._merge({"spec": {"template": {"metadata": {"annotations": annotations}}}})

    async def end_pods(self) -> None:
        """Delete every Pod without grace; whoever made them makes new ones."""
        names = [str(pod["metadata"]["name"]) for pod in await self.pods()]
        if names:
            said = await self._kubectl.run("delete", "pod", *names, "--grace-period=0", "--force")
            if said.code:
                raise MeshError(f"`{said.command}` failed: {said.err.strip()}")

    async def at_most(self, pods: int, timeout: float = ROLLOUT_TIMEOUT) -> None:
        """Wait until it has no more Pods than this, those on their way out counted."""
        deadline = asyncio.get_running_loop().time() + timeout
        while (left := len(await self.pods())) > pods:
            if asyncio.get_running_loop().time() > deadline:
                raise MeshError(f"{self.name} still has {left} Pods.")
            await asyncio.sleep(_POLL)

    async def rolled_out(self, timeout: float = ROLLOUT_TIMEOUT) -> str:
        """Wait until every Pod is there, ready and of the newest template; how it stands then."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            rollout = rollout_of(await self._deployment(), await self.pods())
            if rollout.done:
                return rollout.text
            if rollout.failed or asyncio.get_running_loop().time() > deadline:
                raise MeshError(f"Not rolled out: {rollout.text}.")
            await asyncio.sleep(_POLL)

    async def _deployment(self) -> Document:
        with told():
            found = await self._api.get(DEPLOYMENTS, self.name)
        if found is None:
            raise NotFound(f"There is no Deployment {self.name} in the namespace {self._api.namespace}.")
        return found

    async def _merge(self, patch: Document) -> None:
        for _ in range(_TRIES):
            version = (await self._deployment())["metadata"]["resourceVersion"]
            try:
                with told():
                    await self._api.merge(DEPLOYMENTS, self.name, patch, version)
                return
            except Conflict:  # its own controller writes its status into it
                continue
        raise MeshError(f"The Deployment {self.name} changes faster than it can be written.")
