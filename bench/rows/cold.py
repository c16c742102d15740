"""How long a process takes to its first call, and what of it is the import."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence

from bench.figures import GRPC, OURS, PLAIN, Figure, Reach
from bench.rows.row import Row
from bench.scenes import target
from bench.stage import Stage
from bench.statistics import estimate, paired, ratio

_IMPORTED = """
import sys
{code}
print(*sorted(name for name in sys.modules if name.endswith(("_pb2", "_pb2_grpc"))))
"""
_TIMED = """
import time
wall, cpu = time.perf_counter(), time.process_time()
{code}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def imports(stage: Stage) -> list[Figure]:
    """`import proxyless`, against grpc.aio with the protos that it imports."""
    with stage.processes.running(sys.executable, "-c", _IMPORTED.format(code="import proxyless")) as process:
        protos = process.output().split()
    codes = {OURS: "import proxyless", "base": "import grpc.aio\n" + "\n".join(f"import {p}" for p in protos)}
    wall: dict[str, list[float]] = {each: [] for each in codes}
    cpu: dict[str, list[float]] = {each: [] for each in codes}
    rng = random.Random(stage.seed)
    for turn in range(stage.scale.of(15, 2) + 1):
        for each in rng.sample(list(codes), len(codes)):
            code = _TIMED.format(code=codes[each])
            with stage.processes.running(sys.executable, "-c", code) as process:
                took, needed = map(float, process.output().split())
            if turn:  # the first one fills the disk cache
                wall[each].append(took)
                cpu[each].append(needed)
    milli = {each: round(estimate(values).value * 1000) for each, values in wall.items()}
    used = paired(cpu[OURS], cpu["base"], ratio).value
    said = f"{milli[OURS]} ms ÷ {milli['base']} ms, {len(protos)} protos; CPU ÷ CPU {used:.2f}"
    found = {OURS: paired(wall[OURS], wall["base"], ratio)}
    return [Figure("import ÷ (grpc.aio and the protos it needs)", "", found, Reach(1.5), wall, said)]


def first_call(stage: Stage) -> list[Figure]:
    """From the start of the process to the answer, both seen from outside."""
    world = stage.world("one_route", version="v1")
    took: dict[str, list[float]] = {OURS: [], GRPC: [], PLAIN: []}
    after: dict[str, list[float]] = {peer: [] for peer in took}
    rng = random.Random(stage.seed)
    for turn in range(stage.scale.of(15, 2) + 1):
        for peer in rng.sample(list(took), len(took)):
            to = {"target": target(), "expect": "v1"}
            if peer == PLAIN:
                to = {"target": world.spec["plain"], "expect": "v3"}
            spec = json.dumps({"peer": peer, "ours": world.spec["ours"], **to})
            began = time.perf_counter()
            with stage.processes.program("bench.clients.cold", spec, env=world.env) as process:
                imported, answered = json.loads(process.output())
            if turn:
                took[peer].append(answered - began)
                after[peer].append(answered - imported)
    found = {OURS: paired(took[OURS], took[GRPC], ratio)}
    said = f"{_milliseconds(took)}; of that after the import: {_milliseconds(after)}"
    rounds = took | {f"{peer}, after the import": each for peer, each in after.items()}
    return [Figure("process start → first answer, ÷ gRPC xDS", "", found, Reach(1.5), rounds, said)]


def _milliseconds(seconds: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(f"{peer} {estimate(each).value * 1000:.0f} ms" for peer, each in seconds.items())


ROWS = (
    Row("import", "what the import costs", imports),
    Row("first-call", "from the start of a process to its first answer", first_call),
)
