"""The lane console as the chart has it: off, or one Pod that nobody but its own loopback reaches."""

from __future__ import annotations

import ast
import shlex
from typing import Any

import pytest

from console.__main__ import main
from console.settings import ClusterPlace, Settings
from tests.chart.rendering import NAMESPACE, Object, every_rendering, helm, render, rendered
from tests.chart.test_access import rights

ON: dict[str, Any] = {"admin": {"readable": True}, "console": {"enabled": True}}


def container_of(rendering: Any) -> Object:
    spec = rendering.named("Deployment", "console")["spec"]["template"]["spec"]
    [container] = spec["containers"]
    return dict(container)


def told(rendering: Any) -> tuple[dict[str, Any], Settings]:
    """The options it is started with, as its own command reads them."""
    program, *arguments = container_of(rendering)["command"][1:]
    assert (program, arguments[0]) == ("-m", "console")
    context = main.make_context("console", arguments[1:])
    return context.params, Settings.read(**context.params)


@every_rendering
def test_it_is_there_only_where_it_is_asked_for(name: str) -> None:
    asked = rendered(name).values["console"]["enabled"]
    found = [each for each in rendered(name).objects if each["metadata"]["name"] == "console"]
    kinds = {"ServiceAccount", "Deployment", "NetworkPolicy"} if asked else set()
    writes = {"Role", "RoleBinding"} if rendered(name).values["console"]["write"] else set()
    assert {each["kind"] for each in found} == kinds | writes


def test_it_is_told_of_the_admin_ports_of_every_service() -> None:
    for rendering in (rendered("console"), render({**ON, "admin": {"readable": True, "port": 15021}})):
        options, settings = told(rendering)
        port = rendering.values["admin"]["port"]
        assert {(peer.host, peer.port) for peer in settings.peers} == {
            (each["metadata"]["name"], port)
            for each in rendering.of("Service")
            if each["spec"].get("clusterIP") == "None"
        }
        assert len(settings.peers) == 4
        assert options["name"] == NAMESPACE
        assert settings.port == rendering.values["console"]["port"]
        assert settings.why_read_only


def test_it_writes_only_where_that_is_asked_for() -> None:
    _, shows = told(rendered("console"))
    options, writes = told(rendered("console-write"))
    assert (shows.cluster, shows.write, shows.door) == (None, False, "")
    assert writes.cluster == ClusterPlace(NAMESPACE)
    assert (writes.write, writes.door, writes.why_read_only) == (True, "http://productpage:9080", "")
    assert options["name"] == NAMESPACE
    # As Kubernetes reads it: two dollar signs are one.
    [variable] = container_of(rendered("console-write"))["env"]
    assert variable == {"name": "LANE_KEY", "value": "x.lane+v$$$$1"}


def test_it_may_do_what_it_does_and_no_more() -> None:
    role = rendered("console-write").named("Role", "console")
    rules = ("virtualservices", "destinationrules")
    written = ("list", "create", "patch", "delete")
    assert rights(role) == {
        *(("networking.istio.io", kind, verb) for kind in rules for verb in written),
        *(("apps", "deployments", verb) for verb in ("get", "list", "patch", "delete")),
        *(("", kind, "list") for kind in ("services", "pods")),
        *(("", "configmaps", verb) for verb in ("get", "patch", "create")),
    }
    for rule in role["rules"]:
        if rule["resources"] == ["configmaps"] and rule["verbs"] != ["create"]:
            assert rule["resourceNames"] in (["lanes-history"], ["productpage-door"])
    binding = rendered("console-write").named("RoleBinding", "console")
    assert binding["roleRef"]["name"] == "console"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "console", "namespace": NAMESPACE}]


def test_where_it_writes_policies_let_it_to_the_door_and_the_api_server() -> None:
    rules = rendered("console-write").named("NetworkPolicy", "console")["spec"]["egress"]
    assert {
        "to": [{"podSelector": {"matchLabels": {"app": "productpage"}}}],
        "ports": [{"port": 9080}],
    } in rules
    assert {"ports": [{"port": 443}, {"port": 6443}]} in rules


def test_its_probes_ask_where_it_listens_for_what_it_serves() -> None:
    container = container_of(rendered("console"))
    assert "ports" not in container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        python, minus_c, program = container[probe]["exec"]["command"]
        assert (python, minus_c) == ("python", "-c")
        texts = [n.value for n in ast.walk(ast.parse(program)) if isinstance(n, ast.Constant)]
        assert "http://127.0.0.1:9181/mesh/static/icon.svg" in texts
        assert container[probe]["timeoutSeconds"] > 4


def test_policies_let_it_to_admin_ports_and_nobody_to_it() -> None:
    rendering = rendered("console")
    own = rendering.named("NetworkPolicy", "console")["spec"]
    assert own["podSelector"] == {"matchLabels": {"app": "console"}}
    assert own["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in own
    asks, dns = own["egress"]
    [among] = [each for peer in asks["to"] for each in peer["podSelector"]["matchExpressions"]]
    assert (among["key"], among["values"]) == ("app", sorted(rendering.values["services"]))
    assert asks["ports"] == [{"port": 15000}]
    assert {port["port"] for port in dns["ports"]} == {53}
    for service in rendering.values["services"]:
        rules = rendering.named("NetworkPolicy", service)["spec"]["ingress"]
        [admin] = [rule for rule in rules if rule["ports"] == [{"port": 15000}]]
        assert admin["from"] == [
            *rendering.values["admin"]["from"],
            {"podSelector": {"matchLabels": {"app": "console"}}},
        ]
    assert render({**ON, "networkPolicy": {"enabled": False}}).of("NetworkPolicy") == []


def test_it_has_no_account_at_the_api_server() -> None:
    assert rendered("console").of("Role", "RoleBinding") == rendered("default").of("Role", "RoleBinding")
    template = rendered("console").named("Deployment", "console")["spec"]["template"]
    assert template["spec"]["automountServiceAccountToken"] is False
    assert rendered("console").named("ServiceAccount", "console")["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"console": {"enabled": True}}, "needs admin.enabled and admin.readable"),
        ({**ON, "admin": {"enabled": False, "readable": True}}, "needs admin.enabled and admin.readable"),
        ({**ON, "services": {"console": {"protocol": "grpc", "versions": {"v1": {}}}}}, "`console` already"),
    ],
    ids=str,
)
def test_what_it_cannot_do_without_is_said(values: dict[str, Any], why: str) -> None:
    with pytest.raises(helm.HelmError, match=why):
        render(values)


def test_the_way_to_it_is_told() -> None:
    lines = rendered("console").texts["NOTES.txt"].splitlines()
    [command] = [shlex.split(line) for line in lines if "deployment/console" in line]
    assert command == ["kubectl", "-n", NAMESPACE, "port-forward", "deployment/console", "9181:9181"]
    assert "console" not in rendered("default").texts["NOTES.txt"]
