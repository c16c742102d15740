"""Bookinfo's four services, wired in several ways; those that call nobody are shared by all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import VirtualHost

from bench import envoy
from bench.bookinfo import VERSIONS, Plane, control_plane
from bench.figures import ENVOY, OURS, PLAIN, SECOND
from bench.processes import Process
from bench.scenes import http_manager, make_endpoints, make_route
from bench.stage import Stage
from mesh.environment import member
from mesh.inventory import Instance

LEAVES = ("details", "ratings")
CALLS = {"reviews": ("ratings",), "productpage": ("details", "reviews", "ratings")}
_LOCAL = {"BIND_IP": "127.0.0.1", "PORT": "0", "TRUST_BAGGAGE": "true", "LOG_LEVEL": "INFO"}
HTTP = "productpage"


@dataclass
class Chain:
    """One way of wiring."""

    addresses: dict[str, str]
    """Where each service is to be called."""
    pids: list[int] = field(default_factory=list)


class Chains:
    """All ways at once, each as its own processes; only one of them is called at a time."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self._stage = stage
        self._stack = stack
        self._ways = (OURS, PLAIN, SECOND, *((ENVOY,) if stage.envoy else ()))
        self._plane: Plane | None = None

    def start(self) -> Mapping[str, Chain]:
        """From the leaves upwards, what does not need each other at once."""
        folder = self._stage.folder / "bookinfo"
        self._plane = self._stack.enter_context(control_plane(self._stage.processes, folder, {}))
        leaves = {name: self._service(name, {}) for name in LEAVES}
        chains = {way: Chain({}) for way in self._ways}
        for name, process in leaves.items():
            address = process.event("serving")["address"]
            self._plane.workload(name, address)
            for way, chain in chains.items():
                self._add(way, chain, name, address, process)
        for name in CALLS:
            started = {
                way: self._service(name, self._wiring(way, name, chain)) for way, chain in chains.items()
            }
            for way, process in started.items():
                address = process.event("serving")["address"]
                if way == OURS and name != HTTP:
                    self._plane.workload(name, address)
                self._add(way, chains[way], name, address, process)
        return chains

    def _service(self, name: str, environ: Mapping[str, str]) -> Process:
        env = {**_LOCAL, "SERVICE_VERSION": VERSIONS[name], **environ}
        return self._stack.enter_context(self._stage.processes.program(name, env=env))

    def _wiring(self, way: str, name: str, chain: Chain) -> dict[str, str]:
        if way == OURS:
            assert self._plane is not None
            # The address of the process is in its WorkloadEntry; this one only has to be an IP.
            return member(Instance(name, VERSIONS[name]), "127.0.0.1", self._plane.address)
        targets = {each: chain.addresses[each] for each in CALLS[name]}
        if way == ENVOY:
            sidecar = self._sidecar(f"{name}-out", targets)
            chain.pids.append(sidecar.pid)
            targets = sidecar.ports
        return {f"{each.upper()}_TARGET": address for each, address in targets.items()}

    def _add(self, way: str, chain: Chain, name: str, address: str, process: Process) -> None:
        chain.pids.append(process.pid)
        if way == ENVOY:
            sidecar = self._sidecar(f"{name}-in", {name: address})
            chain.pids.append(sidecar.pid)
            address = sidecar.ports[name]
        chain.addresses[name] = address

    def _sidecar(self, name: str, targets: Mapping[str, str]) -> envoy.Sidecar:
        """An Envoy in front of these addresses.

        A sidecar is one Envoy in both directions; two, with a worker each, do the same work and need not know
        each other's ports before they start.
        """
        assert self._stage.envoy is not None
        made = envoy.empty()
        for target, address in targets.items():
            ip, _, port = address.rpartition(":")
            endpoints = make_endpoints("", int(port), (ip,), target)
            cluster = Cluster(name=endpoints.cluster_name)
            static = envoy.static_cluster(cluster, endpoints, http2=target != HTTP)
            made.static_resources.clusters.append(static)
            manager = http_manager(target)
            host = VirtualHost(name=target, domains=["*"], routes=[make_route("default", "", target)])
            manager.route_config.virtual_hosts.append(host)
            made.static_resources.listeners.append(envoy.static_listener(target, manager))
        folder = self._stage.folder / "sidecars" / name
        running = envoy.running(self._stage.processes, self._stage.envoy, made, folder)
        return self._stack.enter_context(running)


def doors(chains: Mapping[str, Chain]) -> dict[str, Any]:
    """What the load is told of them."""
    return {way: {"address": chain.addresses[HTTP], "pids": chain.pids} for way, chain in chains.items()}
