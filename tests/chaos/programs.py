"""The processes of the mesh under test: the control plane, and the instances."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.addresses import LOOPBACK, Address
from mesh.environment import member, plain
from mesh.inventory import Instance, Service
from mesh.objects import MeshObject, read_object
from mesh.plane import says_listening
from mesh.workloads import workload_entry

from .book import CHAIN
from .instance import SERVING

START = 120.0
"""Seconds a process may take to serve, on a machine that does other things as well."""
SERVICES = {name: Service(name, "grpc", ("v1", "v2")) for name in CHAIN}


class Program:
    """A process that is started, killed, stopped and started again; what it says goes to a file."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        group: int,
        serves: Callable[[str], bool],
    ) -> None:
        self._argv, self._env, self._log, self._group = argv, env, log, group
        self._serves = serves
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; returns when it serves."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._argv,
            env=self._env,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=self._group,
        )
        serving = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(self._process, serving))
        await asyncio.wait_for(serving, START)

    async def _read(self, process: Process, serving: asyncio.Future[None]) -> None:
        assert process.stdout is not None
        with self._log.open("ab", buffering=0) as log:
            async for line in process.stdout:
                log.write(line)
                if not serving.done() and self._serves(line.decode(errors="replace").rstrip()):
                    serving.set_result(None)
        if not serving.done():
            serving.set_exception(RuntimeError(f"{' '.join(self._argv)} ended before it served: {self._log}"))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal that ends it, and wait for the end."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(number)
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    def memory(self) -> int:
        """Bytes of it that are in memory."""
        return memory_of(self.pid)

    def descriptors(self) -> int:
        """How many files and sockets it holds."""
        return descriptors_of(self.pid)


def descriptors_of(pid: int) -> int:
    """How many files and sockets a process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid: int) -> int:
    """Bytes of a process that are in memory and its own."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


def control_plane(config: Path, xds: Address, admin: int, log: Path, group: int) -> Program:
    """The embedded control plane, on ports that stay the same."""
    argv = ["-m", "controlplane", "--config", str(config), "--host", xds.ip, "--port", str(xds.port)]
    argv += ["--admin-port", str(admin)]
    return Program(argv, plain(str(config)), log, group, says_listening)


@dataclass(eq=False)
class Server:
    """One instance: its process, and by which address the mesh knows it."""

    service: str
    version: str
    name: str
    address: str
    """Where it listens."""
    program: Program = field(repr=False)
    known_as: str
    """Where it is called: its own address, or that of a way to it."""

    @property
    def entry(self) -> MeshObject:
        """How the mesh learns of it."""
        ip, _, port = self.known_as.rpartition(":")
        made = workload_entry(
            Instance(self.service, self.version), SERVICES[self.service], Address(ip, int(port))
        )
        metadata = {**made.document["metadata"], "name": self.name}
        return read_object({**made.document, "metadata": metadata}, self.name)


def server(
    name: str, service: str, version: str, port: int, xds: str, logs: Path, notes: Path | None, group: int
) -> Server:
    """An instance that has not been started; what it notes goes to a file in a folder, where one is given."""
    address = f"{LOOPBACK}:{port}"
    env = plain(str(logs)) | member(Instance(service, version), LOOPBACK, xds) | {"POD_NAME": name}
    argv = ["-m", "tests.chaos.instance", service, version, address]
    argv += [] if notes is None else [str(notes / name)]
    program = Program(argv, env, logs / f"{name}.log", group, SERVING.__eq__)
    return Server(service, version, name, address, program, address)
