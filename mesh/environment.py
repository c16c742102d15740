"""The environment that makes a process a member of the mesh."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mesh.addresses import Address
from mesh.group import MARK
from mesh.inventory import FRONT_DOOR, NAMESPACE, SERVICES, Instance

# What a user's shell may carry over from a cluster or from `mesh env`, and what would then win over ours.
_FOREIGN = (
    "GRPC_XDS_BOOTSTRAP",
    "GRPC_XDS_BOOTSTRAP_CONFIG",
    "XDS_ADDRESS",
    "INSTANCE_IP",
    "POD_NAME",
    "POD_NAMESPACE",
    "POD_LABELS",
    "SERVICE_VERSION",
    "PORT",
    "TRUST_BAGGAGE",
    "DOOR_RULES",
    "CONSOLE_URL",
    "BIND_IP",
    "ADMIN_PORT",
    "ADMIN_IP",
    "ADMIN_READABLE",
    "LANE_KEY",
    "LANES_LABELLED",
    "LANES_LABELLED_LIMIT",
    "OTEL_SERVICE_NAME",
    *(f"{service.name.upper()}_TARGET" for service in SERVICES),
)


_LOOPBACK = "127.0.0.0/8"
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


def member(instance: Instance, ip: str, xds_address: str) -> dict[str, str]:
    """By what the control plane knows a client: its address, its name, its labels."""
    return {
        "XDS_ADDRESS": xds_address,
        "INSTANCE_IP": ip,
        "POD_NAME": instance.pod,
        "POD_NAMESPACE": NAMESPACE,
        "POD_LABELS": ",".join(f"{key}={value}" for key, value in instance.labels.items()),
    }


def outside_client(instance: Instance, address: Address, xds_address: str) -> dict[str, str]:
    """What a process of the user's own needs to join, as a client and, if it likes, as one more instance."""
    return member(instance, address.ip, xds_address) | {
        "SERVICE_VERSION": instance.version,
        "PORT": str(address.port),
    }


def of_instance(
    instance: Instance,
    address: Address,
    xds_address: str,
    state: str,
    inherited: Mapping[str, str] = os.environ,
    *,
    admin: Address | None = None,
) -> dict[str, str]:
    """The whole environment of an instance's process."""
    own = outside_client(instance, address, xds_address)
    if admin is not None:
        own |= {"ADMIN_IP": admin.ip, "ADMIN_PORT": str(admin.port)}
    if instance.service == FRONT_DOOR.service:
        # In the demo a lane is chosen with a header in the browser or with curl, so the door must believe it.
        own["TRUST_BAGGAGE"] = "true"
    return plain(state, inherited) | own


def past_proxies(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What keeps gRPC from asking the user's proxy for the mesh, which is on addresses no proxy can reach."""
    if not any(inherited.get(name) for name in _PROXIES):
        return {}
    # As gRPC reads them: the first of the two that is set.
    excepted = (inherited.get("no_grpc_proxy") or inherited.get("no_proxy") or "").split(",")
    return {"no_grpc_proxy": ",".join([*filter(None, excepted), *({_LOOPBACK} - {*excepted})])}


def plain(state: str, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every child of the mesh gets."""
    kept = {key: value for key, value in inherited.items() if key not in _FOREIGN}
    # Unbuffered, because a child that is killed would take its last log lines with it.
    return kept | past_proxies(inherited) | {"PYTHONUNBUFFERED": "1", MARK: state}
