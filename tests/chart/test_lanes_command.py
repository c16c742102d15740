"""What the command `lanes` finds in a cluster that the chart was installed in, and may do there."""

import kubernetes_validate
import pytest

from lanes.cluster.clone import base_deployment, cloned
from lanes.cluster.door import door_service, rules_place, target_port
from lanes.cluster.ledger import NAME as HISTORY
from lanes.cluster.reading import Listed, services_known
from lanes.cluster.resource import CONFIG_MAPS, PODS, SERVICES, WRITTEN
from lanes.landscape import Landscape
from lanes.own import lanes_in
from serving.settings import Settings
from tests.chart.rendering import Rendering, every_rendering, rendered
from tests.chart.specs import spec_of
from tests.chart.test_environment import environment


def listed(rendering: Rendering) -> Listed:
    """What the API server lists after `helm install`."""
    return Listed(
        rendering.of("VirtualService", "DestinationRule"), rendering.of("Service"), rendering.versions()
    )


def landscape(rendering: Rendering) -> Landscape:
    found = listed(rendering)
    return Landscape.of(found.rules, services_known(found.services), rendering.values["laneKey"])


@every_rendering
def test_the_lanes_of_the_values_are_lanes(name: str) -> None:
    rendering = rendered(name)
    wanted = spec_of(rendering.values).lanes if rendering.values["traffic"]["enabled"] else ()
    # A permissive lane that holds nothing has no route, and so is none.
    held = {lane.name: lane for lane in wanted if lane.versions or lane.mode == "strict"}
    assert {lane.name: lane for lane in lanes_in(landscape(rendering))} == held


@every_rendering
def test_the_door_is_productpage_and_its_rules_have_a_place(name: str) -> None:
    found = listed(rendered(name))
    service = door_service(found)
    assert service["metadata"]["name"] == "productpage"
    assert rules_place(found, service).config_map == "productpage-door"
    template = rendered(name).named("Deployment", "productpage-v1")["spec"]["template"]
    assert target_port(service, template) == 9080
    assert {each.name for each in services_known(found.services) if not each.grpc} == {"productpage"}


@pytest.mark.parametrize("name", ["default", "production", "shares"])
def test_a_lanes_own_version_is_a_whole_one(name: str) -> None:
    found, scene = listed(rendered(name)), landscape(rendered(name))
    [service] = [each for each in found.services if each["metadata"]["name"] == "reviews"]
    base = base_deployment(scene, scene.service("reviews"), service, found.deployments)
    clone = cloned(base, "reviews", "mine", "registry.example.com/reviews:mine", "")
    assert base["metadata"]["name"] == "reviews-v1"
    assert clone["metadata"]["name"] == "reviews-mine"
    assert kubernetes_validate.validate(clone, "1.34", strict=True)
    template = clone["spec"]["template"]
    variables = environment(template["metadata"], template["spec"], "reviews-mine-abc")
    assert Settings.read("reviews", variables).version == "mine"
    for constraint in template["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"]["version"] == "mine"


def test_it_may_read_and_write_what_it_reads_and_writes() -> None:
    granted = {
        (group, resource, verb, name)
        for rule in rendered("default").named("Role", "lanes")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }
    for kind in WRITTEN.values():
        for verb in ("list", "create", "patch", "delete"):
            assert (kind.group, kind.plural, verb, "") in granted
    assert ("apps", "deployments", "get", "") in granted
    for kind in (SERVICES, PODS):
        assert (kind.group, kind.plural, "list", "") in granted
    for config_map in (HISTORY, "productpage-door"):
        for verb in ("get", "patch"):
            assert (CONFIG_MAPS.group, CONFIG_MAPS.plural, verb, config_map) in granted
    assert (CONFIG_MAPS.group, CONFIG_MAPS.plural, "create", "") in granted
    assert (PODS.group, f"{PODS.plural}/portforward", "get", "") in granted
