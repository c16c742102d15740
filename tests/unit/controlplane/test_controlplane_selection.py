"""Which rule is in force for which client."""

from __future__ import annotations

from typing import Any

from controlplane.node import Node
from tests.unit.controlplane.served import HOST, ROUTES, get, node, one_match, routes, virtual_service


def test_who_the_client_is_decides_its_routes(world: Any) -> None:
    text = virtual_service(
        """
- match: [{sourceLabels: {app: one}}]
  route: [{destination: {host: reviews, subset: v1}}]
- match: [{sourceNamespace: other}]
  route: [{destination: {host: reviews, subset: v2}}]
"""
    )
    snapshot = world(text)

    def cluster(client: Node) -> str:
        (route,) = routes(snapshot, client)
        return str(route["route"]["cluster"])

    assert cluster(node(labels={"app": "one", "x": "y"})) == f"outbound|9080|v1|{HOST}"
    assert cluster(node("other")) == f"outbound|9080|v2|{HOST}"
    # No rule has a route for this one, so that it is as if there were none.
    assert cluster(node(labels={"app": "two"})) == f"outbound|9080||{HOST}"


def test_labels_come_from_the_workload_at_the_client_s_address(world: Any) -> None:
    text = virtual_service(
        """
- match: [{sourceLabels: {version: v1}}]
  route: [{destination: {host: reviews, subset: v1}}]
- route: [{destination: {host: reviews, subset: v2}}]
"""
    )
    first, *_ = routes(world(text), node(labels={"version": "v7"}, ip="127.0.1.1"))
    assert first["route"]["cluster"] == f"outbound|9080|v1|{HOST}"


def test_a_match_on_another_port_is_left_out(world: Any) -> None:
    text = one_match("{port: 80}")
    (route,) = routes(world(text))
    assert route["name"] == "default"


def test_the_oldest_rule_of_a_host_decides(world: Any) -> None:
    def rule(name: str, created: str, subset: str) -> str:
        text = virtual_service(f"- route: [{{destination: {{host: reviews, subset: {subset}}}}}]", name=name)
        return text.replace("namespace: default}", f"namespace: default, creationTimestamp: {created}}}")

    snapshot = world(rule("a", "2024-02-01T00:00:00Z", "v1"), rule("b", "2024-01-01T00:00:00Z", "v2"))
    (route,) = routes(snapshot)
    assert route["route"]["cluster"] == f"outbound|9080|v2|{HOST}"
    by_name = world(rule("b", "null", "v2"), rule("a", "null", "v1"))
    assert routes(by_name)[0]["route"]["cluster"] == f"outbound|9080|v1|{HOST}"


def test_an_exact_host_wins_over_a_wildcard_and_the_longest_wildcard_over_others(world: Any) -> None:
    def rule(name: str, hosts: str, subset: str) -> str:
        http = f"- route: [{{destination: {{host: {HOST}, subset: {subset}}}}}]"
        return virtual_service(http, name=name, hosts=hosts)

    wide, narrow = rule("a", '["*.local"]', "wide"), rule("b", '["*.default.svc.cluster.local"]', "narrow")
    assert routes(world(wide))[0]["route"]["cluster"] == f"outbound|9080|wide|{HOST}"
    assert routes(world(wide, narrow))[0]["route"]["cluster"] == f"outbound|9080|narrow|{HOST}"
    exact = rule("c", "[reviews]", "exact")
    assert routes(world(wide, narrow, exact))[0]["route"]["cluster"] == f"outbound|9080|exact|{HOST}"


def test_a_port_that_is_not_http_has_no_virtual_host(world: Any) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: db}
    spec: {hosts: [db.example.com], resolution: STATIC, ports: [{number: 1, name: db, protocol: TCP}]}
    """
    assert get(world(text), "RDS", "outbound|1||db.example.com") == {"name": "outbound|1||db.example.com"}


def test_destination_rules_of_a_host_are_merged_and_the_client_s_namespace_comes_first(world: Any) -> None:
    def rule(name: str, namespace: str, subset: str) -> str:
        return f"""
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {{name: {name}, namespace: {namespace}}}
        spec: {{host: {HOST}, subsets: [{{name: {subset}, labels: {{version: v1}}}}]}}
        """

    snapshot = world(rule("more", "default", "v3"), rule("own", "other", "mine"))
    assert get(snapshot, "CDS", f"outbound|9080|v3|{HOST}")
    assert get(snapshot, "CDS", f"outbound|9080|v1|{HOST}")
    assert not get(snapshot, "CDS", f"outbound|9080|mine|{HOST}")
    assert get(snapshot, "CDS", f"outbound|9080|mine|{HOST}", node("other"))
    assert not get(snapshot, "CDS", f"outbound|9080|v1|{HOST}", node("other"))


def test_workload_entries_without_an_ip_are_no_endpoints(world: Any) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: WorkloadEntry
    metadata: {name: named}
    spec: {address: some.name, labels: {app: reviews}}
    """
    assignment = get(world(text), "EDS", ROUTES)
    assert assignment is not None
    assert len(assignment["endpoints"][0]["lbEndpoints"]) == 2


def test_the_same_content_has_the_same_version(world: Any) -> None:
    one, two = world(generation=1), world(generation=2)
    for short, names in (("LDS", [f"{HOST}:9080"]), ("RDS", [ROUTES]), ("CDS", [ROUTES]), ("EDS", [ROUTES])):
        left, right = (s.view(node()).resources(short, names) for s in (one, two))
        assert left.version == right.version
        assert not left.changed_from(right)
