"""CDS: clusters with EDS endpoints (gRFC A27)."""

from __future__ import annotations

from typing import Any

from ..errors import ResourceError
from ..resources import Cluster
from .scalars import from_ads
from .support import Notes, check_fields

_EDS = 3


def parse_cluster(message: Any, notes: Notes) -> Cluster:
    """Validate a Cluster: type EDS, endpoints over this stream."""
    check_fields(message, "", notes)
    if message.WhichOneof("cluster_discovery_type") == "cluster_type":
        raise ResourceError("cluster_type", f"{message.cluster_type.name!r} is not supported")
    if message.type != _EDS:
        known = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number
        kind = known[message.type].name if message.type in known else message.type
        raise ResourceError("type", f"{kind} is not supported: only EDS")
    check_fields(message.eds_cluster_config, "eds_cluster_config", notes)
    from_ads(message.eds_cluster_config.eds_config, "eds_cluster_config.eds_config")
    policies = message.DESCRIPTOR.fields_by_name["lb_policy"].enum_type.values_by_number
    if message.lb_policy not in policies:
        raise ResourceError("lb_policy", f"{message.lb_policy} is not a known policy")
    policy = policies[message.lb_policy].name
    if policy != "ROUND_ROBIN":
        notes.add("lb_policy", f"{policy} is not supported yet: round robin is used")
    return Cluster(message.name, message.eds_cluster_config.service_name or message.name, policy)
