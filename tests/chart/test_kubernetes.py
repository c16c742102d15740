"""Every object of every rendering is one that a cluster takes."""

import functools
import json
from collections.abc import Iterator
from copy import deepcopy

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from controlplane.loader import load_texts
from tests.chart.rendering import KUBERNETES, VALUES, Object, every_rendering, rendered

ISTIO = "networking.istio.io/v1"
OPERATORS = {"monitoring.coreos.com/v1"}
GATEWAY_API = {"gateway.networking.k8s.io/v1": {"Gateway", "HTTPRoute"}}


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once() -> Iterator[None]:
    """kubernetes-validate reads a file of 1.5 MB anew for every object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


def of_kubernetes() -> list[Object]:
    """Every object that Kubernetes itself knows, each once."""
    found = {
        json.dumps(each, sort_keys=True): each
        for name in VALUES
        for each in rendered(name).objects
        if each["apiVersion"] not in {ISTIO, *GATEWAY_API, *OPERATORS}
    }
    return list(found.values())


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_object_is_one_of_kubernetes(version: str) -> None:
    objects = of_kubernetes()
    assert {each["kind"] for each in objects} == {
        *("ConfigMap", "CronJob", "Deployment", "NetworkPolicy", "Pod", "PodDisruptionBudget"),
        *("Role", "RoleBinding", "Service", "ServiceAccount"),
    }
    for each in objects:
        assert kubernetes_validate.validate(each, version, strict=True) == version


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    deployment = deepcopy(rendered("default").named("Deployment", "reviews-v1"))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["grpc"]["servise"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError, match="servise"):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@every_rendering
def test_what_is_istios_is_taken_and_what_it_names_is_there(name: str) -> None:
    rules = [each for each in rendered(name).objects if each["apiVersion"] == ISTIO]
    services = [as_service_entry(each) for each in rendered(name).of("Service")]
    loaded = load_texts({"chart": yaml.safe_dump_all([*rules, *services])})
    assert loaded.errors == ()
    told = {warning.document for warning in loaded.warnings if warning.document <= len(rules)}
    # What is for gateways has no effect on one machine, which is said.
    assert told == {number for number, each in enumerate(rules, 1) if is_for_gateways(each)}


def is_for_gateways(rule: Object) -> bool:
    return rule["kind"] == "Gateway" or "gateways" in rule["spec"]


def as_service_entry(service: Object) -> Object:
    """A Service as the control plane of one machine has to be told of it."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    return {
        "apiVersion": ISTIO,
        "kind": "ServiceEntry",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "hosts": [f"{name}.{namespace}.svc.cluster.local"],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{"name": port["name"], "number": port["port"]} for port in service["spec"]["ports"]],
        },
    }


def test_what_is_of_the_gateway_api_says_so() -> None:
    for name in VALUES:
        for each in rendered(name).objects:
            if "gateway.networking" in each["apiVersion"]:
                assert each["kind"] in GATEWAY_API[each["apiVersion"]]
