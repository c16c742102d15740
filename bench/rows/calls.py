"""What a call costs over a plain channel: unary, with lanes and metrics, streaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.clients.channels import WITH_LANES
from bench.figures import ENVOY, GRPC, OURS, PLAIN, SECOND, Figure, Reach
from bench.rows.row import Row
from bench.stage import Stage
from bench.statistics import Estimate, difference, estimate, paired

MICRO = 1e6
Rounds = Mapping[str, Mapping[str, Sequence[float]]]
LANES = 3
HEADER = ("baggage", "user=7,env=lane-00002")
"""A call in the last of three lanes."""
QUIET = 0.05
"""Of plain: by so much two plain channels of one run may differ. An interval that goes further shows nothing."""


def run(stage: Stage, scene: str, peers: Sequence[str], params: Mapping[str, Any], **spec: Any) -> Rounds:
    """The rounds of these peers, on a world of their own."""
    world = stage.world(scene, **params)
    sidecar = stage.sidecar(world, scene, **params) if ENVOY in peers else {}
    present = [peer for peer in peers if peer != ENVOY or sidecar]
    whole = {**world.spec, **sidecar, **spec, "peers": present, "seed": stage.seed}
    found: Rounds = stage.processes.result("bench.clients.calls", {"expect": "v3", **whole}, env=world.env)
    return found


def extra(rounds: Rounds, quantity: str = "cpu", ours: str = OURS, per: int = 1) -> dict[str, Estimate]:
    """By how much each peer needs more than the plain channel in the same round, in microseconds."""
    base = [value * MICRO / per for value in rounds[PLAIN][quantity]]
    found = {}
    for peer, each in rounds.items():
        if peer != PLAIN:
            values = [value * MICRO / per for value in each[quantity]]
            found[OURS if peer == ours else peer] = paired(values, base, difference)
    return found


def raw(rounds: Rounds, quantity: str = "cpu") -> dict[str, Sequence[float]]:
    """What the estimates are made from, in seconds."""
    return {peer: each[quantity] for peer, each in rounds.items()}


def remark(rounds: Rounds) -> str:
    """The plain channel, the latency of all, and what the sidecar needs, which no client's CPU shows."""
    base = rounds[PLAIN]["p50"]
    said = [
        f"{peer} {paired(each['p50'], base, lambda a, b: a / b).value:.2f}"
        for peer, each in rounds.items()
        if peer != PLAIN
    ]
    plain = estimate(rounds[PLAIN]["cpu"]).value * MICRO
    text = f"plain: {plain:.0f} µs; p50 ÷ plain: {', '.join(said)}"
    if ENVOY in rounds:
        used = rounds[ENVOY]["envoy"]
        text += f"; Envoy's own CPU {sum(used) / len(used) * MICRO:.0f} µs a call"
    return text


def unary(stage: Stage, at_once: int, ours: str, reach: float) -> list[Figure]:
    """Unary calls."""
    rounds = run(
        stage,
        "lanes",
        (PLAIN, SECOND, ours, GRPC, ENVOY),
        {"count": LANES, "last": "v3"},
        kind="unary",
        header=HEADER,
        at_once=at_once,
        calls=stage.scale.of(160, 64) * (1 if at_once == 1 else 2),
        rounds=stage.scale.of(40, 6),
        warm_up=2,
    )
    how = "" if ours == OURS else ", lane propagation and metrics"
    what = f"client CPU of a unary call over plain, {at_once} in flight{how}"
    return [Figure(what, "µs", extra(rounds, ours=ours), Reach(reach), raw(rounds), remark(rounds))]


def streaming(stage: Stage) -> list[Figure]:
    """Messages of streams; the reach is what the second plain channel differs by, seen sharply enough."""
    figures = []
    for kind, what, messages, calls in (
        ("many", "server streaming", 500, stage.scale.of(4, 2)),
        ("exchange", "bidirectional, one message at a time", stage.scale.of(200, 100), 1),
    ):
        rounds = run(
            stage,
            "lanes",
            (PLAIN, SECOND, OURS, GRPC, ENVOY),
            {"count": LANES, "last": "v3"},
            kind=kind,
            messages=messages,
            header=HEADER,
            at_once=1,
            calls=calls,
            rounds=stage.scale.of(30, 4),
            warm_up=1,
        )
        found = extra(rounds, per=messages)
        plain = estimate(rounds[PLAIN]["cpu"]).value * MICRO / messages
        said = f"plain: {plain:.1f} µs; reach: into the noise, and to no more than {QUIET:.0%} of plain"
        noise = max(abs(found[SECOND].low), abs(found[SECOND].high))
        reach = Reach(round(noise, 2), "within", round(QUIET * plain, 2))
        title = f"{what}: client CPU of a message over plain"
        figures.append(Figure(title, "µs", found, reach, raw(rounds), said))
    return figures


ROWS = (
    Row(
        "unary", "3 lane routes, Istiod's default retry policy, 1 in flight", lambda s: unary(s, 1, OURS, 15)
    ),
    Row("unary-32", "the same, 32 in flight", lambda s: unary(s, 32, OURS, 15)),
    Row("lanes", "lane propagation and metrics on", lambda s: unary(s, 1, WITH_LANES, 40)),
    Row("lanes-32", "the same, 32 in flight", lambda s: unary(s, 32, WITH_LANES, 40)),
    Row("streaming", "cost of a message", streaming),
)
