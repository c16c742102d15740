"""The latency of a call where the routes are 10,000 and the last one matches, against a plain channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.figures import ENVOY, GRPC, OURS, PLAIN, SECOND, Figure, Reach
from bench.rows.calls import MICRO, over_plain, raw, run
from bench.rows.row import Row
from bench.scenes import HEADER, lane
from bench.stage import Stage
from bench.statistics import difference, estimate, ratio
from bench.table import number

FEW = 12
"""Calls of a turn of such peers."""


def latency(
    stage: Stage,
    scene: str,
    what: str,
    headers: dict[str, tuple[str, str]],
    reach: float | None = None,
    *,
    calls: int = 60,
    turns: int = 40,
    slow: Sequence[str] = (GRPC, ENVOY),
) -> list[Figure]:
    """p50 over plain; once for each of `headers`, which are templates of what the calls say.

    Peers of which a call takes milliseconds make fewer of them, so that there is time for more rounds.
    """
    count = stage.scale.of(10_000, 1_000)
    figures = []
    for values, (name, template) in headers.items():
        header = (name, template.replace("LAST", lane(count - 1)).replace("NUMBER", f"{count - 1:05}"))
        spec: dict[str, Any] = {"header": header, "kind": "unary", "at_once": 1}
        params = {"count": count, "last": "v3"}
        rounds = run(
            stage,
            scene,
            (PLAIN, SECOND, OURS, GRPC, ENVOY),
            params,
            **spec,
            calls=stage.scale.of(calls, 10),
            few=stage.scale.of(FEW, 4),
            slow=slow,
            rounds=stage.scale.of(turns, 6),
            warm_up=1,
        )
        title = f"{count:,} {what}{values}: p50 ÷ plain"
        against = over_plain(rounds, "p50", ratio)
        bound = None if reach is None else Reach(reach)
        used = over_plain(rounds, "cpu", difference, per=1 / MICRO)[OURS]
        cpu = f"{number(used.value)} µs ({number(used.low)} … {number(used.high)})"
        plain = estimate(rounds[PLAIN]["p50"]).value * 1000
        said = f"plain: {plain:.2f} ms; client CPU over plain: {OURS} {cpu}"
        figures.append(Figure(title, "", against, bound, raw(rounds, "p50", "wall", "cpu"), said))
    return figures


LANES = {
    ", new values": ("baggage", "user={},env=LAST"),
    ", the same value": ("baggage", "user=7,env=LAST"),
}
EXACT = {"": (HEADER, "LAST")}
REGEX = {
    ", new values": (HEADER, "team-rocket/LAST;{}"),
    ", the same value": (HEADER, "team-rocket/LAST;7"),
}

ROWS = (
    Row(
        "10k-lanes", "lanes as lanes.render renders them", lambda s: latency(s, "lanes", "lanes", LANES, 1.10)
    ),
    Row("10k-headers", "exact headers", lambda s: latency(s, "exact_headers", "exact headers", EXACT, 1.05)),
    Row(
        "10k-regexes",
        "regexes of no form",
        lambda s: latency(s, "regexes", "regexes", REGEX, calls=12, turns=12, slow=()),
    ),
)
