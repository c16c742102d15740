"""The one-machine mesh as a store of lanes: its control socket, and the folder it keeps for lanes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from lanes.change import Change, Step, dump_all
from lanes.doorfile import digest_of
from lanes.history import Revision
from lanes.landscape import NAMESPACE, Key, Known, Landscape, LaneError, key_of, maps, resolved, spec_of
from lanes.store import Conflict, FrontDoor, Member, Outcome, Place, Seen, Workload, deployed_of
from mesh.errors import Changed
from mesh.inventory import FRONT_DOOR, SERVICES
from mesh.objects import MeshObject, Ref
from mesh.remote import Remote
from mesh.report import Report
from mesh.rulebook import Expected
from mesh.state import StateFolder
from mesh.status import MeshStatus

_STARTABLE = {
    service.name: f"python -m mesh start {service.instances[0]}" for service in SERVICES if service.on_demand
}
_POLL = 0.05
_GRPC = ("GRPC", "HTTP2")
_LOCK_POLL = 0.02


class MeshStore:
    """The running mesh of a state folder, as an async context manager; NotRunning when there is none."""

    def __init__(
        self,
        state: StateFolder,
        lane_key: str = "env",
        timeout: float = 10.0,
        start_timeout: float | None = None,
    ) -> None:
        self._folder = state
        self._remote = Remote(state)
        self._lane_key = lane_key
        self._timeout = timeout
        self._start_timeout = start_timeout
        """How long a version may take to start; the mesh's own patience if None."""

    async def __aenter__(self) -> MeshStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._remote.__aexit__(kind, error, trace)

    # -- reading

    async def read(self) -> Seen:
        """The objects and workloads now."""
        objects, status = await asyncio.gather(self._remote.objects(), self._remote.status())
        documents = [item.document for item in objects]
        members = _members(objects, status)
        landscape = Landscape.of(
            documents, _services(objects), self._lane_key, deployed_of(members), _STARTABLE
        )
        return Seen(landscape, tuple(members))

    @asynccontextmanager
    async def front_door(self) -> AsyncIterator[FrontDoor]:
        """The way in."""
        url = (await self._remote.status()).url
        yield FrontDoor(url, url)

    @asynccontextmanager
    async def client(self, xds_address: str = "") -> AsyncIterator[Mapping[str, str]]:
        """The environment with which the library joins this mesh as a client."""
        # On no address of an instance's, so that nobody takes it for one, and on none that could run out.
        yield {
            "XDS_ADDRESS": xds_address or (await self._remote.status()).xds_address,
            "INSTANCE_IP": "127.0.0.254",
            "POD_NAME": "lanes-explain",
            "POD_NAMESPACE": NAMESPACE,
        }

    # -- writing

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Held while objects are read, planned and written, so that nobody's change is lost."""
        handle = self._open_lock()
        try:
            while not _locked(handle):  # noqa: ASYNC110 - no event tells of another process
                await asyncio.sleep(_LOCK_POLL)
            yield
        finally:
            os.close(handle)

    def _open_lock(self) -> int:
        try:
            return os.open(self._folder.lanes / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LaneError(
                f"The mesh in {self._folder} has no place for lanes ({error.strerror}); start it anew."
            ) from None

    async def workload_changes(
        self, start: Mapping[Place, Workload], stop: Sequence[Place], seen: Seen
    ) -> Sequence[Change]:
        """None: the mesh announces a process by itself, for as long as it lives."""
        return ()

    async def rehearse(self, changed: Sequence[Change]) -> None:
        """Nothing: what this mesh refuses, it refuses whole when it is tried."""

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        """Put the steps in force one after another; Conflict when the objects have changed since `seen`."""
        reports: list[Report] = []
        for number, step in enumerate(steps):
            if step.apply:
                expected = [
                    Expected(_ref(key_of(document)), seen.landscape.objects.get(key_of(document)))
                    for document in step.apply
                ]
                try:
                    # What later steps find is what the first has written.
                    reports.append(
                        await self._remote.apply_files(
                            {"lanes": dump_all(step.apply)}, self._timeout, expected if number == 0 else None
                        )
                    )
                except Changed as error:
                    raise Conflict(error.message) from None
            if step.delete:
                refs = [_ref(key) for key in step.delete]
                reports.append(await self._remote.delete_refs(refs, self._timeout))
        return _outcome(reports)

    async def start(self, service: str, version: str, workload: Workload, seen: Seen) -> Sequence[str]:
        """Start a version of a service, in place of an earlier one; it is ready when this returns."""
        await self._remote.admit(
            {
                "service": service,
                "version": version,
                "argv": workload.argv,
                "directory": workload.directory,
                "environment": dict(workload.environment),
                "command": workload.given,
                "timeout": self._start_timeout,
            }
        )
        return ()

    async def withdraw(self, service: str, version: str) -> None:
        """Take back what `start` did, also when that failed or was cancelled."""
        await self.stop(service, version)

    async def stop(self, service: str, version: str) -> Sequence[str]:
        """Drain and end what `start` started, now or earlier; nothing happens when it is not there."""
        await self._remote.dismiss(f"{service}/{version}")
        return ()

    # -- history and door

    @property
    def _history(self) -> Path:
        return self._folder.lanes / "history.jsonl"

    async def history(self) -> list[Revision]:
        """Every revision, oldest first."""
        try:
            lines = self._history.read_text(encoding="utf-8").splitlines()
            return [Revision.from_dict(json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise LaneError(f"{self._history} cannot be read: {error}.") from None

    async def record(self, revisions: Sequence[Revision]) -> None:
        """Add revisions at the end."""
        with self._history.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(each.to_dict(), ensure_ascii=False) + "\n" for each in revisions)

    async def door(self) -> str:
        """The colouring rules as their file has them, empty where there is none."""
        try:
            return self._folder.door_rules.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    async def set_door(self, text: str) -> Outcome:
        """Replace the colouring rules and wait until the door goes by them."""
        temporary = self._folder.door_rules.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self._folder.door_rules)
        url = f"{(await self._remote.status()).url}/health/door"
        wanted, told = digest_of(text), "it does not answer"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout), aiohttp.ClientSession() as session:
                while True:
                    try:
                        async with session.get(url) as response:
                            answer = await response.json()
                        if answer.get("digest") == wanted:
                            return Outcome(
                                True,
                                ("the door goes by its new rules; `lanes door` lists them",),
                                {"door": answer},
                            )
                        told = str(answer.get("error") or "it has not read them")
                    except (aiohttp.ClientError, ValueError):
                        told = "it does not answer"
                    await asyncio.sleep(_POLL)
        line = f"the door does not go by these rules after {self._timeout:g} s: {told}"
        return Outcome(False, (line,), {"door": {"error": told}})


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ref(key: Key) -> Ref:
    return Ref(key.kind, key.namespace, key.name)


def _services(objects: Sequence[MeshObject]) -> list[Known]:
    """Every service that a ServiceEntry of this namespace declares."""
    found: list[Known] = []
    for item in objects:
        if item.ref.kind != "ServiceEntry":
            continue
        spec = spec_of(item.document)
        declared = [port for port in maps(spec.get("ports")) if "number" in port]
        ports = tuple(int(port["number"]) for port in declared)
        grpc = any(str(port.get("protocol", "")).upper() in _GRPC for port in declared)
        for host in spec.get("hosts") or ():
            name, _, rest = resolved(host, item.ref.namespace).partition(".")
            if rest == f"{NAMESPACE}.svc.cluster.local":
                found.append(Known(name, NAMESPACE, ports, grpc, name == FRONT_DOOR.service))
    return found


def _members(objects: Sequence[MeshObject], status: MeshStatus) -> list[Member]:
    """The mesh's own processes, and workloads that somebody else has announced."""
    placed = {item.ref.name: item for item in objects if item.ref.kind == "WorkloadEntry"}
    found: list[Member] = []
    for process in status.processes:
        service, slash, version = process.name.partition("/")
        if not slash:
            continue
        entry = placed.pop(f"{service}-{version}", None)
        ready = process.phase == "ready" and entry is not None
        found.append(
            Member(service, version, process.name, process.address, ready, process.text, process.command)
        )
    for name, item in placed.items():
        spec = spec_of(item.document)
        labels = spec.get("labels")
        if isinstance(labels, dict) and labels.get("app") and labels.get("version"):
            address = str(spec.get("address"))
            found.append(Member(str(labels["app"]), str(labels["version"]), name, address, True, "announced"))
    return found


def _outcome(reports: Sequence[Report]) -> Outcome:
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for report in reports:
        lines += [line for line in report.lines() if not line.endswith(" unchanged")]
        data.append(report.to_dict())
    return Outcome(all(report.ok for report in reports), tuple(lines), {"reports": data})
