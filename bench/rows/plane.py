"""The embedded control plane: how soon a change has reached everybody."""

from __future__ import annotations

from bench.bookinfo import control_plane, many_workloads, rules
from bench.figures import OURS, Figure, Reach
from bench.plane import TYPES
from bench.rows.row import Row
from bench.scenes import PORT, cluster_name, host
from bench.stage import Stage
from bench.statistics import estimate

SERVICE = "reviews"
CLIENTS = 500


def fan_out(stage: Stage) -> list[Figure]:
    """A file changes; every client has acknowledged the new routes."""
    clients, times = stage.scale.of(CLIENTS, 50), stage.scale.of(20, 4)
    listener, routes = f"{host(SERVICE)}:{PORT}", cluster_name("", SERVICE)
    clusters = [cluster_name(subset, SERVICE) for subset in ("v1", "v2")]
    wanted = ([clusters[0], clusters[1]], clusters, [listener], [routes])
    with control_plane(
        stage.processes, stage.folder / "plane", {"workloads.yaml": many_workloads(20)}
    ) as plane:
        spec = {
            "plane": plane.address,
            "folder": str(plane.folder),
            "file": "rules.yaml",
            "clients": clients,
            "names": dict(zip(TYPES, wanted, strict=True)),
            # The clusters of v1 are there from the first change on: it is not measured.
            "contents": [rules(weight=90 - turn % 2) for turn in range(times + 1)],
        }
        took: list[float] = stage.processes.result("bench.clients.subscribers", spec)[1:]
    title = f"embedded control plane: a file changes → the last of {clients} clients has acknowledged"
    return [Figure(title, "s", {OURS: estimate(took)}, Reach(1), {OURS: took})]


ROWS = (
    Row("control-plane", "a change to 500 clients of the embedded control plane", fan_out, is_quick=False),
)
