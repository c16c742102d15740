"""The control plane's admin interface, as the mesh uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from mesh.errors import MeshError
from mesh.objects import Ref

_CALL_TIMEOUT = 10.0


class ControlPlaneGone(MeshError):
    """The control plane does not answer; its rules are on disk and count again when it is back."""


class Admin:
    """A client of the admin port; every method raises ControlPlaneGone when nobody is there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Drop the connections."""
        await self._session.close()

    async def status(self, wait: float = _CALL_TIMEOUT) -> dict[str, Any]:
        """The generation, the objects loaded and the clients connected; waits at most `wait` seconds."""
        return await self._call("GET", "/status", wait=wait)

    async def validate(self, files: Mapping[str, str], remove: Iterable[Ref] = ()) -> dict[str, Any]:
        """What the control plane would say to these rules on top of what it has; nothing is applied."""
        body = {"files": dict(files), "remove": [ref.as_dict() for ref in remove]}
        return await self._call("POST", "/validate", json=body)

    async def reload(self) -> dict[str, Any]:
        """Read the directory now and not when the file system gets round to telling."""
        return await self._call("POST", "/reload")

    async def sync(self, since: int, timeout: float) -> dict[str, Any]:
        """Who has taken what has changed after this generation; waits up to `timeout` seconds for them."""
        query = {"since": str(since), "timeout": f"{timeout:g}"}
        return await self._call("GET", "/sync", params=query, wait=timeout + _CALL_TIMEOUT)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        wait: float = _CALL_TIMEOUT,
    ) -> dict[str, Any]:
        if self._session.closed:  # whoever shows the status of a mesh may be a moment behind its end
            raise ControlPlaneGone("The control plane has been stopped.")
        limit = aiohttp.ClientTimeout(total=wait)
        try:
            async with self._session.request(
                method, self._url + path, params=params, json=json, timeout=limit
            ) as response:
                if response.status >= 500 or response.content_type != "application/json":
                    text = (await response.text()).strip()
                    raise MeshError(f"The control plane answered {path} with {response.status}: {text[:300]}")
                answer: dict[str, Any] = await response.json()
                return answer
        except TimeoutError:
            raise ControlPlaneGone("The control plane does not answer.") from None
        except aiohttp.ClientError:
            raise ControlPlaneGone("The control plane is not running.") from None


def problem_line(problem: Mapping[str, Any] | str) -> str:
    """An error or warning of the control plane as `FILE:7 (document 2): spec.http[0]: what is wrong`."""
    if isinstance(problem, str):
        return problem
    place = str(problem.get("file") or "")
    if problem.get("line"):
        place += f":{problem['line']}"
    if int(problem.get("document") or 0) > 1:
        place += f" (document {problem['document']})"
    return ": ".join(part for part in (place, problem.get("field"), problem.get("message")) if part)
