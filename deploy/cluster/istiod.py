"""The cluster's Istiod: who its clients are and what they have taken; ended and brought back."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

from deploy.cluster.workload import Workload, told
from lanes.cluster.api import Api
from lanes.cluster.forward import forwarded
from mesh.clients import client_states, wait_settled
from mesh.errors import MeshError
from mesh.istiod_admin import IstiodDebug

NAMESPACE = "istio-system"
DEPLOYMENT = "istiod"
_MONITORING_PORT = 15014
_SETTLE = 60.0


class Istiod:
    """A stock Istiod, one Pod of it, behind a port-forward or at the `url` of its monitoring port."""

    def __init__(self, api: Api, workload: Workload, url: str = "") -> None:
        self._api = api
        self._workload = workload
        self._url = url
        self._replicas = 1
        self._way = AsyncExitStack()
        self._debug: IstiodDebug | None = None

    async def open(self) -> None:
        """Find the way to it; MeshError if there is none."""
        with told():
            url = self._url or f"http://{await self._forward()}"
        debug = IstiodDebug(url)
        self._way.push_async_callback(debug.close)
        await debug.reload()
        self._debug = debug

    async def close(self) -> None:
        """Leave it."""
        self._debug = None
        await self._way.aclose()

    @property
    def debug(self) -> IstiodDebug:
        """What it tells of its clients; MeshError while it is away."""
        if self._debug is None:
            raise MeshError("Istiod is away.")
        return self._debug

    async def clients(self) -> set[str]:
        """The Pods that are connected to it."""
        return set(client_states(await self.debug.status()))

    async def settled(self, pods: Iterable[str]) -> None:
        """Wait until these Pods are connected and have taken their configuration."""
        lacking = await wait_settled(self.debug, pods, _SETTLE)
        if lacking:
            details = [f"{pod} {what}" for pod, what in lacking.items()]
            raise MeshError("Not every Pod has its place in the mesh.", details)

    async def kill(self) -> None:
        """End it; its Deployment has no Pod then."""
        await self.close()
        self._replicas = await self._workload.replicas() or self._replicas
        await self._workload.scale(0)
        await self._workload.end_pods()
        await self._workload.at_most(0)

    async def start(self) -> None:
        """Bring it back; returns when it can be asked."""
        await self._workload.scale(self._replicas)
        await self._workload.rolled_out()
        await self.open()

    async def _forward(self) -> str:
        pods = await self._workload.ready_pods()
        if not pods:
            raise MeshError(f"No Pod of {DEPLOYMENT} in {NAMESPACE} is ready.")
        name = str(pods[0]["metadata"]["name"])
        way = forwarded(self._api, name, _MONITORING_PORT, lambda line: None)
        return await self._way.enter_async_context(way)
