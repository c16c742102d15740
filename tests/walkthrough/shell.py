"""A shell in which the blocks of a page are typed one after the other, as its reader does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from mesh import Mesh
from mesh.status import MeshStatus

ROOT = Path(__file__).parents[2]
_OVER = "\x1eover\x1e"


class Typed(NamedTuple):
    """What was printed, on both streams as a terminal shows them, and which commands failed."""

    printed: str
    failed: str


class Places:
    """Where this mesh is in place of where a reader's is.

    A page says http://localhost:9080, 127.0.0.1:15010 and 127.77.0.x, which `make up` takes unless somebody
    has them. The test's mesh takes what is free, so what is typed and what is printed is put over, both ways.
    """

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = pairs

    @classmethod
    def of(cls, mesh: Mesh, status: MeshStatus) -> Places:
        """Those of a mesh that runs."""
        [first] = [each for each in status.processes if each.name == "reviews/v1"]
        port = mesh.url.rpartition(":")[2]
        return cls(
            ("localhost:9080", f"localhost:{port}"),
            ("127.0.0.1:9080", f"127.0.0.1:{port}"),
            ("127.0.0.1:15010", mesh.xds_address),
            ("127.77.0.", first.address.rpartition(".")[0] + "."),
            (".mesh/", f"{mesh.state.path}/"),
        )

    def typed(self, script: str) -> str:
        for page, here in self._pairs:
            script = script.replace(page, here)
        return script

    def printed(self, text: str) -> str:
        for page, here in self._pairs:
            text = text.replace(here, page)
        return text


class Shell:
    """bash with its standard input in our hands; aliases work as at a prompt."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, places: Places) -> None:
        self._process = process
        self._folder = folder
        self._places = places

    async def type(self, script: str) -> Typed:
        """Run a block in this very shell, and wait until it is through."""
        block = self._folder / ".block.sh"
        block.write_text(self._places.typed(script), encoding="utf-8")
        await self._say(f". ./{block.name} </dev/null; printf '%s%s\\n' '{_OVER}' \"$failed\"; failed=")
        assert self._process.stdout is not None
        printed = ""
        while True:
            line = (await self._process.stdout.readline()).decode()
            assert line, f"the shell ended after: {printed}"
            said, over, failed = line.partition(_OVER)
            printed += said
            if over:
                return Typed(self._places.printed(printed), failed.strip())

    def save(self, name: str, text: str) -> None:
        """Save a file where the commands are typed."""
        (self._folder / name).write_text(self._places.typed(text), encoding="utf-8")

    async def begin(self) -> None:
        """Expand aliases, and note each command that fails; what follows `||` has not failed."""
        await self._say("shopt -s expand_aliases; failed=; trap 'failed=\"$failed $BASH_COMMAND;\"' ERR")

    async def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def shell_beside(mesh: Mesh, folder: Path) -> AsyncIterator[Shell]:
    """A shell in which the addresses of a page lead to this mesh."""
    places = Places.of(mesh, await mesh.status())
    async with shell(folder, places, MESH_STATE=str(mesh.state.path)) as opened:
        yield opened


@asynccontextmanager
async def shell(folder: Path, places: Places, **environ: str) -> AsyncIterator[Shell]:
    """A shell in a checkout of its own; what it started ends with it."""
    checkout(folder)
    process = await asyncio.create_subprocess_exec(
        *("bash", "--noprofile", "--norc"),
        cwd=folder,
        env=os.environ | environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=2**20,
    )
    opened = Shell(process, folder, places)
    try:
        await opened.begin()
        yield opened
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


def checkout(folder: Path) -> None:
    """The working tree in a folder of its own, so that what a page saves does not end up in ours."""
    folder.mkdir(exist_ok=True)
    for entry in ROOT.iterdir():
        if entry.name not in (".venv", ".mesh", ".git"):
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
