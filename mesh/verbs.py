"""What can be asked of a running mesh, from inside its process or from another shell."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mesh.objects import MeshObject, Ref
from mesh.report import Report, Verdict
from mesh.rulebook import Expected
from mesh.sources import Files
from mesh.status import MeshStatus, ProcessStatus


class RuleVerbs(Protocol):
    """What can be asked of the rules alone, of a mesh on this machine or in a cluster."""

    async def apply_files(
        self, files: Files, timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Put rules in force, given as texts by label; Changed if an object is no more as expected."""

    async def validate_files(self, files: Files) -> Verdict:
        """What would be said to these rules, given as texts by label; nothing is changed."""

    async def delete_refs(
        self, refs: list[Ref], timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Take objects out of force; Changed if an object is no more as expected."""

    async def objects(self) -> list[MeshObject]:
        """Every object in force."""


class Verbs(RuleVerbs, Protocol):
    """`Mesh` does these; `Remote` asks the mesh of another process to do them."""

    async def kill(self, name: str, number: signal.Signals) -> ProcessStatus:
        """Send a process a signal."""

    async def start(self, name: str) -> ProcessStatus:
        """Start a process that has ended."""

    async def admit(self, guest: Mapping[str, Any]) -> ProcessStatus:
        """Start a process of the user's own as an instance; it gets calls when this returns."""

    async def dismiss(self, name: str) -> None:
        """Drain a guest and forget it."""

    async def status(self) -> MeshStatus:
        """What is true of the mesh now."""

    async def environment(self, service: str, version: str) -> dict[str, str]:
        """The environment with which a process of one's own joins."""

    async def request_down(self) -> None:
        """End the mesh."""
