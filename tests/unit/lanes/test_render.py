"""Lane specs as Istio objects."""

from typing import Any

import pytest
import yaml

from lanes.render import lane_regex, render
from lanes.spec import Lane, MeshSpec, Mode, Service, SpecError, lane_name_fault

V1, V3 = ("v1", 50), ("v3", 50)
SERVICES = (Service("reviews", {"v1": 80, "v3": 20}), Service("ratings", "v1"), Service("details", "v1"))


def routes(spec: MeshSpec, service: str) -> list[dict[str, Any]]:
    (found,) = (o for o in render(spec) if o["kind"] == "VirtualService" and o["metadata"]["name"] == service)
    http: list[dict[str, Any]] = found["spec"]["http"]
    return http


def names(spec: MeshSpec, service: str) -> list[str]:
    return [route["name"] for route in routes(spec, service)]


def test_base_alone() -> None:
    spec = MeshSpec(SERVICES, namespace="default")
    assert routes(spec, "ratings") == [
        {
            "name": "base",
            "route": [{"destination": {"host": "ratings", "subset": "v1", "port": {"number": 9080}}}],
        }
    ]
    weights = [(r["destination"]["subset"], r["weight"]) for r in routes(spec, "reviews")[0]["route"]]
    assert weights == [("v1", 80), ("v3", 20)]
    assert {o["metadata"]["namespace"] for o in render(spec)} == {"default"}


def test_a_permissive_lane_has_routes_only_where_it_has_versions() -> None:
    spec = MeshSpec(SERVICES, (Lane("dev", {"reviews": "v2"}),))
    assert names(spec, "reviews") == ["lane-dev", "base"]
    assert names(spec, "ratings") == ["base"]
    route = routes(spec, "reviews")[0]
    assert route["match"] == [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}]
    assert [r["destination"]["subset"] for r in route["route"]] == ["v2"]


def test_a_strict_lane_aborts_everywhere_behind_its_own_routes() -> None:
    spec = MeshSpec(SERVICES, (Lane("dev", {"reviews": "v2"}, Mode.STRICT),))
    assert names(spec, "reviews") == ["lane-dev", "lane-dev-strict", "base"]
    assert names(spec, "ratings") == ["lane-dev-strict", "base"]
    own, strict, _ = routes(spec, "reviews")
    assert strict["match"] == own["match"]
    assert strict["fault"] == {"abort": {"percentage": {"value": 100}, "grpcStatus": "UNAVAILABLE"}}
    assert [r["destination"]["subset"] for r in strict["route"]] == ["v1"]


def test_the_order_of_the_spec_does_not_matter() -> None:
    lanes = (Lane("qa", {"reviews": "v3"}), Lane("dev", {"reviews": "v2"}, Mode.STRICT))
    assert render(MeshSpec(SERVICES, lanes)) == render(MeshSpec(SERVICES[::-1], lanes[::-1]))
    assert names(MeshSpec(SERVICES, lanes), "reviews") == ["lane-dev", "lane-dev-strict", "lane-qa", "base"]


def test_nor_does_the_order_of_shares_not_even_of_equal_ones() -> None:
    there, back = (Service("reviews", dict(shares)) for shares in ((V1, V3), (V3, V1)))
    lanes = (Lane("dev", {}, Mode.STRICT),)
    assert render(MeshSpec((there,), lanes)) == render(MeshSpec((back,), lanes))


def test_subsets_are_those_of_base_lanes_and_further_versions() -> None:
    services = (Service("reviews", "v1", versions=("v3",)),)
    rule = render(MeshSpec(services, (Lane("dev", {"reviews": "V2.1_x"}),)))[0]
    assert rule["spec"]["subsets"] == [
        {"name": "v2-1-x", "labels": {"version": "V2.1_x"}},
        {"name": "v1", "labels": {"version": "v1"}},
        {"name": "v3", "labels": {"version": "v3"}},
    ]


def test_what_is_rendered_survives_yaml() -> None:
    objects = render(MeshSpec(SERVICES, (Lane("dev", {"reviews": "v2"}, Mode.STRICT),)))
    assert list(yaml.safe_load_all(yaml.safe_dump_all(objects))) == objects


@pytest.mark.parametrize("name", ["a", "dev", "dev-1", "1", "a" * 63])
def test_names_a_lane_can_have(name: str) -> None:
    assert lane_name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("a" * 64, "has 64 characters"),
        ("Dev", "is not made of a-z"),
        ("-dev", "is not made of a-z"),
        ("dev-", "is not made of a-z"),
        ("dev lane", "is not made of a-z"),
        ("dev,env=x", "is not made of a-z"),
        ("dev\n", "is not made of a-z"),
        ("é", "is not made of a-z"),
        ("base", "is the name of the base lane"),
    ],
)
def test_names_a_lane_cannot_have(name: str, reason: str) -> None:
    fault = lane_name_fault(name)
    assert fault is not None
    assert reason in fault
    with pytest.raises(SpecError, match="lane name"):
        Lane(name, {})


def test_what_cannot_be_rendered_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="sum to 90, not 100"):
        Service("reviews", {"v1": 80, "v3": 10})
    with pytest.raises(SpecError, match="'Reviews' is no DNS label"):
        Service("Reviews", "v1")
    with pytest.raises(SpecError, match="base names no version"):
        Service("reviews", {})
    with pytest.raises(SpecError, match="base version 'v 1'"):
        Service("reviews", "v 1")
    with pytest.raises(SpecError, match="port 0"):
        Service("reviews", "v1", 0)
    with pytest.raises(SpecError, match="version 'v/2' of reviews"):
        Lane("dev", {"reviews": "v/2"})
    with pytest.raises(SpecError, match="lane dev: there is no service 'nope'"):
        MeshSpec(SERVICES, (Lane("dev", {"nope": "v2"}),))
    with pytest.raises(SpecError, match="lane dev is given twice"):
        MeshSpec(SERVICES, (Lane("dev", {}), Lane("dev", {})))
    with pytest.raises(SpecError, match="lane key 'a b'"):
        MeshSpec(SERVICES, key="a b")
    with pytest.raises(SpecError, match=r"versions v1-0 and v1\.0 share a subset name"):
        render(MeshSpec((Service("reviews", "v1.0", versions=("v1-0",)),)))
