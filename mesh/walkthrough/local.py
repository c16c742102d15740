"""The one-machine mesh as the steps of the walkthrough see it."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesh.environment import past_proxies
from mesh.inventory import NAMESPACE, SERVICE_PORT
from mesh.mesh import Mesh
from mesh.report import Report
from mesh.status import ProcessStatus
from mesh.walkthrough.outcome import Said


class Local:
    """A mesh of this machine; its parts are processes."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def apply(self, *rules: str | Path) -> Report:
        """Put rules in force and hear who has taken them."""
        return await self._mesh.apply(*rules)

    async def kill(self, name: str) -> ProcessStatus:
        """End a process with SIGKILL."""
        return await self._mesh.kill(name)

    async def start(self, name: str) -> ProcessStatus:
        """Start a process that has ended."""
        return await self._mesh.start(name)

    async def explain(self, service: str, arguments: Sequence[str]) -> Said:
        """Run the command that a user would type, as a client of its own."""
        target = f"xds:///{service}.{NAMESPACE}.svc.cluster.local:{SERVICE_PORT}"
        words = ("-m", "proxyless", "explain", target, *arguments)
        environment = await self._mesh.environment("walkthrough", "v1")
        return await run(("python", *words), (sys.executable, *words), past_proxies() | environment)

    async def places(self, service: str) -> Mapping[str, str]:
        """The address of each of a service's processes."""
        processes = (await self._mesh.status()).processes
        return {each.name: each.address for each in processes if each.name.startswith(f"{service}/")}


async def run(shown: Sequence[str], words: Sequence[str], environment: Mapping[str, str]) -> Said:
    """Run a command to its end; `shown` is how it is spelled for a person."""
    process = await asyncio.create_subprocess_exec(
        *words,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return Said(shlex.join(shown), out.decode(), err.decode(), process.returncode or 0)
