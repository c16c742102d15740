"""The chart's rules are those that `lanes render` gives, object by object."""

from dataclasses import replace

import pytest

from lanes.render import render as render_lanes
from tests import lane_matrix
from tests.chart.rendering import NAMESPACE, Object, Rendering, chart, every_rendering, helm, render, rendered
from tests.chart.specs import SPECS, spec_of, values_of


def rules_of(rendering: Rendering) -> list[Object]:
    """What the chart says of lanes; the ingress's own VirtualService is not of them."""
    rules = rendering.of("DestinationRule", "VirtualService")
    return [each for each in rules if "gateways" not in each["spec"]]


def in_order(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"]))


@pytest.mark.parametrize("name", SPECS)
def test_the_chart_renders_what_lanes_render(name: str) -> None:
    spec = replace(SPECS[name], namespace=NAMESPACE)
    ours = in_order(rules_of(render(values_of(spec))))
    assert len(ours) == 2 * len(spec.services)
    for one, other in zip(ours, in_order(render_lanes(spec)), strict=True):
        assert one == other


@every_rendering
def test_so_it_does_for_every_file_of_values(name: str) -> None:
    rendering = rendered(name)
    expected = render_lanes(spec_of(rendering.values)) if rendering.values["traffic"]["enabled"] else []
    assert in_order(rules_of(rendering)) == in_order(expected)


def test_the_values_of_the_lane_matrix_are_its_spec() -> None:
    found = spec_of(rendered("lane-matrix").values)
    assert {replace(each, versions=()) for each in found.services} == {*lane_matrix.SPEC.services}
    by_name = {lane.name: lane for lane in lane_matrix.SPEC.lanes}
    assert {lane.name: lane for lane in found.lanes} == by_name
    assert found.key == lane_matrix.SPEC.key


def test_a_lane_that_goes_leaves_the_subsets_of_what_is_deployed() -> None:
    # Helm writes DestinationRules before VirtualServices: a route to a subset that is gone fails till then.
    with_lane, without = render(), render({"lanes": {"demo": None}})
    for each in without.of("DestinationRule"):
        assert each == with_lane.named("DestinationRule", each["metadata"]["name"])


def test_the_ingress_has_the_routes_of_productpage() -> None:
    rendering = rendered("istio-ingress")
    inside, outside = (rendering.named("VirtualService", n) for n in ("productpage", "bookinfo-ingress"))
    assert outside["spec"]["http"] == inside["spec"]["http"]
    assert [route["name"] for route in outside["spec"]["http"]] == ["lane-demo", "base"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"services": {"reviews": {"shares": {"v1": 80, "v3": 10}}}},
            "services.reviews.shares: they sum to 90, not 100",
        ),
        (
            {"lanes": {"dev": {"services": {"reviws": "v2"}}}},
            'lanes.dev.services.reviws: there is no service "reviws" with a base',
        ),
        (
            {"lanes": {"dev": {"services": {"productpage": "v2"}}}},
            'lanes.dev.services.productpage: there is no service "productpage" with a base',
        ),
        (
            {"services": {"reviews": {"versions": {"v1.0": {}, "V1-0": {}}}}},
            "services.reviews: versions V1-0 and v1.0 share a subset name",
        ),
        (
            {"lanes": {"dev": {"services": {"reviews": "V2"}}}},
            "services.reviews: versions V2 and v2 share a subset name",
        ),
    ],
)
def test_what_lanes_render_would_refuse_is_refused(values: Object, said: str) -> None:
    with pytest.raises(helm.HelmRenderError) as caught:
        render(values)
    assert said in str(caught.value)
    with pytest.raises(ValueError):
        render_lanes(spec_of(chart().merge_values(values)))
