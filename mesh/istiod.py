"""A stock Istiod in the control plane's place: how it is started, and what it says of its clients.

It reads the same directory (`--configDir`) and runs without Kubernetes up to its 1.29 line. It has no admin
interface of ours: rules are checked by `controlplane`, which refuses what Istio's validation refuses, and who
has taken them is read from Istiod's own `/debug/syncz`.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from controlplane.loader import Loaded, load_directory, merge
from controlplane.objects import ObjectKey
from mesh.addresses import LOOPBACK
from mesh.admin import Admin
from mesh.errors import MeshError
from mesh.objects import Ref

_SHORT = {"listener": "LDS", "route": "RDS", "cluster": "CDS", "endpoint": "EDS"}
_POLL = 0.05
# Istiod waits 100 ms for a directory to come to rest and 100 ms more before it pushes: what has stayed the
# same for longer than both will stay.
_QUIET = 0.4
# So long after a change nobody has been sent anything: nobody is affected.
_NOBODY = 2.0
_NONCE_ID = 36


def version_of(binary: Path) -> str:
    """The version a pilot-discovery binary gives itself; MeshError if it is none."""
    try:
        said = subprocess.run(
            [str(binary), "version", "--short"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MeshError(f"{binary} is not a pilot-discovery that runs: {error}") from None
    return said.stdout.strip().rpartition(" ")[2] or "of unknown version"


def command(binary: Path, config: Path, xds_port: int, http_port: int) -> list[str]:
    """The command line that runs Istiod on this directory, on loopback and without Kubernetes."""
    return [
        *(str(binary), "discovery", "--registries=", f"--configDir={config}", "--domain=cluster.local"),
        *(f"--grpcAddr={LOOPBACK}:{xds_port}", "--secureGRPCAddr=", f"--httpAddr={LOOPBACK}:{http_port}"),
        *("--httpsAddr=", f"--monitoringAddr={LOOPBACK}:0", "--ctrlz_port=0"),
    ]


ENVIRONMENT = {"POD_NAMESPACE": "istio-system", "ENABLE_CA_SERVER": "false"}


def says_ready(line: str) -> bool:
    """Whether this line of its log says that Istiod serves."""
    return "marking server ready" in line


class IstiodAdmin(Admin):
    """The admin interface for an Istiod; a generation is Istiod's count of pushes."""

    def __init__(self, url: str, config: Path) -> None:
        super().__init__(url)
        self._config = config

    async def status(self, wait: float = 10.0) -> dict[str, Any]:
        """The objects in the directory and the clients Istiod knows of."""
        proxies = await self._proxies(wait)
        loaded = await asyncio.to_thread(load_directory, self._config)
        return {
            "generation": _pushes(proxies),
            "objects": [
                {"kind": m.kind, "namespace": m.namespace, "name": m.name}
                for m in (thing.meta for thing in loaded.objects)
            ],
            "clients": [_client(proxy) for proxy in proxies],
            **_problems(loaded),
        }

    async def validate(self, files: Mapping[str, str], remove: Iterable[Ref] = ()) -> dict[str, Any]:
        """What `controlplane` says to these rules on top of the directory's; nothing is applied."""
        gone = [ObjectKey(ref.kind, ref.namespace, ref.name) for ref in remove]

        def judge() -> Loaded:
            return merge(load_directory(self._config).objects, files, gone)[0]

        verdict = await asyncio.to_thread(judge)
        return {"ok": not verdict.errors, **_problems(verdict)}

    async def reload(self) -> dict[str, Any]:
        """Istiod watches the directory by itself; this says only whether it is there."""
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
