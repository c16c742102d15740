"""Who may reach whom, from where, and what the command `lanes` may do."""

import pytest

from mesh.inventory import BOOKINFO
from tests.chart.rendering import NAMESPACE, Object, Rendering, every_rendering, render, rendered

CALLS = {service.name: {name for names in service.calls.values() for name in names} for service in BOOKINFO}
_PORT = {"port": 9080}


def apps(peers: list[Object]) -> set[str]:
    return {peer["podSelector"]["matchLabels"]["app"] for peer in peers}


def lets_out(policy: Object) -> set[str]:
    """The services that a policy's Pods may call."""
    rules = [rule for rule in policy["spec"]["egress"] if "to" in rule]
    assert all(rule["ports"] == [_PORT] for rule in rules)
    return {app for rule in rules for app in apps(rule["to"])}


def lets_in(policy: Object) -> set[str] | None:
    """The services that may call a policy's Pods; None for anybody."""
    rules = [rule for rule in policy["spec"].get("ingress", []) if rule["ports"] == [_PORT]]
    if any("from" not in rule for rule in rules):
        return None
    return {app for rule in rules for app in apps(rule["from"])}


def lets_ask(policy: Object, port: int) -> list[Object]:
    """Who may reach the admin port of a policy's Pods; there is no third port."""
    rules = [rule for rule in policy["spec"].get("ingress", []) if rule["ports"] != [_PORT]]
    assert all(rule["ports"] == [{"port": port}] and rule["from"] for rule in rules)
    return [peer for rule in rules for peer in rule["from"]]


def ports_out(rendering: Rendering, service: str) -> set[int]:
    """The ports to which a service may connect wherever they are."""
    rules = rendering.named("NetworkPolicy", service)["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}


def test_every_service_is_let_through_to_those_it_calls_and_to_no_other() -> None:
    policies = {policy["metadata"]["name"]: policy for policy in rendered("default").of("NetworkPolicy")}
    assert policies.keys() == CALLS.keys()
    for name, policy in policies.items():
        assert policy["spec"]["podSelector"] == {"matchLabels": {"app": name}}
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert lets_out(policy) == CALLS[name]
        callers = {caller for caller, called in CALLS.items() if name in called}
        assert lets_in(policy) == (None if name == "productpage" else callers)
        assert lets_ask(policy, 15000) == []


def test_those_of_the_values_reach_every_admin_port() -> None:
    peers = rendered("monitoring").values["admin"]["from"]
    policies = rendered("monitoring").of("NetworkPolicy")
    assert [lets_ask(policy, 15021) for policy in policies] == [peers] * 4
    for policy in policies:
        name = policy["metadata"]["name"]
        assert lets_in(policy) == lets_in(rendered("default").named("NetworkPolicy", name))
    closed = render({"admin": {"enabled": False, "from": peers}})
    assert closed.of("NetworkPolicy") == rendered("default").of("NetworkPolicy")
    # Who is called by nobody is asked nevertheless.
    alone = {"services": {"shop": {"protocol": "grpc", "calls": [], "versions": {"v1": {}}}}}
    shop = render({**alone, "admin": {"from": peers[:1]}}).named("NetworkPolicy", "shop")
    assert (lets_in(shop), lets_ask(shop, 15000)) == (set(), peers[:1])


def test_every_service_reaches_dns_the_control_plane_and_the_collector() -> None:
    assert ports_out(rendered("default"), "reviews") == {53, 15012}
    assert ports_out(rendered("production"), "reviews") == {53, 15012, 4318}
    assert ports_out(rendered("openshift"), "details") == {53, 15012, 5353}
    assert ports_out(rendered("revision"), "details") == {53, 443}
    assert ports_out(render({"otlp": {"endpoint": "http://[fd00::1]"}}), "details") == {53, 15012, 80}
    assert rendered("bare").of("NetworkPolicy") == []


# -- from outside


def test_there_is_no_way_in_unless_it_is_asked_for() -> None:
    assert rendered("default").of("Gateway", "HTTPRoute") == []


def test_istios_gateway() -> None:
    rendering = rendered("istio-ingress")
    [gateway] = rendering.of("Gateway")
    assert gateway["apiVersion"] == "networking.istio.io/v1"
    assert gateway["spec"]["selector"] == {"istio": "ingress"}
    [server] = gateway["spec"]["servers"]
    route = rendering.named("VirtualService", "bookinfo-ingress")["spec"]
    assert server["hosts"] == route["hosts"] == ["bookinfo.example.com"]
    assert route["gateways"] == [gateway["metadata"]["name"]]
    plain = render({"ingress": {"kind": "istio"}}).named("VirtualService", "bookinfo-ingress")["spec"]
    assert [route["route"] for route in plain["http"]] == [
        [{"destination": {"host": "productpage", "port": {"number": 9080}}}]
    ]


def test_the_gateway_api() -> None:
    rendering = rendered("gateway-api")
    [gateway], [route] = rendering.of("Gateway"), rendering.of("HTTPRoute")
    assert gateway["spec"]["gatewayClassName"] == "istio"
    assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
    assert route["spec"]["rules"] == [{"backendRefs": [{"name": "productpage", "port": 9080}]}]
    assert "hostnames" not in route["spec"] and "hostname" not in gateway["spec"]["listeners"][0]
    named = render({"ingress": {"kind": "gateway-api", "host": "a.example"}})
    assert named.of("HTTPRoute")[0]["spec"]["hostnames"] == ["a.example"]
    assert named.of("Gateway")[0]["spec"]["listeners"][0]["hostname"] == "a.example"


# -- the command


def rights(role: Object) -> set[tuple[str, str, str]]:
    """What a Role gives: group, resource, verb."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_lanes_may_do_what_it_does_and_no_more() -> None:
    [role] = rendered("default").of("Role")
    granted = rights(role)
    writes = ("list", "create", "patch", "delete")
    istio = "networking.istio.io"
    assert granted == {
        *(("apps", "deployments", verb) for verb in ("get", *writes)),
        *((istio, "virtualservices", verb) for verb in writes),
        *((istio, "destinationrules", verb) for verb in writes),
        *(("", resource, "list") for resource in ("services", "pods")),
        *(("", "pods/portforward", verb) for verb in ("get", "create")),
        *(("", "configmaps", verb) for verb in ("get", "patch", "create")),
    }
    for rule in role["rules"]:
        if rule["resources"] == ["configmaps"] and rule["verbs"] != ["create"]:
            assert rule["resourceNames"] == ["lanes-history", "productpage-door"]


@every_rendering
def test_rights_end_at_the_namespace(name: str) -> None:
    assert rendered(name).of("ClusterRole", "ClusterRoleBinding") == []


def test_who_may_do_what_lanes_does() -> None:
    [binding] = rendered("team").of("RoleBinding")
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lanes"}
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "lanes", "namespace": NAMESPACE},
        {"kind": "Group", "name": "developers", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"},
    ]
    assert rendered("bare").of("Role", "RoleBinding") == []


@pytest.mark.parametrize("name", ["default", "team"])
def test_lanes_are_pruned_only_where_that_is_asked_for(name: str) -> None:
    jobs = rendered(name).of("CronJob")
    assert len(jobs) == (1 if name == "team" else 0)
    for job in jobs:
        assert job["spec"]["schedule"] == "0 3 * * *"
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert spec["serviceAccountName"] == "lanes"
        [container] = spec["containers"]
        assert container["command"] == ["python", "-m", "lanes", "prune", "--namespace", NAMESPACE]
        assert container["env"] == [{"name": "LANE_KEY", "value": "env"}]


@every_rendering
def test_every_service_account_that_is_named_is_there(name: str) -> None:
    there = {each["metadata"]["name"] for each in rendered(name).of("ServiceAccount")}
    named = {spec.get("serviceAccountName") for _, spec in rendered(name).pods()} - {None}
    assert named <= there
