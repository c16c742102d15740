"""Real peers for the control plane: an ADS client by hand, gRPC's own client, servers, and the admin port."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import grpc
from envoy.service.discovery.v3 import discovery_pb2

from controlplane.app import ControlPlane
from controlplane.snapshot import SHORT_NAMES, TYPE_URLS

HOST = "reviews.default.svc.cluster.local"
ROUTES = f"outbound|9080||{HOST}"

# gRPC reads its bootstrap from the environment before anything else, so each client is a process of its own.
GRPC_CLIENT = """
import asyncio, json, sys
import grpc

async def main():
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with grpc.aio.insecure_channel("xds:///" + sys.argv[1]) as channel:
        who = channel.unary_unary("/test.Who/Who")
        while line := await reader.readline():
            try:
                metadata = [tuple(pair) for pair in json.loads(line)]
                answer = (await who(b"", metadata=metadata, timeout=20)).decode()
            except grpc.aio.AioRpcError as error:
                answer = error.code().name
            print(answer, flush=True)

asyncio.run(main())
"""


def node(ip: str, labels: dict[str, str]) -> dict[str, Any]:
    """A client's identity as Istio spells it."""
    return {
        "id": f"sidecar~{ip}~me.default~default.svc.cluster.local",
        "metadata": {"GENERATOR": "grpc", "NAMESPACE": "default", "LABELS": labels},
    }


class GrpcClient:
    """gRPC's own xDS client in a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(self, **metadata: str) -> str:
        """Which version answered, or the status the call failed with."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(metadata.items())).encode() + b"\n")
        return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def grpc_client(
    port: int, ip: str = "127.0.9.9", labels: dict[str, str] | None = None
) -> AsyncIterator[GrpcClient]:
    """A client of `reviews` of the control plane at a port."""
    server = {"server_uri": f"127.0.0.1:{port}", "channel_creds": [{"type": "insecure"}]}
    bootstrap = {"xds_servers": [{**server, "server_features": ["xds_v3"]}], "node": node(ip, labels or {})}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GRPC_CLIENT, f"{HOST}:9080",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap), "GRPC_VERBOSITY": "NONE"},
    )  # fmt: skip
    try:
        yield GrpcClient(process)
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def versions(*names: str) -> AsyncIterator[str]:
    """A real server for each version of reviews; gives the YAML of the service and its workloads."""
    documents = [
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: reviews}\n"
        f"spec: {{hosts: [{HOST}], resolution: STATIC, location: MESH_INTERNAL,"
        " ports: [{number: 9080, name: grpc, protocol: GRPC}], workloadSelector: {labels: {app: reviews}}}",
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\n"
        "spec: {host: reviews, subsets: ["
        + ", ".join(f"{{name: {name}, labels: {{version: {name}}}}}" for name in names)
        + "]}",
    ]
    async with AsyncExitStack() as stack:
        for index, name in enumerate(names, start=1):
            server = grpc.aio.server()

            async def who(request: bytes, context: Any, name: str = name) -> bytes:
                return name.encode()

            handlers = {"Who": grpc.unary_unary_rpc_method_handler(who)}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Who", handlers),))
            port = server.add_insecure_port(f"127.0.31.{index}:0")
            await server.start()
            stack.push_async_callback(server.stop, None)
            documents.append(
                "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n"
                f"metadata: {{name: reviews-{name}}}\n"
                f"spec: {{address: 127.0.31.{index}, ports: {{grpc: {port}}},"
                f" labels: {{app: reviews, version: {name}}}}}"
            )
        yield "\n---\n".join(documents) + "\n"


def rule(http: str, name: str = "reviews") -> str:
    """A VirtualService of reviews, its routes in flow style."""
    return (
        "apiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\n"
        f"metadata: {{name: {name}}}\nspec: {{hosts: [reviews], http: [{http}]}}\n"
    )


def to(subset: str, more: str = "") -> str:
    """A route to a subset."""
    return f"{{{more}route: [{{destination: {{host: reviews, subset: {subset}}}}}]}}"


class Ads:
    """An ADS stream by hand."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._first = True

    async def send(
        self,
        short: str,
        names: list[str],
        answer: discovery_pb2.DiscoveryResponse | None = None,
        error: str = "",
        **identity: Any,
    ) -> None:
        """Subscribe, or answer a response: an acknowledgement, or a refusal with its reason."""
        request = discovery_pb2.DiscoveryRequest(type_url=TYPE_URLS[short], resource_names=names)
        if self._first:
            who = identity or node("127.0.9.8", {"app": "raw"})
            request.node.id = who["id"]
            request.node.metadata.update(who.get("metadata", {}))
            self._first = False
        if answer is not None:
            request.response_nonce = answer.nonce
            if error:
                request.error_detail.message = error
            else:
                request.version_info = answer.version_info
        await self._call.write(request)

    async def read(self) -> tuple[str, discovery_pb2.DiscoveryResponse]:
        """The next response, with the short name of its type."""
        response = await self._call.read()
        return SHORT_NAMES[response.type_url], response

    async def subscribe(self, short: str, names: list[str]) -> discovery_pb2.DiscoveryResponse:
        """Ask, and acknowledge the answer."""
        await self.send(short, names)
        got, response = await self.read()
        assert got == short
        await self.send(short, names, response)
        return response


@asynccontextmanager
async def ads(port: int) -> AsyncIterator[Ads]:
    """A stream to the control plane at a port."""
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
            request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
        )()
        try:
            yield Ads(call)
        finally:
            call.cancel()


class Admin:
    """The admin port."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> Any:
        """The JSON of a path."""
        async with self._session.get(self._base + path) as response:
            return await response.json()

    async def post(self, path: str, body: Any = None) -> Any:
        """The JSON of a path, posted to."""
        async with self._session.post(self._base + path, json=body) as response:
            return await response.json()


@asynccontextmanager
async def admin_of(plane: ControlPlane) -> AsyncIterator[Admin]:
    """A client of a control plane's admin port."""
    async with aiohttp.ClientSession() as session:
        yield Admin(session, plane.admin_port)
