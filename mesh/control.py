"""The control socket: other shells ask the running mesh over a Unix socket in its state folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from mesh.errors import Changed, MeshError, NotFound, Refused
from mesh.objects import Ref
from mesh.rulebook import Expected
from mesh.verbs import Verbs

Body = dict[str, Any]
_KINDS: dict[str, type[MeshError]] = {"refused": Refused, "not-found": NotFound, "changed": Changed}


class ControlServer:
    """Serves the verbs of one mesh as JSON over HTTP; only who may enter the state folder can reach it."""

    def __init__(self, mesh: Verbs, path: Path) -> None:
        self.path = path
        self.pid = os.getpid()
        self._mesh = mesh
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/status", self._status)
        app.router.add_get("/objects", self._objects)
        for name in (
            "apply",
            "validate",
            "delete",
            "kill",
            "start",
            "admit",
            "dismiss",
            "environment",
            "down",
        ):
            app.router.add_post(f"/{name}", self._answer(getattr(self, f"_{name}")))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def open(self) -> None:
        """Listen."""
        await self._runner.setup()
        await web.UnixSite(self._runner, self.path).start()

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        await self._runner.cleanup()
        self.path.unlink(missing_ok=True)

    def _answer(
        self, verb: Callable[[Body], Awaitable[object]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return web.json_response(await verb(await request.json()))
            except MeshError as error:
                return web.json_response(error_body(error), status=409)

        return handle

    async def _status(self, _: web.Request) -> web.Response:
        try:
            return web.json_response((await self._mesh.status()).to_dict())
        except MeshError as error:
            return web.json_response(error_body(error), status=409)

    async def _objects(self, _: web.Request) -> web.Response:
        return web.json_response([item.document for item in await self._mesh.objects()])

    async def _apply(self, body: Body) -> object:
        report = await self._mesh.apply_files(body["files"], float(body["timeout"]), _expected(body))
        return report.to_dict()

    async def _validate(self, body: Body) -> object:
        return asdict(await self._mesh.validate_files(body["files"]))

    async def _delete(self, body: Body) -> object:
        refs = [Ref(**ref) for ref in body["refs"]]
        return (await self._mesh.delete_refs(refs, float(body["timeout"]), _expected(body))).to_dict()

    async def _kill(self, body: Body) -> object:
        return asdict(await self._mesh.kill(body["name"], signal.Signals(body["signal"])))

    async def _start(self, body: Body) -> object:
        return asdict(await self._mesh.start(body["name"]))

    async def _admit(self, body: Body) -> object:
        return asdict(await self._mesh.admit(body))

    async def _dismiss(self, body: Body) -> object:
        await self._mesh.dismiss(body["name"])
        return {}

    async def _environment(self, body: Body) -> object:
        return await self._mesh.environment(body["service"], body["version"])

    async def _down(self, _: Body) -> object:
        await self._mesh.request_down()
        return {}


def _expected(body: Body) -> list[Expected]:
    return [Expected(Ref(**each["ref"]), each["document"]) for each in body.get("expected") or ()]


def error_body(error: MeshError) -> Body:
    """An error as JSON."""
    kind = next((name for name, cls in _KINDS.items() if type(error) is cls), "error")
    return {"kind": kind, "message": error.message, "details": list(error.details)}


def error_from(body: Body) -> MeshError:
    """The reverse of `error_body`."""
    return _KINDS.get(str(body["kind"]), MeshError)(str(body["message"]), body["details"])
