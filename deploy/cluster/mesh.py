"""Bookinfo in a namespace of a cluster, as the steps of the walkthrough see it."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cluster.istiod import DEPLOYMENT as ISTIOD
from deploy.cluster.istiod import NAMESPACE as ISTIO_NAMESPACE
from deploy.cluster.istiod import Istiod
from deploy.cluster.kubectl import Kubectl
from deploy.cluster.rules import Rules
from deploy.cluster.workload import Workload, told
from lanes.cluster.api import Api
from lanes.cluster.connect import connected
from lanes.cluster.forward import forwarded
from mesh.admin import ControlPlaneGone
from mesh.environment import past_proxies
from mesh.errors import MeshError
from mesh.inventory import (
    BOOKINFO,
    CONTROL_PLANE,
    FRONT_DOOR,
    SERVICE_PORT,
    Instance,
    calls_others,
    find_instance,
    instances_of,
)
from mesh.objects import Document
from mesh.report import ClientOutcome, ObjectOutcome, Report
from mesh.sources import as_files, objects_in
from mesh.walkthrough.local import run
from mesh.walkthrough.outcome import Said

INSTANCES = instances_of(BOOKINFO)
_TAKEN_WITHIN = 30.0


@dataclass(frozen=True)
class Where:
    """Which cluster, and how its parts are reached; the API server forwards what has no address here."""

    context: str | None = None
    namespace: str | None = None
    kubeconfig: str | None = None
    door: str = ""
    """The page's URL."""
    istiod: str = ""
    """The URL of Istiod's monitoring port."""
    xds_address: str = ""
    """Where Istiod speaks xDS in plaintext; `explain` runs here then, and in productpage's Pod otherwise."""


@dataclass(frozen=True)
class Piece:
    """A part of the mesh after it was ended or brought back."""

    name: str
    text: str


class ClusterMesh:
    """Rules, Pods and control plane of bookinfo in a cluster."""

    def __init__(self, api: Api, istiod: Istiod, kubectl: Kubectl, door: str, xds_address: str) -> None:
        self.cluster = api.cluster
        self.namespace = api.namespace
        self.url = door
        """Where the page is."""
        self.istiod = istiod
        self.rules = Rules(api)
        self._api = api
        self._kubectl = kubectl
        self._xds_address = xds_address
        self._away: dict[str, int] = {}
        self._clients: set[str] = set()

    def workload(self, name: str) -> Workload:
        """The Deployment of an instance, `reviews/v2`."""
        return Workload(self._api, self._kubectl, find_instance(INSTANCES, name).pod)

    async def ready(self) -> list[str]:
        """Wait until every instance is there; how each stands then."""
        return [await self.workload(str(each)).rolled_out() for each in INSTANCES]

    async def apply(self, *rules: str | Path) -> Report:
        """Put rules in force, and hear from Istiod which Pods have taken them."""
        items = objects_in(as_files(rules))
        try:
            since = int((await self.istiod.debug.reload())["generation"])
        except MeshError as gone:
            return Report(tuple(await self.rules.apply(items)), unobserved=f"nobody can be asked: {gone}")
        started = time.monotonic()
        outcomes = tuple(await self.rules.apply(items))
        return await self._observed(outcomes, since, started)

    async def kill(self, name: str) -> Piece:
        """End an instance or Istiod without grace, and keep it away until `start`."""
        if name == CONTROL_PLANE:
            self._clients = await self.istiod.clients()
            self._away[name] = 1
            await self.istiod.kill()
        else:
            workload = self.workload(name)
            self._away[name] = await workload.replicas()
            await workload.scale(0)
            await workload.end_pods()
            await workload.at_most(0)
        return Piece(name, "killed (its Pods deleted without grace, none made anew)")

    async def start(self, name: str) -> Piece:
        """Bring it back; returns when it has its place in the mesh again."""
        replicas = self._away.get(name, 1)
        if name == CONTROL_PLANE:
            await self.istiod.start()
            expected = self._clients & {each for other in INSTANCES for each in await self._pods(other)}
        else:
            instance = find_instance(INSTANCES, name)
            await self.workload(name).scale(replicas)
            await self.workload(name).rolled_out()
            expected = set(await self._pods(instance)) if calls_others(BOOKINFO, instance) else set()
        await self.istiod.settled(expected)
        self._away.pop(name, None)
        return Piece(name, "ready")

    async def mend(self) -> None:
        """Bring back whatever is still away."""
        for name in list(self._away):
            await self.start(name)

    async def explain(self, service: str, arguments: Sequence[str]) -> Said:
        """Run the command in productpage's Pod, or here where Istiod can be reached from here."""
        target = f"xds:///{service}.{self.namespace}.svc.cluster.local:{SERVICE_PORT}"
        words = ("-m", "proxyless", "explain", target, *arguments)
        if not self._xds_address:
            return await self._kubectl.run("exec", f"deployment/{FRONT_DOOR.pod}", "--", "python", *words)
        who = {"XDS_ADDRESS": self._xds_address, "POD_NAMESPACE": self.namespace, "POD_NAME": "walkthrough"}
        return await run(("python", *words), (sys.executable, *words), past_proxies() | who)

    async def places(self, service: str) -> Mapping[str, str]:
        """The address of one Pod of each of a service's versions."""
        found: dict[str, str] = {}
        for instance in INSTANCES:
            for pod in await self.workload(str(instance)).ready_pods() if instance.service == service else ():
                found[str(instance)] = f"{pod['status']['podIP']}:{SERVICE_PORT}"
        return found

    async def _pods(self, instance: Instance) -> list[str]:
        return [pod["metadata"]["name"] for pod in await self.workload(str(instance)).ready_pods()]

    async def _observed(self, outcomes: tuple[ObjectOutcome, ...], since: int, started: float) -> Report:
        if all(each.verdict == "unchanged" for each in outcomes):
            return Report(outcomes)
        try:
            answer = await self.istiod.debug.sync(since, _TAKEN_WITHIN)
        except ControlPlaneGone as gone:
            return Report(outcomes, complete=False, unobserved=f"who has taken them is unknown: {gone}")
        clients = [
            ClientOutcome(str(each["id"]), str(each["state"]), "", tuple(each["resources"]))
            for each in answer["clients"]
        ]
        milliseconds = (time.monotonic() - started) * 1000
        complete = bool(answer["complete"])
        return Report(outcomes, tuple(clients), milliseconds, complete, timeout=_TAKEN_WITHIN)


@asynccontextmanager
async def cluster_mesh(where: Where) -> AsyncIterator[ClusterMesh]:
    """Bookinfo as it is in the cluster; at the end what was ended comes back, and the rules are put back."""
    with told():
        async with (
            connected(where.context, where.namespace, where.kubeconfig) as api,
            connected(where.context, ISTIO_NAMESPACE, where.kubeconfig) as istio,
        ):
            kubectl = Kubectl(api.namespace, where.context, where.kubeconfig)
            above = Kubectl(ISTIO_NAMESPACE, where.context, where.kubeconfig)
            istiod = Istiod(istio, Workload(istio, above, ISTIOD), where.istiod)
            try:
                await istiod.open()
                async with _door(api, kubectl, where.door) as door:
                    mesh = ClusterMesh(api, istiod, kubectl, door, where.xds_address)
                    before = await mesh.rules.all()
                    try:
                        yield mesh
                    finally:
                        await _put_back(mesh, before)
            finally:
                await istiod.close()


async def _put_back(mesh: ClusterMesh, before: Sequence[Document]) -> None:
    try:
        await mesh.mend()
    finally:
        await mesh.rules.restore(before)


@asynccontextmanager
async def _door(api: Api, kubectl: Kubectl, url: str) -> AsyncIterator[str]:
    if url:
        yield url.rstrip("/")
        return
    pods = await Workload(api, kubectl, FRONT_DOOR.pod).ready_pods()
    if not pods:
        raise MeshError(f"No Pod of {FRONT_DOOR.service} is ready.")
    name = str(pods[0]["metadata"]["name"])
    async with forwarded(api, name, SERVICE_PORT, lambda line: None) as address:
        yield f"http://{address}"
