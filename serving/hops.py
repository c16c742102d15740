"""Hops as JSON APIs give them. Pure."""

from __future__ import annotations

from typing import Any

from bookinfo_pb.v1 import hop_pb2


def hop_tree(hop: hop_pb2.Hop) -> dict[str, Any]:
    """A hop and all below it, as the API gives it."""
    return {
        "service": hop.service,
        "version": hop.version,
        "instance": hop.instance,
        "lane": hop.lane,
        "calls": [hop_tree(call) for call in hop.calls],
    }
