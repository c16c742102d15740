"""The mesh of another process, reached through its control socket."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import aiohttp

from mesh.control import error_from
from mesh.errors import MeshError, NotRunning
from mesh.objects import MeshObject, Ref, read_object
from mesh.report import Report, Verdict
from mesh.rulebook import Expected
from mesh.sources import Files
from mesh.state import StateFolder
from mesh.status import MeshStatus, ProcessStatus


class Remote:
    """The verbs of a running mesh as an async context manager; NotRunning when there is none."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(state.running().socket),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def __aenter__(self) -> Remote:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def apply_files(
        self, files: Files, timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Put rules in force, given as texts by label; Changed if an object is no more as expected."""
        body = {"files": dict(files), "timeout": timeout, "expected": _compared(expected)}
        return Report.from_dict(await self._ask("apply", body))

    async def validate_files(self, files: Files) -> Verdict:
        """What would be said to these rules, given as texts by label; nothing is changed."""
        answer = await self._ask("validate", {"files": dict(files)})
        return Verdict(tuple(answer["errors"]), tuple(answer["warnings"]))

    async def delete_refs(
        self, refs: list[Ref], timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Take objects out of force; Changed if an object is no more as expected."""
        body = {
            "refs": [ref.as_dict() for ref in refs],
            "timeout": timeout,
            "expected": _compared(expected),
        }
        return Report.from_dict(await self._ask("delete", body))

    async def objects(self) -> list[MeshObject]:
        """Every object in force."""
        return [read_object(document, "an object") for document in await self._ask("objects")]

    async def kill(self, name: str, number: signal.Signals) -> ProcessStatus:
        """Send a process a signal."""
        return ProcessStatus(**await self._ask("kill", {"name": name, "signal": int(number)}))

    async def start(self, name: str) -> ProcessStatus:
        """Start a process that has ended."""
        return ProcessStatus(**await self._ask("start", {"name": name}))

    async def admit(self, guest: Mapping[str, Any]) -> ProcessStatus:
        """Start a process of the user's own as an instance; it gets calls when this returns."""
        return ProcessStatus(**await self._ask("admit", dict(guest)))

    async def dismiss(self, name: str) -> None:
        """Drain a guest and forget it."""
        await self._ask("dismiss", {"name": name})

    async def status(self) -> MeshStatus:
        """What is true of the mesh now."""
        return MeshStatus.from_dict(await self._ask("status"))

    async def environment(self, service: str, version: str) -> dict[str, str]:
        """The environment with which a process of one's own joins."""
        answer = await self._ask("environment", {"service": service, "version": version})
        return dict(answer)

    async def request_down(self) -> None:
        """End the mesh."""
        await self._ask("down", {})

    async def _ask(self, verb: str, body: dict[str, Any] | None = None) -> Any:
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(method, f"http://mesh/{verb}", json=body) as response:
                if response.status >= 500:
                    raise MeshError(f"The mesh in {self._state} failed at {verb}; its log says more.")
                answer = await response.json()
        except aiohttp.ServerDisconnectedError:
            raise NotRunning(f"The mesh in {self._state} ended meanwhile.") from None
        except aiohttp.ClientConnectionError:
            raise NotRunning(
                f"The mesh in {self._state} does not answer; it is starting or ending."
            ) from None
        if response.status == 409:
            raise error_from(answer)
        return answer


def _compared(expected: Sequence[Expected] | None) -> list[dict[str, Any]]:
    return [{"ref": each.ref.as_dict(), "document": each.document} for each in expected or ()]
