"""productpage: requests through the whole chain, against the same four services wired directly."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.bookinfo import LANE
from bench.chains import Chains, doors
from bench.figures import ENVOY, PLAIN, Figure, Reach
from bench.rows.row import Row
from bench.stage import Stage
from bench.statistics import estimate, paired, ratio

AT_ONCE = 8
CHAIN = ["details/v1", "productpage/v1", "ratings/v1", "reviews/v2"]
MILLI = 1000


def requests(stage: Stage) -> list[Figure]:
    """Requests a second, and beside it the CPU of all processes of the chain."""
    with ExitStack() as stack:
        chains = Chains(stage, stack).start()
        spec = {
            "doors": doors(chains),
            "at_once": AT_ONCE,
            "headers": {"baggage": f"user=7,env={LANE}"},
            "chain": CHAIN,
            "seconds": 0.4 if stage.scale.quick else 1.5,
            "rounds": stage.scale.of(10, 3),
            "seed": stage.seed,
        }
        rounds: dict[str, dict[str, Sequence[float]]] = stage.processes.result("bench.clients.load", spec)
    plain = rounds[PLAIN]
    rates, cpu = (
        {peer: paired(each[what], plain[what], ratio) for peer, each in rounds.items() if peer != PLAIN}
        for what in ("rate", "cpu")
    )
    said = f"plain: {estimate(plain['rate']).value:.0f} requests/s, {AT_ONCE} at once"
    each = f"plain: {estimate(plain['cpu']).value * MILLI:.1f} ms; with the sidecars' own" * (ENVOY in rounds)
    raw = {peer: each["rate"] for peer, each in rounds.items()}
    used = {peer: each["cpu"] for peer, each in rounds.items()}
    return [
        Figure("productpage: requests/s ÷ wired directly", "", rates, Reach(0.95, "≥"), raw, said),
        Figure("productpage: CPU of a request, all processes ÷ wired directly", "", cpu, None, used, each),
    ]


ROWS = (Row("productpage", "requests/s through the whole chain", requests, is_quick=False),)
