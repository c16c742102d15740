"""The admin port of Pods: who finds it, who scrapes it, and what becomes of it where it is off."""

from __future__ import annotations

import pytest
from kubernetes_validate import validate

from lanes.cluster.reading import Listed, members_of, services_known
from tests.chart.rendering import NAMESPACE, every_rendering, render, rendered

ON = {"admin": {"readable": True}}


@every_rendering
def test_off_it_leaves_nothing_behind(name: str) -> None:
    text = str([*rendered(name).versions(), *rendered(name).of("Service", "PodMonitor")])
    assert ("ADMIN_PORT" in text, "admin" in text) == (rendered(name).values["admin"]["enabled"],) * 2


def test_every_pod_is_found_by_a_name_where_it_may_be_read() -> None:
    assert [each for each in rendered("default").of("Service") if "admin" in each["metadata"]["name"]] == []
    rendering = rendered("monitoring")
    for service in rendering.values["services"]:
        found = rendering.named("Service", f"{service}-admin")["spec"]
        assert (found["clusterIP"], found["publishNotReadyAddresses"]) == ("None", True)
        assert found["selector"] == {"app": service}
        [port] = found["ports"]
        assert (port["port"], port["targetPort"]) == (15021, "admin")
    for deployment in rendering.versions():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["ports"][1:] == [{"name": "admin", "containerPort": 15021}]


def test_the_longest_name_of_a_service_is_still_one_with_admin_behind_it() -> None:
    long = "s" * 57
    shop = {"protocol": "grpc", "calls": [], "versions": {"v1": {}}}
    rendering = render({**ON, "services": {long: shop}})
    for each in rendering.of("Service"):
        validate(each, "1.34", strict=True)
        assert len(each["metadata"]["name"]) <= 63


def test_to_lanes_it_is_no_service() -> None:
    """Neither one that a lane could have a version of, nor a door."""
    plain, more = (services_known(render(values).of("Service")) for values in ({}, ON))
    assert more == plain
    assert [each.name for each in more if each.door] == ["productpage"]
    template = rendered("monitoring").named("Deployment", "reviews-v1")["spec"]["template"]["metadata"]
    pod = {"metadata": {"name": "reviews-v1-abc", "namespace": NAMESPACE, **template}}
    members = members_of(Listed(services=rendered("monitoring").of("Service"), pods=[pod]))
    assert [each.service for each in members] == ["reviews"]


@pytest.mark.parametrize(("name", "annotated"), [("default", False), ("monitoring", True)])
def test_annotations_for_prometheus(name: str, annotated: bool) -> None:
    for each in rendered(name).versions():
        found = each["spec"]["template"]["metadata"].get("annotations")
        assert found == (
            {"prometheus.io/scrape": "true", "prometheus.io/port": "15021", "prometheus.io/path": "/metrics"}
            if annotated
            else None
        )


def test_a_pod_monitor_selects_every_pod_of_a_service_and_no_other() -> None:
    assert rendered("default").of("PodMonitor") == []
    rendering = rendered("monitoring")
    [monitor] = rendering.of("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    labels = monitor["spec"]["selector"]["matchLabels"]
    [among] = monitor["spec"]["selector"]["matchExpressions"]
    assert among["values"] == sorted(rendering.values["services"])
    for metadata, spec in render({**rendering.values, "prune": {"enabled": True}}).pods():
        chosen = (
            labels.items() <= metadata["labels"].items() and metadata["labels"].get("app") in among["values"]
        )
        assert chosen == any(port["name"] == "admin" for port in spec["containers"][0].get("ports", ()))
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "admin", "path": "/metrics", "interval": "15s"}
