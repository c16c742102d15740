"""How long the event loop stands still while a big configuration arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import GRPC, OURS, Figure, Reach
from bench.rows.row import Row
from bench.scenes import HEADER, lane
from bench.stage import NODES, Stage, World
from bench.statistics import Estimate, estimate

MILLI = 1000
CLUSTERS = 50
FEW, MANY = 3, 1_000
"""Endpoints of a cluster that is called; everybody connects to them."""


Found = Mapping[str, Mapping[str, list[float]]]
"""Seconds by peer and quantity, of each arrival."""


def milliseconds(found: Found) -> dict[str, dict[str, Estimate]]:
    """By quantity and peer."""
    return {
        quantity: {peer: estimate([v * MILLI for v in each[quantity]]) for peer, each in found.items()}
        for quantity in found[OURS]
    }


def raw(found: Found) -> dict[str, Sequence[float]]:
    """What the estimates are made from."""
    return {f"{peer} {quantity}": v for peer, each in found.items() for quantity, v in each.items()}


def remark(times: Mapping[str, Mapping[str, Estimate]], cpu: str = "cpu") -> str:
    """What the machine does to an idle loop, and how much of a stall was work."""
    idle, used = times["idle"][OURS].value, times[cpu][OURS].value
    return f"idle loop: {idle:.1f} ms; longest CPU of the loop's thread: {used:.1f} ms"


def stall(
    stage: Stage, world: World, what: str, peers: Sequence[str], reach: float, spec: Any
) -> list[Figure]:
    """The longest stall of each arrival, and how long it took until calls were routed by it."""
    found: Found = {
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
    times = milliseconds(found)
    return [
        Figure(
            f"longest stall of the event loop while {what} arrive",
            "ms",
            times["late"],
            Reach(reach),
            raw(found),
            remark(times),
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
        arrivals.append({"scene": f"only_{scene}", "params": params, "metadata": [(header, value)]})
    small = {"scene": "only_one_route", "params": {"version": "v1"}}
    spec = {"arrivals": arrivals, "after": "v3", "small": small}
    world = stage.world("one_route", version="v1")
    return stall(stage, world, f"{count:,} {what}", (OURS, GRPC), reach, spec)


def endpoints(stage: Stage) -> list[Figure]:
    """Endpoints of clusters that routes name and no call has gone to; at their end one that is called.

    gRPC connects to each endpoint of such clusters, too, which 50,000 descriptors would be needed for.
    """
    each, times = stage.scale.of(1_000, 100), stage.scale.of(6, 3)
    world = stage.world("routes_to", clusters=CLUSTERS)
    before, after = (
        {"clusters": CLUSTERS, "port": world.backends["v1"], "called": world.backends[version]}
        for version in ("v1", "v2")
    )
    arrivals = [
        {"scene": "big_clusters", "params": {**after, "each": each, "first": i}, "metadata": []}
        for i in range(times)
    ]
    small = {"scene": "big_clusters", "params": {**before, "each": 1}}
    spec = {"arrivals": arrivals, "after": "v2", "small": small}
    what = f"{CLUSTERS * each:,} endpoints of clusters that are not called"
    return stall(stage, world, what, (OURS,), 10, spec)


def called(stage: Stage) -> list[Figure]:
    """Endpoints of the cluster that calls go to: a client connects to each of them."""
    count, times = stage.scale.of(MANY, 100), stage.scale.of(6, 3)
    world = stage.world("many_endpoints", count=FEW)
    few, many = ({"subset": "v3", "port": world.backends[version]} for version in ("v3", "v2"))
    spec = {
        **world.spec,
        "count": count,
        "few": {"scene": "endpoints", "params": {**few, "count": FEW}},
        "many": [
            {"scene": "endpoints", "params": {**many, "count": count, "first": FEW + i * count}}
            for i in range(times)
        ],
        "idle": 0.2 if stage.scale.quick else 0.5,
    }
    found: Found = {
        peer: stage.processes.result(
            "bench.clients.called", {**spec, "peer": peer, "node": NODES[peer]}, env=world.env
        )
        for peer in (OURS, GRPC)
    }
    took = milliseconds(found)
    until = {
        each: ", ".join(f"{peer} {found.value:.0f} ms" for peer, found in took[each].items())
        for each in ("connected", "closed")
    }
    cluster = "of a cluster that is called"
    return [
        Figure(
            f"longest stall of the event loop while the endpoints {cluster} go from {FEW} to {count:,}",
            "ms",
            took["late"],
            Reach(10),
            raw(found),
            f"{remark(took)}; all connected: {until['connected']}",
        ),
        Figure(
            f"{count:,} endpoints {cluster}: from the push to the answer of one of them",
            "ms",
            took["applied"],
        ),
        Figure(
            f"longest stall of the event loop while the endpoints {cluster} go from {count:,} to {FEW}",
            "ms",
            took["late, going"],
            Reach(10),
            {},
            f"{remark(took, 'cpu, going')}; all closed: {until['closed']}",
        ),
    ]


ROWS = (
    Row(
        "stall-lanes",
        "10,000 lanes arrive",
        lambda stage: routes(stage, "lanes", "lanes", "baggage", "user=7,env=LAST", 10),
    ),
    Row("stall-endpoints", "50,000 endpoints of clusters that are not called arrive", endpoints),
    Row("stall-called", "the endpoints of a cluster that is called become 1,000", called),
    Row(
        "stall-regexes",
        "10,000 arbitrary regexes arrive",
        lambda stage: routes(stage, "regexes", "regexes", HEADER, "team-rocketSALT/LAST", 50),
    ),
)
