"""A real Envoy as a sidecar: a static configuration made of the resources that the others get by xDS."""

from __future__ import annotations

import json
import shutil
import sysconfig
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from bench.processes import Processes

HOST = "127.0.0.1"
_PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_START = 60.0
"""Seconds that Envoy may take to start; 10,000 regexes are to be compiled."""


def binary() -> str | None:
    """Where Envoy is: among the scripts of this environment, else on the PATH."""
    return shutil.which("envoy", path=sysconfig.get_path("scripts")) or shutil.which("envoy")


@dataclass(frozen=True)
class Sidecar:
    """An Envoy that runs."""

    pid: int
    ports: dict[str, str]
    """The address of each listener, by the listener's name."""


def empty() -> Bootstrap:
    """A bootstrap with an admin port and nothing else."""
    made = Bootstrap()
    made.admin.address.socket_address.address = HOST
    made.admin.address.socket_address.port_value = 0
    return made


def as_static(resources: Sequence[Any]) -> Bootstrap:
    """A bootstrap with these resources in it: routes in their listeners, endpoints in their clusters.

    Each listener gets a port of its own and HTTP/2 as its clients', each cluster HTTP/2.
    """
    routes = {each.name: each for each in resources if isinstance(each, RouteConfiguration)}
    endpoints = {each.cluster_name: each for each in resources if isinstance(each, ClusterLoadAssignment)}
    made = empty()
    for each in resources:
        if isinstance(each, Cluster):
            made.static_resources.clusters.append(static_cluster(each, endpoints[each.name]))
        elif isinstance(each, Listener):
            manager = HttpConnectionManager()
            each.api_listener.api_listener.Unpack(manager)
            routed = routes[manager.rds.route_config_name]
            manager.ClearField("rds")
            manager.route_config.CopyFrom(routed)
            made.static_resources.listeners.append(static_listener(each.name, manager))
    return made


def static_cluster(cluster: Cluster, endpoints: ClusterLoadAssignment, *, http2: bool = True) -> Cluster:
    """A cluster that has its endpoints in it."""
    made = Cluster(name=cluster.name, type=Cluster.STATIC, load_assignment=endpoints)
    protocols = HttpProtocolOptions()
    if http2:
        protocols.explicit_http_config.http2_protocol_options.SetInParent()
    else:
        protocols.explicit_http_config.http_protocol_options.SetInParent()
    made.typed_extension_protocol_options[_PROTOCOLS].Pack(protocols)
    return made


def static_listener(name: str, manager: HttpConnectionManager) -> Listener:
    """A listener on a free port of this machine."""
    made = Listener(name=name)
    made.address.socket_address.address = HOST
    made.address.socket_address.port_value = 0
    chain = made.filter_chains.add().filters.add(name="envoy.filters.network.http_connection_manager")
    chain.typed_config.Pack(manager)
    return made


@contextmanager
def running(processes: Processes, program: str, bootstrap: Bootstrap, folder: Path) -> Iterator[Sidecar]:
    """Envoy, listening; it has one worker, as Istio's sidecar of a small Pod."""
    config, admin = folder / "envoy.pb", folder / "admin"
    folder.mkdir(parents=True, exist_ok=True)
    admin.unlink(missing_ok=True)
    config.write_bytes(bootstrap.SerializeToString())
    argv = [program, "--config-path", str(config), "--admin-address-path", str(admin)]
    argv += ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with processes.running(*argv) as process:
        expected = {each.name for each in bootstrap.static_resources.listeners}
        deadline = time.monotonic() + _START
        while True:
            ports = _ports(admin)
            if expected <= ports.keys():
                break
            if not process.alive or time.monotonic() > deadline:
                raise process.failure("does not listen")
            time.sleep(0.05)
        yield Sidecar(process.pid, ports)


def _ports(admin: Path) -> dict[str, str]:
    """Where Envoy listens, as far as it does."""
    try:
        url = f"http://{admin.read_text()}/listeners?format=json"
        with urllib.request.urlopen(url, timeout=5) as answer:
            statuses = json.load(answer).get("listener_statuses", [])
    except OSError:
        return {}  # it is still starting
    found = {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in statuses}
    return {name: f"{HOST}:{port}" for name, port in found.items() if port}
