"""What stands in for kubelets where a cluster has none: each Pod becomes a process with its own address.

It binds Pods to a Node of its own, mounts their tokens and ConfigMaps, starts the command of their one
container, tells the API server how they do, forwards their ports, and ends them when they are deleted.
Processes share this machine's network, so each binds its own address (BIND_IP, ADMIN_IP) and not all. Images
are not pulled: one whose repository is known is this repository's code, any other cannot be found.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from tests.cluster.apiserver.pod import container_of, environment_of, mounts_of, status_of
from tests.cluster.apiserver.server import MERGE, Object, Refused, Server
from tests.fakes.certificates import Authority
from tests.fakes.port_forward import port_forward

IMAGES = frozenset({"bookinfo"})
_POLL = 0.2
_RENEW_SECONDS = 1.0
_GRACE = 15.0
_PORT = 9080


@dataclass
class Running:
    """A Pod that has an address."""

    pod: Object
    ip: str
    folder: Path
    task: asyncio.Task[None] | None = None
    process: Process | None = None
    restarts: int = 0
    mounts: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """Which service it is one of."""
        return str(self.pod["metadata"].get("labels", {}).get("app"))

    @property
    def uid(self) -> str:
        """By which it is known, whatever has its name later."""
        return str(self.pod["metadata"]["uid"])


class Kubelet:
    """A Node of one namespace's Pods."""

    def __init__(self, server: Server, namespace: str, network: str, folder: Path) -> None:
        self._server = server
        self._namespace = namespace
        self._network = network
        """The first three numbers of its addresses."""
        self._folder = folder
        self.node = f"{namespace}-node"
        self.running: dict[str, Running] = {}
        self._numbers = iter(range(2, 255))
        self._free: list[str] = []
        self._port = 0

    @property
    def node_ip(self) -> str:
        """Where its own server listens."""
        return f"{self._network}.1"

    def of(self, name: str) -> Running:
        """The Pod of this name."""
        return next(each for each in self.running.values() if each.pod["metadata"]["name"] == name)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The Node is there, and its Pods run, for as long as this is held."""
        async with self._serving():
            await self._register()
            loop = asyncio.create_task(self._look_after())
            try:
                yield
            finally:
                loop.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await loop
                await asyncio.gather(*(self._end(each) for each in list(self.running.values())))
                await self._server.ask("DELETE", f"/api/v1/nodes/{self.node}")

    async def _register(self) -> None:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.node, "labels": {"kubernetes.io/hostname": self.node}},
            "spec": {"unschedulable": True},
        }
        await self._server.ask("POST", "/api/v1/nodes", node)
        now = _now()
        status = {
            "addresses": [{"type": "InternalIP", "address": self.node_ip}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "StandIn",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
            ],
        }
        await self._server.ask("PATCH", f"/api/v1/nodes/{self.node}/status", {"status": status}, MERGE)

    # -- Pods

    async def _look_after(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        while True:
            pods = await self._server.items(path)
            for pod in pods:
                uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
                if node not in (None, self.node):
                    raise AssertionError(f"{node} took a Pod: where there are nodes, none is stood in for")
                there = self.running.get(uid)
                if pod["metadata"].get("deletionTimestamp"):
                    if there is None or there.task is None:
                        continue
                    if not there.task.done() and there.task.get_name() != "ending":
                        there.task.cancel()
                    if there.task.get_name() != "ending":
                        there.task = asyncio.create_task(self._terminate(there), name="ending")
                elif there is None and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                    there = self.running[uid] = Running(pod, self._address(), self._folder / uid)
                    there.task = asyncio.create_task(self._run(there))
            gone = self.running.keys() - {pod["metadata"]["uid"] for pod in pods}
            for uid in gone:
                if (task := self.running[uid].task) is not None and task.get_name() != "ending":
                    await self._end(self.running[uid])
            await asyncio.sleep(_POLL)

    def _address(self) -> str:
        return self._free.pop(0) if len(self._free) > 100 else f"{self._network}.{next(self._numbers)}"

    async def _run(self, there: Running) -> None:
        name = there.pod["metadata"]["name"]
        if not there.pod["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
            await self._server.ask("POST", f"{self._path(there)}/binding", binding)
        while True:
            image = container_of(there.pod)["image"]
            if image.rpartition("/")[2].partition(":")[0] not in IMAGES:
                message = f'Back-off pulling image "{image}": not found'
                await self._tell(there, {"reason": "ImagePullBackOff", "message": message})
                return
            await self._tell(there, {"reason": "ContainerCreating"})
            await self._mount(there)
            renewing = asyncio.create_task(self._renew(there))
            try:
                there.process = await self._start(there)
                if await self._listens(there):
                    await self._tell(there, None)
                    await there.process.wait()
            finally:
                renewing.cancel()
            there.restarts += 1
            await self._tell(there, {"reason": "CrashLoopBackOff", "message": "it has ended"})
            await asyncio.sleep(1)

    async def _start(self, there: Running) -> Process:
        environment = environment_of(there.pod, there.ip, there.mounts)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        # There is one network for all, so nobody may take an address for granted.
        own = {"BIND_IP": there.ip, "ADMIN_IP": there.ip}
        if "/var/run/secrets/tokens" in there.mounts:
            own["XDS_TOKEN"] = f"{there.mounts['/var/run/secrets/tokens']}/istio-token"
        command = [
            sys.executable if word == "python" else word for word in container_of(there.pod)["command"]
        ]
        with (there.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command, env=kept | environment | own, stdin=DEVNULL, stdout=log, stderr=log
            )

    async def _listens(self, there: Running) -> bool:
        """Wait until it takes connections; False when it ends instead."""
        while there.process is not None and there.process.returncode is None:
            try:
                _, writer = await asyncio.open_connection(there.ip, _PORT)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return True
        return False

    async def _terminate(self, there: Running) -> None:
        hook = (container_of(there.pod).get("lifecycle") or {}).get("preStop") or {}
        await asyncio.sleep((hook.get("sleep") or {}).get("seconds", 0))
        await self._end_process(there)
        with contextlib.suppress(Refused):
            uid = {"preconditions": {"uid": there.uid}, "gracePeriodSeconds": 0}
            await self._server.ask("DELETE", self._path(there), uid)
        self._forget(there)

    async def _end(self, there: Running) -> None:
        if there.task is not None:
            there.task.cancel()
        await self._end_process(there)
        self._forget(there)

    async def _end_process(self, there: Running) -> None:
        process = there.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _forget(self, there: Running) -> None:
        if self.running.pop(there.uid, None) is not None:
            self._free.append(there.ip)

    async def _tell(self, there: Running, waiting: Object | None) -> None:
        status = status_of(
            there.pod, there.ip, self.node_ip, _now(), waiting=waiting, restarts=there.restarts
        )
        with contextlib.suppress(Refused):  # it has been deleted
            await self._server.ask("PATCH", f"{self._path(there)}/status", {"status": status}, MERGE)

    def _path(self, there: Running) -> str:
        return f"/api/v1/namespaces/{self._namespace}/pods/{there.pod['metadata']['name']}"

    # -- volumes

    async def _mount(self, there: Running) -> None:
        there.folder.mkdir(parents=True, exist_ok=True)
        for number, (inside, volume) in enumerate(mounts_of(there.pod).items()):
            folder = there.folder / str(number)
            folder.mkdir(exist_ok=True)
            there.mounts[inside] = str(folder)
            await self._fill(there, folder, volume)

    async def _renew(self, there: Running) -> None:
        """ConfigMaps change under the process; a kubelet takes a minute for it, this one a second."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            for inside, volume in mounts_of(there.pod).items():
                if "configMap" in volume:
                    await self._fill(there, Path(there.mounts[inside]), volume)

    async def _fill(self, there: Running, folder: Path, volume: Object) -> None:
        if (source := volume.get("configMap")) is not None:
            path = f"/api/v1/namespaces/{self._namespace}/configmaps/{source['name']}"
            found = await self._server.find(path)
            while found is None and not source.get("optional"):
                await asyncio.sleep(_POLL)
                found = await self._server.find(path)
            data = (found or {}).get("data") or {}
            for name, text in data.items():
                _write(folder / name, text)
            for stale in set(os.listdir(folder)) - data.keys():
                (folder / stale).unlink()
        for source in (volume.get("projected") or {}).get("sources") or ():
            token = source["serviceAccountToken"]
            _write(folder / token["path"], await self._token(there, token))

    async def _token(self, there: Running, wanted: Object) -> str:
        account = there.pod["spec"].get("serviceAccountName") or "default"
        pod = {"apiVersion": "v1", "kind": "Pod", "name": there.pod["metadata"]["name"], "uid": there.uid}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted["audience"]],
                "expirationSeconds": wanted["expirationSeconds"],
                "boundObjectRef": pod,
            },
        }
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token"
        return str((await self._server.ask("POST", path, request))["status"]["token"])

    # -- port-forward

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/portForward/{namespace}/{pod}", self._forward)
        runner = web.AppRunner(app)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._folder.mkdir(parents=True, exist_ok=True)
        context.load_cert_chain(*Authority.make().files(self.node, self._folder))
        site = web.TCPSite(runner, self.node_ip, 0, ssl_context=context)
        await site.start()
        self._port = int(runner.addresses[0][1])
        try:
            yield
        finally:
            await runner.cleanup()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _forward(self, request: web.Request) -> web.WebSocketResponse:
        there = self.of(request.match_info["pod"])
        return await port_forward(request, there.ip, int(request.query["port"]))


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
