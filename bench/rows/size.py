"""How large a mesh may be: 80,000 routes in a response; a thousand services in one client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import GRPC, OURS, Figure, Reach
from bench.rows.row import Row
from bench.scenes import PER_CLUSTER, SUBSETS
from bench.stage import NODES, Stage
from bench.statistics import Estimate, estimate

MILLI = 1000
PATIENCE = 60.0
"""Seconds after which a call counts as never answered."""


def big_response(stage: Stage) -> list[Figure]:
    """80,000 routes in one response: from nothing to the first answer, by the last of them."""
    count = stage.scale.of(80_000, 8_000)
    world = stage.world("paths", count=count, last="v3")
    results: dict[str, list[dict[str, Any]]] = {OURS: [], GRPC: []}
    for peer, answers in results.items():
        timeout = PATIENCE if peer == OURS else stage.scale.of(20, 10)
        for _ in range(stage.scale.of(5, 1) if peer == OURS else 1):
            spec = {**world.spec, "peer": peer, "node": NODES[peer], "timeout": timeout, "expect": "v3"}
            answers.append(stage.processes.result("bench.clients.reach", spec, env=world.env))
    size = max(world.held.values())
    what = f"{count:,} routes in a response of {size / 1e6:.1f} MB: from nothing to the first answer"
    return [first_answer(what, results)]


def first_answer(what: str, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """How long it took, of those whose every call was answered; why not, of the others."""
    found: dict[str, Estimate] = {}
    said = []
    for peer, answers in results.items():
        if failed := next((each["failed"] for each in answers if each["failed"]), ""):
            worst = max(each["seconds"] for each in answers)
            said.append(
                f"{peer}: fails after {worst:.1f} s, {answers[-1]['streams']} streams; {failed[:150]}"
            )
        else:
            found[peer] = estimate([each["seconds"] for each in answers])
    rounds = {peer: [each["seconds"] for each in answers] for peer, answers in results.items()}
    return Figure(what, "s", found, Reach(sign="works"), rounds, "; ".join(said))


def whole_mesh(stage: Stage) -> list[Figure]:
    """1,000 services, each with a channel; then an endpoint of one of them.

    gRPC has 100 of them: it connects to every endpoint, and 50,000 are more than a process may have open.
    """
    count, fewer = stage.scale.of(1_000, 50), stage.scale.of(100, 10)
    applied: dict[str, list[float]] = {}
    changed: dict[str, list[float]] = {}
    for _ in range(stage.scale.of(3, 1)):
        result = _one_mesh(stage, OURS, count)
        applied.setdefault(OURS, []).append(result["applied"])
        changed.setdefault(OURS, []).extend(result["changed"])
    grpc = _one_mesh(stage, GRPC, fewer)
    said = f"{GRPC} with {fewer} of the services: {grpc['applied']:.2f} s, {grpc['streams']} streams"
    sizes = f"{count:,} services, {count * SUBSETS:,} clusters, {count * SUBSETS * PER_CLUSTER:,} endpoints"
    whole = {peer: estimate(each) for peer, each in applied.items()}
    ones = {peer: estimate([value * MILLI for value in each]) for peer, each in changed.items()}
    one = f"{GRPC} with {fewer} of the services: {estimate(grpc['changed']).value * MILLI:.1f} ms"
    return [
        Figure(f"{sizes}: from nothing to all in force", "s", whole, Reach(3), applied, said),
        Figure(
            f"{sizes}: an endpoint changes → answer of the first call", "ms", ones, Reach(10), changed, one
        ),
    ]


def _one_mesh(stage: Stage, peer: str, count: int) -> dict[str, Any]:
    world = stage.world("one_route", version="v1")
    ports = dict(world.backends)
    world.order("serve", scene="services", params={"count": count, "port": ports["v1"]})
    spec = {**world.spec, "peer": peer, "node": NODES[peer], "count": count, "ports": ports}
    spec |= {"timeout": PATIENCE, "changes": stage.scale.of(40, 10)}
    found: dict[str, Any] = stage.processes.result("bench.clients.size", spec, env=world.env)
    return found


ROWS = (
    Row("80k-routes", "80,000 routes in one response", big_response, is_quick=False),
    Row("1k-services", "1,000 services in one client", whole_mesh, is_quick=False),
)
