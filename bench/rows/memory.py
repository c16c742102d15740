"""Memory over a plain channel: of the client itself, of a route, of an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.figures import GRPC, OURS, PLAIN, Figure, Reach
from bench.rows.row import Row
from bench.scenes import lane
from bench.stage import NODES, Stage
from bench.statistics import difference, estimate, paired

MIB, KIB = 1024**2, 1024
CALLS = 50
ENDPOINTS = 1_000
"""Of the cluster that the calls go to; everybody connects to them."""


def used(stage: Stage, peers: tuple[str, ...], scene: str, params: Mapping[str, Any], **spec: Any) -> Any:
    """Bytes by peer, a process each time, in turns."""
    world = stage.world(scene, **params)
    found: dict[str, list[float]] = {peer: [] for peer in peers}
    for _ in range(stage.scale.of(3, 1)):
        for peer in peers:
            whole = {**world.spec, "calls": CALLS, **spec, "peer": peer, "node": NODES.get(peer, "")}
            found[peer].append(stage.processes.result("bench.clients.footprint", whole, env=world.env))
    return found


def memory(stage: Stage) -> list[Figure]:
    """Three figures of one kind, each a difference of processes."""
    lanes, endpoints = stage.scale.of(10_000, 1_000), stage.scale.of(ENDPOINTS, 100)
    both = (OURS, GRPC)
    small = used(stage, (PLAIN, *both), "one_route", {"version": "v3"}, expect="v3")
    many_routes = used(
        stage,
        both,
        "lanes",
        {"count": lanes, "last": "v3"},
        expect="v3",
        header=("baggage", f"env={lane(lanes - 1)}"),
    )
    many_endpoints = used(stage, both, "many_endpoints", {"count": endpoints}, expect="v3")
    fixed = {
        peer: paired([v / MIB for v in small[peer]], [v / MIB for v in small[PLAIN]], difference)
        for peer in both
    }
    rounds = {f"{peer}, one route": v for peer, v in small.items()}
    rounds |= {f"{peer}, {lanes} lanes": v for peer, v in many_routes.items()}
    rounds |= {f"{peer}, {endpoints} endpoints": v for peer, v in many_endpoints.items()}
    said = f"plain: {estimate(small[PLAIN]).value / MIB:.1f} MiB, as USS"
    return [
        Figure("memory over a plain channel, one route", "MiB", fixed, Reach(20), rounds, said),
        Figure("memory of a lane's route", "KiB", {p: _each(many_routes[p], small[p], lanes) for p in both}),
        Figure(
            "memory of an endpoint that is connected to",
            "KiB",
            {p: _each(many_endpoints[p], small[p], endpoints) for p in both},
        ),
    ]


def _each(many: list[float], few: list[float], count: int) -> Any:
    return paired([v / KIB / count for v in many], [v / KIB / count for v in few], difference)


ROWS = (Row("memory", "memory over a plain channel: fixed, a route, an endpoint", memory, is_quick=False),)
