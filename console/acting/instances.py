"""Processes of the mesh, killed and started."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from console.acting.actions import Done
from console.acting.undo import Process
from mesh.errors import Changed, MeshError, NotFound
from mesh.inventory import FRONT_DOOR
from mesh.status import ALIVE, ProcessStatus
from mesh.verbs import Verbs


class Instances:
    """The processes of a mesh; `clock` counts seconds."""

    def __init__(self, mesh: Verbs, clock: Callable[[], float]) -> None:
        self._mesh = mesh
        self._clock = clock

    async def kill(self, name: str) -> Done:
        """Crash a process; the time is until it has ended and the rules know."""
        before = await self._process(name)
        if before is None:
            raise NotFound(f"There is no process {name[:80]!r} in this mesh.")
        if before.pid == os.getpid():
            raise MeshError("That is this console itself, which could not tell what came of it.")
        if before.name == str(FRONT_DOOR):
            raise MeshError(
                f"{name} is the way to this console, so nobody could start it here; "
                f"`python -m mesh kill {name}` ends it."
            )
        began = self._clock()
        status = await self._mesh.kill(name, signal.SIGKILL)
        return self._done("Kill", status, began, Process(status.name, "start"))

    async def start(self, name: str) -> Done:
        """Start a process; the time is until it serves and its clients know."""
        began = self._clock()
        status = await self._mesh.start(name)
        return self._done("Start", status, began, Process(status.name, "kill", status.pid))

    async def put_back(self, inverse: Process) -> Done:
        """The other way round; Changed where somebody has done it already."""
        there = await self._process(inverse.name)
        alive = there is not None and there.phase in ALIVE
        if inverse.verb == "start":
            if alive:
                raise Changed(f"{inverse.name} has been started meanwhile.")
            return await self.start(inverse.name)
        if there is None or not alive or there.pid != inverse.pid:
            raise Changed(f"{inverse.name} has ended, or was started anew, meanwhile.")
        return await self.kill(inverse.name)

    async def _process(self, name: str) -> ProcessStatus | None:
        processes = (await self._mesh.status()).processes
        return next((each for each in processes if each.name == name), None)

    def _done(self, what: str, status: ProcessStatus, began: float, inverse: Process) -> Done:
        took = (self._clock() - began) * 1000
        line = f"{status.name} is {status.text}"
        return Done(f"{what} {status.name}", True, took, (line,), inverse)
