"""The config dump: what is held, in which version and state."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from .bootstrap import Bootstrap
from .depgraph import ClusterConfig, Config, Failed
from .protocol import AdsMachine
from .resources import Kind
from .targets import ActiveTarget


def config_dump(bootstrap: Bootstrap, machine: AdsMachine, targets: Iterable[ActiveTarget]) -> dict[str, Any]:
    """Return node, stream, resources by type and targets, as JSON-ready dicts."""
    return {
        "node": {"id": bootstrap.node_id, "cluster": bootstrap.cluster, "metadata": dict(bootstrap.metadata)},
        "server": {"address": bootstrap.server, "error": machine.stream_error or None},
        "resources": {
            kind.value: {
                "accepted_version": machine.accepted_version(kind),
                "resources": {
                    name: {
                        "state": held.state.value,
                        "version": held.version or None,
                        "error": held.error or None,
                        "unsupported": list(held.notes),
                        "resource": plain(held.resource),
                    }
                    for name, held in sorted(machine.watched(kind).items())
                },
            }
            for kind in Kind
        },
        "targets": target_states(targets),
    }


def target_states(targets: Iterable[ActiveTarget]) -> dict[str, Any]:
    """Return what is known of each target, by its URI, as JSON-ready dicts."""
    return {active.target.uri: _target(active) for active in targets}


def _target(active: ActiveTarget) -> dict[str, Any]:
    outcome = active.outcome
    if not isinstance(outcome, Config):
        word = "reason" if isinstance(outcome, Failed) else "waiting_for"
        text = outcome.reason if isinstance(outcome, Failed) else outcome.what
        return {"state": "failed" if isinstance(outcome, Failed) else "pending", word: text}
    decided_before = {"decided_before": sorted(outcome.cut_off)} if outcome.cut_off else {}
    return {
        "state": "ready",
        "route_config": outcome.route_config.name,
        "virtual_host": outcome.table.virtual_host.name,
        **decided_before,
        "clusters": {
            name: {
                "status": cluster.picker.status.value,
                "reason": cluster.picker.reason or None,
                "configured": isinstance(cluster.outcome, ClusterConfig),
                "ejected": sorted(cluster.ejected),
                "subchannels": {address: state.value for address, state in sorted(cluster.readiness.items())},
            }
            for name, cluster in sorted(active.clusters.items())
        },
    }


def plain(value: Any) -> Any:
    """A resource as dicts, lists and scalars; fields that are not set are left out."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")  # the body of a direct response; JSON has no bytes
    if isinstance(value, Struct):
        items = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(each) for name, each in items if each is not None and each != ()}
    if isinstance(value, (tuple, frozenset)):
        return [plain(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
    return value
