"""What a stock Istiod says of its rules and its clients, in the terms of the admin interface of ours.

Rules are checked by `controlplane`, which refuses what Istio's validation refuses; who has taken them is read
from Istiod's own `/debug/syncz`, and which endpoints it knows from `/debug/endpointShardz`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from controlplane.loader import Loaded, load_directory, merge
from controlplane.objects import Inert, ObjectKey, WorkloadEntry
from controlplane.problems import Problem
from controlplane.registry import Registry
from mesh.admin import Admin
from mesh.objects import Ref

_SHORT = {"listener": "LDS", "route": "RDS", "cluster": "CDS", "endpoint": "EDS"}
_POLL = 0.05
# Istiod waits 100 ms for a directory to come to rest and 100 ms more before it pushes: what has stayed the
# same for longer than both will stay.
_QUIET = 0.4
# So long after a change nobody has been sent anything: nobody is affected.
_NOBODY = 2.0
_NONCE_ID = 36
# So long after Istiod says it is ready, endpoints that are still missing will not come.
_ENDPOINTS_WAIT = 1.0


class IstiodDebug(Admin):
    """What an Istiod tells of its clients, wherever its rules are; a generation is its count of pushes."""

    async def status(self, wait: float = 10.0) -> dict[str, Any]:
        """The clients Istiod knows of."""
        proxies = await self._proxies(wait)
        clients = [_client(proxy) for proxy in proxies]
        known = {"generation": _pushes(proxies), "clients": clients}
        return known | {"objects": [], "errors": [], "warnings": []}

    async def reload(self) -> dict[str, Any]:
        """Istiod watches its rules by itself; this says only whether it is there."""
        return {"generation": _pushes(await self._proxies()), "errors": [], "warnings": []}

    async def sync(self, since: int, timeout: float) -> dict[str, Any]:
        """Wait until Istiod has pushed something newer and has been quiet, everything acknowledged."""
        loop = asyncio.get_running_loop()
        started = quiet_since = loop.time()
        last: object = None
        while True:
            proxies = await self._proxies()
            now = loop.time()
            states = [_types(proxy) for proxy in proxies]
            if states != last:
                last, quiet_since = states, now
            pending = any(each["state"] == "pending" for types in states for each in types.values())
            pushed = _pushes(proxies) > since
            settled = pushed and not pending and now - quiet_since >= _QUIET
            if settled or now - started >= timeout or (not pushed and now - started >= _NOBODY):
                return {
                    "generation": _pushes(proxies),
                    "complete": settled or not pushed,
                    "clients": [_outcome(proxy) for proxy in proxies if _pushes([proxy]) > since],
                }
            await asyncio.sleep(_POLL)

    async def _proxies(self, wait: float = 10.0) -> list[dict[str, Any]]:
        answer: Any = await self._call("GET", "/debug/syncz", wait=wait)
        return list(answer or [])


class IstiodAdmin(IstiodDebug):
    """The admin interface for an Istiod that reads a directory."""

    def __init__(self, url: str, config: Path) -> None:
        super().__init__(url)
        self._config = config

    async def status(self, wait: float = 10.0) -> dict[str, Any]:
        """The objects in the directory and the clients Istiod knows of."""
        known = await super().status(wait)
        loaded = await asyncio.to_thread(load_directory, self._config)
        objects = [
            {"kind": m.kind, "namespace": m.namespace, "name": m.name}
            for m in (thing.meta for thing in loaded.objects)
        ]
        return {**known, "objects": objects, **_problems(loaded)}

    async def validate(self, files: Mapping[str, str], remove: Iterable[Ref] = ()) -> dict[str, Any]:
        """What `controlplane` says to these rules on top of the directory's; nothing is applied."""
        gone = [ObjectKey(ref.kind, ref.namespace, ref.name) for ref in remove]

        def judge() -> Loaded:
            return _without_unchecked(merge(load_directory(self._config).objects, files, gone)[0])

        verdict = await asyncio.to_thread(judge)
        return {"ok": not verdict.errors, **_problems(verdict)}

    async def has_endpoints(self) -> bool:
        """Whether Istiod knows the address of every WorkloadEntry that a ServiceEntry selects."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        loaded = await asyncio.to_thread(load_directory, self._config)
        expected = _selected_addresses(loaded)
        while True:
            shards: Any = await self._call("GET", "/debug/endpointShardz")
            text = json.dumps(shards)
            if all(f'"{address}"' in text for address in expected):
                return True
            if loop.time() - started >= _ENDPOINTS_WAIT:
                return False
            await asyncio.sleep(_POLL)


def _without_unchecked(loaded: Loaded) -> Loaded:
    """Refuses what Istiod reads and nobody here can check: one bad object keeps it from starting."""
    unchecked = [
        Problem(
            thing.meta.file,
            thing.meta.document,
            thing.meta.line,
            "kind",
            f"a {thing.meta.kind} says nothing to these clients, and cannot be checked here;"
            " a wrong one would keep Istiod from starting",
        )
        for thing in loaded.objects
        if isinstance(thing, Inert) and _is_read_by_istiod(thing.api_version.partition("/")[0])
    ]
    return replace(loaded, errors=(*loaded.errors, *unchecked))


def _is_read_by_istiod(group: str) -> bool:
    return group.endswith(".istio.io") or group == "gateway.networking.k8s.io"


def _selected_addresses(loaded: Loaded) -> set[str]:
    workloads = {thing.workload.address for thing in loaded.objects if isinstance(thing, WorkloadEntry)}
    services = Registry(loaded.objects).every_service
    return workloads & {one.workload.address for service in services for one in service.endpoints}


def _types(proxy: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Of each resource type that was sent: the nonce, and whether it was acknowledged."""
    types = {}
    for name, short in _SHORT.items():
        sent, acked = proxy.get(f"{name}_sent") or "", proxy.get(f"{name}_acked") or ""
        if sent:
            types[short] = {"nonce": sent, "state": "acknowledged" if sent == acked else "pending"}
    return types


def _pushes(proxies: Iterable[Mapping[str, Any]]) -> int:
    """The number of the newest push any client was sent: a nonce is `TIME/NUMBER`, then a UUID."""
    nonces = [each["nonce"] for proxy in proxies for each in _types(proxy).values()]
    numbers = [nonce[:-_NONCE_ID].rpartition("/")[2] for nonce in nonces]
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def _client(proxy: Mapping[str, Any]) -> dict[str, Any]:
    # Istiod names a client `POD.NAMESPACE`; the mesh knows it by its node id.
    return {"id": f"sidecar~~{proxy['proxy']}~", "types": _types(proxy)}


def _outcome(proxy: Mapping[str, Any]) -> dict[str, Any]:
    types = _types(proxy)
    done = all(each["state"] == "acknowledged" for each in types.values())
    return {
        "id": _client(proxy)["id"],
        "state": "acknowledged" if done else "pending",
        "message": None,
        "resources": sorted(types),
    }


def _problems(loaded: Loaded) -> dict[str, Any]:
    return {
        "errors": [problem.to_json() for problem in loaded.errors],
        "warnings": [problem.to_json() for problem in loaded.warnings],
    }
