"""gRPC's own xDS client in a process of its own, driven by JSON lines.

gRPC reads its bootstrap once a process and keeps one xDS client for all of it, so it lives apart from the
tests. Three orders can come in, one a line. `{"id", "target", "method", "metadata", "n"}`, perhaps with a
"timeout", makes a call n times and is answered by `{"id", "results"}`, a result being "v1" or
"UNAVAILABLE: why". `{"id", "close": target}` closes a channel. `{"id", "csds": true}` asks for the client's
status: a line of JSON for each of its resources. The end of the input ends the process.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any, TypeAlias
from uuid import uuid4

from envoy.admin.v3.config_dump_shared_pb2 import ClientResourceStatus
from envoy.service.status.v3.csds_pb2 import ClientStatusResponse
from grpc import aio
from grpc_csds import ClientStatusDiscoveryServiceServicer

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

TIMEOUT = 20.0
"""Seconds after which a call counts as hanging."""


async def call(channel: aio.Channel, method: str, metadata: Metadata, timeout: float = TIMEOUT) -> str:
    """Make one call; return the name of whoever answered, else `CODE: details`.

    `x-call` tells backends which attempts belong together.
    """
    metadata = (*metadata, ("x-call", uuid4().hex))
    try:
        answer = await channel.unary_unary(method)(b"", metadata=metadata, timeout=timeout)
        return "OK: no message" if answer is None else bytes(answer).decode()
    except aio.AioRpcError as error:
        return f"{error.code().name}: {error.details()}"


async def calls(
    channel: aio.Channel, method: str, metadata: Metadata, n: int, timeout: float = TIMEOUT
) -> list[str]:
    """Make one call `n` times, twenty at once."""
    turns = iter(range(n))
    results: list[str] = []

    async def caller() -> None:
        for _ in turns:
            results.append(await call(channel, method, metadata, timeout))

    await asyncio.gather(*(caller() for _ in range(min(n, 20))))
    return results


def to_json(metadata: Metadata) -> list[list[str]]:
    """Metadata as JSON can say it: the values of `-bin` keys in base64."""
    return [[k, base64.b64encode(v).decode() if isinstance(v, bytes) else v] for k, v in metadata]


def from_json(metadata: list[list[str]]) -> Metadata:
    """What `to_json` was given."""
    return tuple((k, base64.b64decode(v) if k.endswith("-bin") else v) for k, v in metadata)


def resources_of(status: ClientStatusResponse) -> list[str]:
    """What a CSDS answer says of each resource, the times left out."""
    lines = []
    for config in status.config:
        for entry in config.generic_xds_configs:
            said = {
                "type": entry.type_url.rpartition(".")[2],
                "name": entry.name,
                "version": entry.version_info,
                "status": ClientResourceStatus.Name(entry.client_status),
                "config": entry.xds_config.value.hex(),
                "updated": entry.HasField("last_updated"),
                "refused": entry.error_state.version_info,
            }
            lines.append(json.dumps(said))
    return sorted(lines)


async def main() -> None:
    channels: dict[str, aio.Channel] = {}

    async def follow(order: dict[str, Any]) -> None:
        results: list[str] = []
        if "csds" in order:
            results = resources_of(ClientStatusDiscoveryServiceServicer.FetchClientStatus(None, None))
        elif "close" in order:
            await channels.pop(order["close"]).close()
        else:
            target = order["target"]
            channel = channels.get(target)
            if channel is None:
                channel = channels[target] = aio.insecure_channel(target)
            metadata = from_json(order["metadata"])
            results = await calls(
                channel, order["method"], metadata, order["n"], order.get("timeout", TIMEOUT)
            )
        print(json.dumps({"id": order["id"], "results": results}), flush=True)

    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            tasks.create_task(follow(json.loads(line)))
    for channel in channels.values():
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main())
