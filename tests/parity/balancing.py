"""The table of clusters: what stands behind the routes, and where both clients must send the calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.extensions.clusters.aggregate.v3.cluster_pb2 import ClusterConfig
from envoy.extensions.load_balancing_policies.maglev.v3 import maglev_pb2  # noqa: F401 - for Any in JSON
from google.protobuf.json_format import ParseDict

from tests.fakes import resources as build
from tests.parity.cases import REFUSED, UNAVAILABLE, Case, act, share

Addresses: TypeAlias = Mapping[str, str]
"""Where each backend listens."""
Make: TypeAlias = Callable[[str, Addresses], Sequence[Any]]
"""The clusters and endpoints of a row, the first of them under the name given."""

_POLICIES: Final = "type.googleapis.com/envoy.extensions.load_balancing_policies"
HASHED: Final = {"hash_policy": [{"header": {"header_name": "user"}}]}


def of(*backends: str, assignment: Mapping[str, Any] | None = None, **fields: Any) -> Make:
    """A cluster of these backends, with these fields, and these of its assignment."""

    def make(name: str, at: Addresses) -> Sequence[Any]:
        endpoints = build.endpoints(name, *(at[each] for each in backends))
        return [build.cluster(name, **fields), ParseDict(dict(assignment or {}), endpoints)]

    return make


def policies(*each: Mapping[str, Any]) -> dict[str, Any]:
    """A `load_balancing_policy` of these."""
    return {
        "load_balancing_policy": {
            "policies": [{"typed_extension_config": {"name": "p", "typed_config": one}} for one in each]
        }
    }


def policy(name: str, **fields: Any) -> dict[str, Any]:
    """One policy of Envoy's extensions, as `round_robin.v3.RoundRobin`."""
    return {"@type": f"{_POLICIES}.{name}", **fields}


def localities(*each: tuple[str, int, int], **fields: Any) -> Make:
    """A cluster of localities of one backend each: backend, weight, priority."""

    def make(name: str, at: Addresses) -> Sequence[Any]:
        assignment = build.endpoints(name)
        for backend, weight, priority in each:
            build.add_locality(assignment, [at[backend]], zone=backend, weight=weight, priority=priority)
        return [build.cluster(name, **fields), assignment]

    return make


def aggregate(*parts: str, **more: Make) -> Make:
    """An aggregate of `parts`, of which `more` are made; the others may be there already, or nowhere."""

    def make(name: str, at: Addresses) -> Sequence[Any]:
        made = Cluster(name=name)
        made.cluster_type.name = "envoy.clusters.aggregate"
        names = [f"{name}-{part}" if part in more else part for part in parts]
        made.cluster_type.typed_config.Pack(ClusterConfig(clusters=names))
        return [made, *(each for part, made in more.items() for each in made(f"{name}-{part}", at))]

    return make


def dns(host: str, backend: str, **socket: Any) -> Make:
    """A LOGICAL_DNS cluster: the port of a backend at a host name."""

    def make(name: str, at: Addresses) -> Sequence[Any]:
        address = {"address": host, "port_value": int(at[backend].rpartition(":")[2]), **socket}
        endpoint = {"endpoint": {"address": {"socket_address": address}}}
        made = {
            "name": name,
            "type": "LOGICAL_DNS",
            "dns_lookup_family": "V4_ONLY",
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        }
        return [ParseDict(made, Cluster())]

    return make


def limit(requests: int) -> dict[str, Any]:
    return {"circuit_breakers": {"thresholds": [{"max_requests": requests}]}}


def drop(*percents: int) -> dict[str, Any]:
    """An assignment whose calls are to be dropped so often."""
    each = [{"category": f"c{i}", "drop_percentage": share(percent)} for i, percent in enumerate(percents)]
    return {"policy": {"drop_overloads": each}}


def row(
    name: str,
    make: Make,
    expected: Any,
    grpc: Any = None,
    why: str = "",
    envoy: Any = None,
    **action: Any,
) -> tuple[Case, Make]:
    """A row: what stands behind the route, and where its calls go."""
    listener = f"{name.replace(' ', '-').replace(',', '')}.balancing:9080"
    case = Case(
        name,
        [act(route={"cluster": f"of {listener}", **action})],
        [("user", "jane")],
        expected,
        grpc,
        why,
        envoy,
        listener=listener,
    )
    return case, make


HALF: Final = {"v1": 0.5, "v2": 0.5}
THIRDS: Final = {"v1": 1 / 3, "v2": 1 / 3, "v3": 1 / 3}

ROWS: tuple[tuple[Case, Make], ...] = (
    row("round robin", of("v1", "v2", "v3"), THIRDS),
    row("least request", of("v1", "v2", lb_policy="LEAST_REQUEST"), HALF, REFUSED, "gRPC's core has none"),
    row("random", of("v1", "v2", lb_policy="RANDOM"), HALF, REFUSED, "gRPC has none"),
    row("one of one", of("v1"), "v1"),
    row("newer round robin", of("v1", "v2", **policies(policy("round_robin.v3.RoundRobin"))), HALF),
    row(
        "newer pick first",
        of("v1", "v2", **policies(policy("pick_first.v3.PickFirst"))),
        "v1",
        envoy=REFUSED,
        why="gRPC has it (gRFC A62); this Envoy does not",
    ),
    row(
        "newer goes before older",
        of("v1", "v2", lb_policy="RING_HASH", **policies(policy("round_robin.v3.RoundRobin"))),
        HALF,
        **HASHED,
    ),
    row(
        "the first policy that is supported",
        of("v1", "v2", **policies(policy("maglev.v3.Maglev"), policy("round_robin.v3.RoundRobin"))),
        HALF,
    ),
    row(
        "localities by weight",
        localities(("v1", 3, 0), ("v2", 1, 0)),
        {"v1": 0.75, "v2": 0.25},
        envoy=HALF,
        why="Envoy weighs localities only where common_lb_config says so; gRPC always (gRFC A27)",
    ),
    row(
        "localities by weight, as Envoy wants to be told",
        localities(("v1", 3, 0), ("v2", 1, 0), common_lb_config={"locality_weighted_lb_config": {}}),
        {"v1": 0.75, "v2": 0.25},
    ),
    row(
        "localities by weight in the newer way",
        localities(
            ("v1", 3, 0),
            ("v2", 1, 0),
            **policies(
                policy(
                    "wrr_locality.v3.WrrLocality",
                    endpoint_picking_policy=policies(policy("round_robin.v3.RoundRobin"))[
                        "load_balancing_policy"
                    ],
                )
            ),
        ),
        {"v1": 0.75, "v2": 0.25},
        envoy=REFUSED,
        why="Envoy has it for weights that clients measure only; gRPC for every policy (gRFC A52)",
    ),
    row(
        "localities that a bare policy does not see",
        localities(("v1", 3, 0), ("v2", 1, 0), **policies(policy("round_robin.v3.RoundRobin"))),
        HALF,
    ),
    row("priorities", localities(("v1", 1, 0), ("v2", 1, 1)), "v1"),
    row("all dropped", of("v1", assignment=drop(100)), UNAVAILABLE),
    row("a quarter dropped", of("v1", assignment=drop(25)), {"v1": 0.75, "UNAVAILABLE": 0.25}),
    row(
        "two kinds of drops",
        of("v1", assignment=drop(50, 50)),
        {"v1": 0.25, "UNAVAILABLE": 0.75},
        envoy=REFUSED,
        why="Envoy takes one category; gRPC drops for each in turn (gRFC A27)",
    ),
    row("no drops", of("v1", assignment=drop(0)), "v1"),
    row("a circuit that is always open", of("v1", **limit(0)), UNAVAILABLE),
    row("a circuit that is wide enough", of("v1", **limit(20)), "v1"),
    row("a cluster without endpoints", of(), UNAVAILABLE),
    row("an aggregate of one", aggregate("v2"), "v2"),
    row("an aggregate whose first serves", aggregate("v2", "v1"), "v2"),
    row("an aggregate whose first is empty", aggregate("empty", "v3", empty=of()), "v3"),
    row(
        "an aggregate of aggregates",
        aggregate("inner", "v1", inner=aggregate("none", "v2", none=of())),
        "v2",
        envoy="v1",
        why="Envoy sees no endpoint in an inner aggregate; gRPC looks into it (gRFC A37)",
    ),
    row("a host name", dns("localhost", "v1"), "v1"),
    row(
        "an aggregate that ends with a host name", aggregate("a", "b", a=of(), b=dns("localhost", "v3")), "v3"
    ),
)
"""Each a case of the routing table's kind, and what makes its clusters."""
