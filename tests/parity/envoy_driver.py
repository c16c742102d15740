"""A real Envoy before the same backends, fed with what the tests' control plane has.

Envoy takes no `api_listener`. For each target it gets a listener on a port of its own, with the very
HttpConnectionManager that stands in the api_listener, the same RouteConfiguration by RDS, and of clusters and
endpoints those that the routes lead to. What is added is what Istiod adds for a sidecar: see `as_sidecar`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sysconfig
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.clusters.aggregate.v3.cluster_pb2 import ClusterConfig
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from grpc import aio

from mesh.group import ProcessGroup
from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane, Stream
from tests.parity import grpc_driver
from tests.parity.grpc_driver import Metadata

NODE = "envoy"
HOST = "127.0.0.1"
NOWHERE = f"{HOST}:9"
WILDCARDS = (build.LDS, build.CDS)
"""The types of which Envoy asks for everything there is."""


def binary() -> str | None:
    """Where Envoy is: among the scripts of this environment, else on the PATH."""
    return shutil.which("envoy", path=sysconfig.get_path("scripts")) or shutil.which("envoy")


class SidecarPlane(FakeControlPlane):
    """A control plane that can be asked by wildcard."""

    def _answer(self, stream: Stream, type_url: str) -> None:
        if type_url in WILDCARDS:
            stream.names[type_url] = tuple(self.resources.get(type_url, {}))
        super()._answer(stream, type_url)

    async def answer(self, type_url: str, *names: str) -> str:
        """Wait until Envoy has asked for these names and answered the last response of their type.

        Return why it refuses that, or nothing.
        """
        [stream] = self.streams

        def said() -> list[DiscoveryRequest]:
            return [each for each in stream.requests if each.response_nonce == stream.nonces.get(type_url)]

        wanted = set() if type_url in WILDCARDS else {*names}
        await self.until(lambda: wanted <= {*stream.names.get(type_url, ())} and bool(said()))
        return str(said()[-1].error_detail.message)


def bootstrap(control_plane: str) -> dict[str, Any]:
    """Envoy's own bootstrap: everything by ADS, the admin port wherever one is free."""
    host, _, port = control_plane.rpartition(":")
    endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
    ads = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": NODE, "cluster": NODE},
        "admin": {"address": {"socket_address": {"address": HOST, "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ads"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "ads",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "ads",
                        "endpoints": [{"lb_endpoints": [endpoint]}],
                    },
                    "typed_extension_protocol_options": {PROTOCOLS: {"@type": _url(_HTTP2), **_JSON_HTTP2}},
                }
            ]
        },
    }


PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_HTTP2 = HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}})
HTTP1: Final = HttpProtocolOptions(explicit_http_config={"http_protocol_options": {}})
"""What a cluster is told that speaks HTTP/1.1, as by Istiod."""
_JSON_HTTP2: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}


def _url(message: Any) -> str:
    return build.type_url(message)


def as_sidecar(message: Any) -> Any:
    """A resource as Envoy has to be told it.

    That is HTTP/2 to clusters that say nothing of it, that an aggregate balances by itself, and the version
    of xDS to ask ADS for.
    """
    made = type(message)()
    made.CopyFrom(message)
    if isinstance(made, Cluster):
        if PROTOCOLS not in made.typed_extension_protocol_options:
            made.typed_extension_protocol_options[PROTOCOLS].Pack(_HTTP2)
        if made.HasField("cluster_type"):
            made.lb_policy = Cluster.CLUSTER_PROVIDED
        if made.HasField("eds_cluster_config"):
            made.eds_cluster_config.eds_config.resource_api_version = ApiVersion.V3
    if isinstance(made, Listener):
        manager = manager_of(made)
        manager.stat_prefix = manager.stat_prefix or "parity"
        if manager.HasField("rds"):
            manager.rds.config_source.resource_api_version = ApiVersion.V3
        made = Listener(name=made.name)
        made.address.socket_address.address = HOST
        made.address.socket_address.port_value = 0
        network_filter = made.filter_chains.add().filters.add(
            name="envoy.filters.network.http_connection_manager"
        )
        network_filter.typed_config.Pack(manager)
    return made


def manager_of(listener: Listener) -> HttpConnectionManager:
    """The HttpConnectionManager of an api_listener."""
    manager = HttpConnectionManager()
    listener.api_listener.api_listener.Unpack(manager)
    return manager


def led_to(routes: RouteConfiguration, clusters: dict[str, Cluster]) -> Iterator[str]:
    """The clusters that routes lead to, those behind aggregates included."""
    found: list[str] = []
    for host in routes.virtual_hosts:
        for each in host.routes:
            found += [each.route.cluster, *(one.name for one in each.route.weighted_clusters.clusters)]
            found += [one.cluster for one in each.route.request_mirror_policies]
    seen: set[str] = set()
    while found:
        name = found.pop(0)
        if name in clusters and name not in seen:
            seen.add(name)
            yield name
            config = ClusterConfig()
            if clusters[name].cluster_type.typed_config.Unpack(config):
                found += config.clusters


@dataclass
class Envoy:
    """A client of what `plane` has, whose calls go through Envoy."""

    plane: FakeControlPlane
    served: SidecarPlane
    admin: str
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process
    node: str = NODE
    channels: dict[str, aio.Channel] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    resources: dict[str, list[Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Why Envoy refused the resources of a target."""

    async def call(self, target: str, method: str, metadata: Metadata, n: int = 1) -> list[str]:
        channel = await self.channel(target)
        if target in self.refused:
            return [f"UNAVAILABLE: {self.refused[target]}"] * n
        return await grpc_driver.calls(channel, method, metadata, n)

    async def channel(self, target: str) -> aio.Channel:
        """A channel through Envoy, which leads nowhere if Envoy has refused the target's resources."""
        if target not in self.channels:
            address = await self.address(target)
            options = [("grpc.default_authority", target.removeprefix("xds:///"))]
            self.channels[target] = aio.insecure_channel(address, options=options)
        return self.channels[target]

    async def address(self, target: str) -> str:
        """Where Envoy listens for the target, or nowhere if it has refused the target's resources."""
        if target not in self.addresses:
            self.addresses[target] = await self._open(target)
        return self.addresses[target]

    async def close(self, target: str) -> None:
        if target in self.channels:
            await self.channels.pop(target).close()
        self.addresses.pop(target)
        self.refused.pop(target, None)
        self.served.remove(*self.resources.pop(target))

    def refusals(self, plane: FakeControlPlane, resource: str) -> list[str]:
        why = self.refused.get(f"xds:///{resource}")
        return [] if why is None else [why]

    async def _open(self, target: str) -> str:
        """Have Envoy take what the target needs; return where it listens, or nowhere."""
        name = target.removeprefix("xds:///")
        held = self.plane.resources
        listener = held[build.LDS][name]
        routes = held[build.RDS][name]
        clusters = [held[build.CDS][each] for each in led_to(routes, held[build.CDS])]
        endpoints = [held[build.EDS][each.name] for each in clusters if each.name in held[build.EDS]]
        behind = [as_sidecar(each) for each in (*clusters, *endpoints)]
        mine = self.resources[target] = []
        # Clusters first, as in any ADS: a route to a cluster that is still warming has nowhere to go.
        for messages in (behind, [as_sidecar(listener), routes]):
            mine += messages
            self.served.set(*messages)
            for type_url in dict.fromkeys(build.type_url(each) for each in messages):
                names = [build.name_of(each) for each in messages if build.type_url(each) == type_url]
                if refusal := await self.served.answer(type_url, *names):
                    self.refused[target] = refusal
                    return NOWHERE
        return await self._address(name)

    async def _address(self, listener: str) -> str:
        async with self.session.get(f"http://{self.admin}/listeners?format=json") as answer:
            for each in (await answer.json())["listener_statuses"]:
                if each["name"] == listener:
                    return f"{HOST}:{each['local_address']['socket_address']['port_value']}"
        raise AssertionError(f"Envoy has no listener {listener}")


@asynccontextmanager
async def running(program: str, plane: FakeControlPlane, folder: Path) -> AsyncIterator[Envoy]:
    """Envoy, connected and idle. However the tests end, it ends with them (`mesh.group`)."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(SidecarPlane())
        group = ProcessGroup(folder)
        stack.callback(group.close)
        process = await asyncio.create_subprocess_exec(
            *(program, "--config-yaml", json.dumps(bootstrap(served.address))),
            *("--admin-address-path", str(folder / "admin"), "--concurrency", "1"),
            *("--disable-hot-restart", "--drain-time-s", "0", "--log-level", "error"),
            process_group=group.id,
            stdin=asyncio.subprocess.DEVNULL,
        )
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        await served.until(lambda: any(build.LDS in each.nonces for each in served.streams))
        await served.answer(build.LDS)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Envoy(plane, served, (folder / "admin").read_text(), session, process)
