"""How soon a call follows a change of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.figures import GRPC, OURS, Figure, Reach
from bench.rows.row import Row
from bench.scenes import lane
from bench.stage import NODES, Stage
from bench.statistics import estimate, paired, ratio

MILLI = 1000


def rounds(
    stage: Stage,
    scene: str,
    params: Mapping[str, Any],
    prepared: Mapping[str, tuple[str, Mapping[str, Any]]],
    **spec: Any,
) -> dict[str, list[float]]:
    """Seconds by peer; `prepared` has the changes by the version that answers then."""
    world = stage.world(scene, **params)
    for key, (change, described) in prepared.items():
        world.order("prepare", key=key, scene=change, params=described)
    whole = {**world.spec, **spec, "peers": [OURS, GRPC], "nodes": NODES, "versions": list(prepared)}
    found: dict[str, list[float]] = stage.processes.result(
        "bench.clients.changes", {"seed": stage.seed, **whole}, env=world.env
    )
    return found


def small(stage: Stage, what: str) -> list[Figure]:
    """One route, or one endpoint; as a ratio to gRPC's own, and in milliseconds."""
    changes: dict[str, tuple[str, dict[str, Any]]]
    if what == "route":
        changes = {each: ("only_one_route", {"version": each}) for each in ("v1", "v2")}
    else:
        ports = stage.world("one_route", version="v1").backends
        changes = {each: ("endpoint", {"subset": "v1", "port": ports[each]}) for each in ("v1", "v2")}
    found = rounds(stage, "one_route", {"version": "v1"}, changes, changes=stage.scale.of(200, 20), warm_up=6)
    title = f"one {what} changes → answer of the first call that follows"
    times = {peer: estimate([value * MILLI for value in each]) for peer, each in found.items()}
    against = {OURS: paired(found[OURS], found[GRPC], ratio)}
    return [Figure(f"{title}, ÷ gRPC", "", against, Reach(1.5), found), Figure(title, "ms", times)]


def among_lanes(stage: Stage) -> list[Figure]:
    """10,000 lanes, of which one goes to another version."""
    count = stage.scale.of(10_000, 1_000)
    found = rounds(
        stage,
        "lanes",
        {"count": count, "last": "v2"},
        {each: ("only_lanes", {"count": count, "last": each}) for each in ("v2", "v3")},
        changes=stage.scale.of(12, 6),
        warm_up=1,
        header=("baggage", f"user=7,env={lane(count - 1)}"),
    )
    times = {peer: estimate([value * MILLI for value in each]) for peer, each in found.items()}
    return [
        Figure(f"one of {count:,} lanes changes → answer of the first call", "ms", times, Reach(60), found)
    ]


ROWS = (
    Row("change-route", "a route changes", lambda stage: small(stage, "route")),
    Row("change-endpoint", "an endpoint changes", lambda stage: small(stage, "endpoint")),
    Row("change-lane", "one of 10,000 lanes changes", among_lanes),
)
