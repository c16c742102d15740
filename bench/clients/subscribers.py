"""`python -m bench.clients.subscribers SPEC`: many clients of a control plane, each with a stream of its own.

They ask for what a client of one service asks for, and acknowledge what they get without reading it, so that
what is measured is the control plane.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from bench.clients.program import Spec, main, settle_garbage
from bench.plane import ADS, TYPES

ROUTES = TYPES[3]


class Subscriber:
    """One client."""

    def __init__(self, number: int, names: dict[str, list[str]]) -> None:
        ip = f"127.2.{number // 250}.{1 + number % 250}"
        self._node = Node(id=f"sidecar~{ip}~client-{number}.default~default.svc.cluster.local")
        self._node.metadata.update(
            {"GENERATOR": "grpc", "NAMESPACE": "default", "INSTANCE_IPS": ip, "LABELS": {"app": "client"}}
        )
        self._names = names
        self.routes = 0
        """How many times it has acknowledged its routes."""
        self.seen: set[str] = set()

    async def run(self, channel: grpc.aio.Channel, told: asyncio.Condition) -> None:
        """Subscribe, and acknowledge whatever comes."""
        open_: Any = channel.stream_stream(
            ADS,
            request_serializer=DiscoveryRequest.SerializeToString,
            response_deserializer=DiscoveryResponse.FromString,
        )
        stream = open_()
        for number, (type_url, names) in enumerate(self._names.items()):
            node = None if number else self._node
            await stream.write(DiscoveryRequest(type_url=type_url, resource_names=names, node=node))
        while (response := await stream.read()) is not grpc.aio.EOF:
            await stream.write(
                DiscoveryRequest(
                    type_url=response.type_url,
                    version_info=response.version_info,
                    response_nonce=response.nonce,
                    resource_names=self._names[response.type_url],
                )
            )
            async with told:
                self.seen.add(response.type_url)
                self.routes += response.type_url == ROUTES
                told.notify_all()


async def measure(spec: Spec) -> list[float]:
    """Seconds from the file's new content to the last acknowledgement, for each change."""
    folder = Path(spec["folder"])
    told = asyncio.Condition()
    subscribers = [Subscriber(i, spec["names"]) for i in range(spec["clients"])]
    found = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        running = []
        for each in subscribers:
            channel = grpc.aio.insecure_channel(
                spec["plane"], options=[("grpc.use_local_subchannel_pool", 1)]
            )
            await stack.enter_async_context(channel)
            running.append(tasks.create_task(each.run(channel, told)))
        async with told:
            await told.wait_for(lambda: all(len(each.seen) == len(spec["names"]) for each in subscribers))
        for content in spec["contents"]:
            settle_garbage()
            await asyncio.sleep(0.2)
            before = [each.routes for each in subscribers]
            draft = folder / ".draft"
            draft.write_text(content)
            began = time.perf_counter()
            draft.rename(folder / spec["file"])
            async with told:
                await told.wait_for(
                    lambda: all(each.routes > n for each, n in zip(subscribers, before, strict=True))  # noqa: B023
                )
            found.append(time.perf_counter() - began)
        for task in running:
            task.cancel()
    return found


if __name__ == "__main__":
    main(measure)
