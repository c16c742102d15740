"""The `lanes` command, as somebody types it in a shell."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from mesh import Mesh
from mesh.objects import MeshObject


class Answer(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """The command in a folder, with these variables set."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = variables

    async def spawn(self, *words: str, stdin: str | None = None) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lanes", *words),
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write((stdin or "").encode())
        process.stdin.close()
        return process

    async def __call__(self, *words: str, stdin: str | None = None) -> Answer:
        process = await self.spawn(*words, stdin=stdin)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    async def ok(self, *words: str, stdin: str | None = None) -> str:
        answer = await self(*words, stdin=stdin)
        assert answer.code == 0, answer
        return answer.out

    async def json(self, *words: str) -> Any:
        return json.loads(await self.ok(*words, "-o", "json"))


class Lanes(Command):
    """The command against a mesh on this machine."""

    def __init__(self, mesh: Mesh, folder: Path) -> None:
        super().__init__(folder, MESH_STATE=str(mesh.state.path))
        self.mesh = mesh


async def rules(mesh: Mesh) -> dict[str, str]:
    """Every rule in force, byte for byte."""
    return {str(item.ref): item.to_yaml() for item in await mesh.objects() if is_rule(item)}


def is_rule(item: MeshObject) -> bool:
    return item.ref.kind in ("VirtualService", "DestinationRule")


def no_traceback(answer: Answer) -> None:
    assert "Traceback" not in answer.err
    assert answer.err.strip()
