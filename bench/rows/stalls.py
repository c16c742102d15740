"""How long the event loop stands still while a big configuration arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import GRPC, OURS, Figure, Reach
from bench.rows.row import Row
from bench.scenes import HEADER, lane
from bench.stage import NODES, Stage, World
from bench.statistics import estimate

MILLI = 1000
CLUSTERS = 50


def stall(
    stage: Stage, world: World, what: str, peers: Sequence[str], reach: float, spec: Any
) -> list[Figure]:
    """The longest stall of each arrival, and how long it took until calls were routed by it."""
    found: dict[str, Mapping[str, list[float]]] = {
        peer: stage.processes.result(
            "bench.clients.arrival",
            {
                **world.spec,
                **spec,
                "peer": peer,
                "node": NODES[peer],
                "before": "v1",
                "idle": 0.2 if stage.scale.quick else 1.0,
            },
            env=world.env,
        )
        for peer in peers
    }
    times = {
        quantity: {peer: estimate([v * MILLI for v in each[quantity]]) for peer, each in found.items()}
        for quantity in ("late", "cpu", "applied", "idle")
    }
    ours = times["idle"][OURS], times["cpu"][OURS]
    said = f"idle loop: {ours[0].value:.1f} ms; longest CPU of the loop's thread: {ours[1].value:.1f} ms"
    rounds = {f"{peer} {quantity}": v for peer, each in found.items() for quantity, v in each.items()}
    return [
        Figure(
            f"longest stall of the event loop while {what} arrive",
            "ms",
            times["late"],
            Reach(reach),
            rounds,
            said,
        ),
        Figure(f"{what}: from the push until they are in force", "ms", times["applied"]),
    ]


def routes(stage: Stage, scene: str, what: str, header: str, template: str, reach: float) -> list[Figure]:
    """Routes that were never there before, each time."""
    count, times = stage.scale.of(10_000, 1_000), stage.scale.of(6, 3)
    arrivals = []
    for salt in "abcdefgh"[:times]:
        value = template.replace("LAST", lane(count - 1, salt)).replace("SALT", salt)
        params = {"count": count, "last": "v3", "salt": salt}
        arrivals.append({"scene": f"only_{scene}", "params": params, "header": (header, value)})
    small = {"scene": "only_one_route", "params": {"version": "v1"}}
    spec = {"arrivals": arrivals, "after": "v3", "small": small}
    world = stage.world("one_route", version="v1")
    return stall(stage, world, f"{count:,} {what}", (OURS, GRPC), reach, spec)


def endpoints(stage: Stage) -> list[Figure]:
    """Endpoints of clusters that routes name and no call has gone to.

    gRPC connects to each endpoint of such clusters, too, which 50,000 descriptors would be needed for.
    """
    each, times = stage.scale.of(1_000, 100), stage.scale.of(6, 3)
    world = stage.world("routes_to", clusters=CLUSTERS)
    port = world.backends["v1"]
    arrivals = [
        {"scene": "big_clusters", "params": {"clusters": CLUSTERS, "each": each, "port": port, "first": i}}
        for i in range(times)
    ]
    small = {"scene": "big_clusters", "params": {"clusters": CLUSTERS, "each": 1, "port": port}}
    return stall(
        stage, world, f"{CLUSTERS * each:,} endpoints", (OURS,), 10, {"arrivals": arrivals, "small": small}
    )


ROWS = (
    Row(
        "stall-lanes",
        "10,000 lanes arrive",
        lambda stage: routes(stage, "lanes", "lanes", "baggage", "user=7,env=LAST", 10),
    ),
    Row("stall-endpoints", "50,000 endpoints arrive", endpoints),
    Row(
        "stall-regexes",
        "10,000 arbitrary regexes arrive",
        lambda stage: routes(stage, "regexes", "regexes", HEADER, "team-rocketSALT/LAST", 50),
    ),
)
