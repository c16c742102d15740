"""What a call costs over a plain channel: unary, with lanes and metrics, streaming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from bench.clients.channels import WITH_LANES
from bench.figures import ENVOY, GRPC, OURS, PLAIN, SECOND, Figure, Reach
from bench.rows.row import Row
from bench.stage import Stage
from bench.statistics import Estimate, difference, estimate, paired, ratio

MICRO = 1e6
Rounds = Mapping[str, Mapping[str, Sequence[float]]]
LANES = 3
HEADER = ("baggage", "user=7,env=lane-00002")
"""A call in the last of three lanes."""
QUIET = 0.05
"""Of plain: by so much two plain channels of one run may differ, and what is wider has shown nothing."""
TIMES = {"p50": "median latency", "wall": "wall time"}


def run(stage: Stage, scene: str, peers: Sequence[str], params: Mapping[str, Any], **spec: Any) -> Rounds:
    """The rounds of these peers, on a world of their own."""
    world = stage.world(scene, **params)
    sidecar = stage.sidecar(world, scene, **params) if ENVOY in peers else {}
    present = [peer for peer in peers if peer != ENVOY or sidecar]
    whole = {**world.spec, **sidecar, **spec, "peers": present, "seed": stage.seed}
    found: Rounds = stage.processes.result("bench.clients.calls", {"expect": "v3", **whole}, env=world.env)
    return found


def over_plain(
    rounds: Rounds,
    quantity: str,
    relation: Callable[[float, float], float],
    *,
    ours: str = OURS,
    per: float = 1.0,
) -> dict[str, Estimate]:
    """What each peer needs beside what the plain channel does in the same round."""
    base = [value / per for value in rounds[PLAIN][quantity]]
    return {
        OURS if peer == ours else peer: paired([value / per for value in each[quantity]], base, relation)
        for peer, each in rounds.items()
        if peer != PLAIN
    }


def raw(rounds: Rounds, *quantities: str) -> dict[str, Sequence[float]]:
    """What the estimates are made from, in seconds."""
    return {f"{peer} {each}": found[each] for peer, found in rounds.items() for each in quantities}


def cost(
    rounds: Rounds,
    what: str,
    how: str,
    *,
    reach: float | None = None,
    ours: str = OURS,
    messages: int = 1,
    time: str = "wall",
) -> list[Figure]:
    """Client CPU, which is judged, by what is more; beside it the time on the clock, as a ratio."""
    plain = {each: estimate(rounds[PLAIN][each]).value * MICRO / messages for each in ("cpu", time)}
    cpu = over_plain(rounds, "cpu", difference, ours=ours, per=messages / MICRO)
    said = f"plain: {plain['cpu']:.{0 if messages == 1 else 1}f} µs"
    used = {}
    if ENVOY in rounds:
        used = {f"{ENVOY}, its own": rounds[ENVOY]["envoy"]}
        said += f"; Envoy's own CPU {fmean(rounds[ENVOY]['envoy']) * MICRO / messages:.0f} µs"
    if reach is None:
        said += f"; reach: into the noise, and to no more than {QUIET:.0%} of plain"
        noise = max(abs(cpu[SECOND].low), abs(cpu[SECOND].high))
        bound = Reach(round(noise, 2), "within", round(QUIET * plain["cpu"], 2))
    else:
        bound = Reach(reach)
    against = over_plain(rounds, time, ratio, ours=ours)
    return [
        Figure(f"client CPU of {what} over plain{how}", "µs", cpu, bound, raw(rounds, "cpu") | used, said),
        Figure(
            f"{TIMES[time]} of {what} ÷ plain{how}",
            "",
            against,
            None,
            raw(rounds, "p50", "wall"),
            f"plain: {plain[time]:.{0 if messages == 1 else 1}f} µs",
        ),
    ]


def unary(stage: Stage, at_once: int, ours: str, reach: float) -> list[Figure]:
    """Unary calls; many at once wait for each other, so that their p50 would be that of the queue."""
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
    how = f", {at_once} in flight" + ("" if ours == OURS else ", lane propagation and metrics")
    time = "p50" if at_once == 1 else "wall"
    return cost(rounds, "a unary call", how, reach=reach, ours=ours, time=time)


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
        figures += cost(rounds, "a message", f", {what}", messages=messages)
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
