"""The admin port: health, status, validation without applying, reload, and waiting for the clients."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from controlplane.ads_server import PortError, reason
from controlplane.directory import Directory
from controlplane.loader import merge
from controlplane.objects import Object, ObjectKey, is_effective
from controlplane.registry import Registry
from controlplane.snapshot import Snapshot
from controlplane.state import Client, State
from controlplane.stream import Subscription
from controlplane.sync import wait_for_clients

MAX_TIMEOUT = 600.0
MAX_BODY = 64 * 1024 * 1024


class AdminServer:
    """The HTTP server in front of a State and its Directory."""

    def __init__(self, state: State, directory: Directory) -> None:
        self._state = state
        self._directory = directory
        self.ready = False
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one for 0. Raises PortError."""
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/status", self._status),
                web.get("/sync", self._sync),
                web.post("/validate", self._validate),
                web.post("/reload", self._reload),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        try:
            listener = socket.create_server((host, port))
        except OSError as error:
            raise PortError(f"cannot listen on {host}:{port}: {reason(error)}") from error
        await web.SockSite(self._runner, listener).start()
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        if self.ready:
            return web.Response(text="ok")
        if self._state.sound.is_set():
            return web.Response(status=503, text="starting")
        lines = ["waiting for a sound configuration", *map(str, self._state.errors)]
        return web.Response(status=503, text="\n".join(lines))

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(status(self._state, str(self._directory.path)))

    async def _reload(self, request: web.Request) -> web.Response:
        self._directory.load()
        state = self._state
        return web.json_response({"generation": state.generation, **_problems(state.errors, state.warnings)})

    async def _validate(self, request: web.Request) -> web.Response:
        try:
            files, remove = _validation(json.loads(await request.text()))
        except ValueError as error:
            return _bad(str(error))
        loaded, merged = merge(self._state.objects, files, remove)
        errors = loaded.errors or self._state.inconsistencies(Snapshot(Registry(merged), 0))
        return web.json_response({"ok": not errors, **_problems(errors, loaded.warnings)})

    async def _sync(self, request: web.Request) -> web.Response:
        try:
            since = int(request.query.get("since", "0"))
            timeout = float(request.query.get("timeout", "10"))
        except ValueError:
            return _bad("since must be a whole number and timeout a number of seconds")
        if not 0 <= timeout <= MAX_TIMEOUT:
            return _bad(f"timeout must be between 0 and {MAX_TIMEOUT:g} seconds")
        return web.json_response(await wait_for_clients(self._state, since, timeout))


def status(state: State, config: str) -> dict[str, Any]:
    """All there is to know, as plain data."""
    return {
        "generation": state.generation,
        "config": config,
        **_problems(state.errors, state.warnings),
        "objects": [_object(thing) for thing in sorted(state.objects, key=lambda thing: thing.meta.key)],
        "clients": [
            _client(client, state.snapshot.registry)
            for client in state.clients
            if client.stream.node is not None
        ],
    }


def _problems(errors: Any, warnings: Any) -> dict[str, Any]:
    return {
        "errors": [problem.to_json() for problem in errors],
        "warnings": [problem.to_json() for problem in warnings],
    }


def _object(thing: Object) -> dict[str, Any]:
    meta = thing.meta
    return {
        "kind": meta.kind,
        "namespace": meta.namespace,
        "name": meta.name,
        "file": meta.file,
        "document": meta.document,
        "effective": is_effective(thing),
    }


def _client(client: Client, registry: Registry) -> dict[str, Any]:
    node = client.stream.node
    labels = node and (registry.labels_of(node.addresses, node.namespace) or node.labels)
    return {
        "id": node.id if node else "",
        "address": client.address,
        "connected_at": client.connected_at,
        "labels": dict(labels or {}),
        "types": {short: _subscription(known) for short, known in client.stream.subscriptions.items()},
    }


def _subscription(known: Subscription) -> dict[str, Any]:
    refusal = known.last_refusal
    return {
        "subscribed": sorted(known.names),
        "wildcard": known.wildcard,
        "version_sent": known.version_sent,
        "version_acked": known.version_acked,
        "nonce": known.nonce,
        "last_nack": None
        if refusal is None
        else {"version": refusal.version, "message": refusal.message, "at": refusal.at},
        "state": known.state,
    }


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)


def _validation(body: object) -> tuple[dict[str, str], list[ObjectKey]]:
    """The files and removals of a request; raises ValueError with what is wrong with it."""
    if not isinstance(body, Mapping):
        raise ValueError('the body must be {"files": {…}, "remove": […]}')
    files, remove = body.get("files", {}), body.get("remove", [])
    if not isinstance(files, Mapping) or not all(isinstance(text, str) for text in files.values()):
        raise ValueError("files must be an object of texts")
    if not isinstance(remove, list):
        raise ValueError("remove must be a list")
    keys = []
    for item in remove:
        if not isinstance(item, Mapping) or not item.get("kind") or not item.get("name"):
            raise ValueError("each item of remove needs kind and name")
        keys.append(ObjectKey(str(item["kind"]), str(item.get("namespace") or "default"), str(item["name"])))
    return dict(files), keys
