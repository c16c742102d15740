"""Lanes merged into what is there: no route of anybody is shadowed, lost or rewritten, in any order."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lanes.base import is_open, is_pin
from lanes.change import Change, changes, diff_lines, steps
from lanes.compose import drop, put, restore
from lanes.landscape import Document, Key, Known, Landscape, LaneError, subsets_of
from lanes.own import lane_subset, lanes_in, owner_of
from lanes.render import lane_regex, render
from lanes.spec import Lane, MeshSpec, Mode, Service

ROOT = Path(__file__).parents[3]
SERVICES = [
    Known("reviews", ports=(9080,)),
    Known("ratings", ports=(9080,)),
    Known("details", ports=(80, 81)),
]
DEV = Lane("dev", {"reviews": "v2"})
QA = Lane("qa", {"reviews": "v3", "ratings": "v2"}, Mode.STRICT)


def read(*names: str) -> list[Document]:
    documents: list[Document] = []
    for name in names:
        for path in sorted((ROOT / name).glob("*.yaml")):
            documents += yaml.safe_load_all(path.read_text())
    return documents


CANARY = read("mesh/rules/canary")


DEPLOYED = {"reviews": {"v1": 1}, "ratings": {"v1": 1}, "details": {"v2": 1, "v1": 2}}


def scene(
    documents: Sequence[Document] = (), deployed: Mapping[str, Mapping[str, int]] = DEPLOYED
) -> Landscape:
    return Landscape.of(copy.deepcopy(list(documents)), SERVICES, deployed=deployed)


def http(landscape: Landscape, name: str) -> list[Document]:
    found: list[Document] = landscape.objects[Key("VirtualService", "default", name)]["spec"]["http"]
    return found


def names(landscape: Landscape, name: str) -> list[str | None]:
    return [route.get("name") for route in http(landscape, name)]


def virtual_service(**spec: Any) -> Document:
    spec = {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}}]}], **spec}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "r"},
        "spec": spec,
    }


def destination_rule(**spec: Any) -> Document:
    spec = {"host": "reviews", **spec}
    metadata = {"name": "r", "namespace": "default"}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": metadata,
        "spec": spec,
    }


def test_a_lane_goes_above_the_canary_and_leaves_without_a_trace() -> None:
    before = scene(CANARY)
    after = put(before, DEV)
    assert names(after, "reviews") == ["lane-dev", None, None]
    assert http(after, "reviews")[1:] == http(before, "reviews")
    assert http(after, "reviews")[0]["route"] == [
        {"destination": {"host": "reviews", "subset": "v2", "port": {"number": 9080}}}
    ]
    assert [c.key for c in changes(before, after)] == [Key("VirtualService", "default", "reviews")]
    assert lanes_in(after) == (DEV,)
    gone = drop(after, "dev")
    assert gone == before
    assert yaml.safe_dump_all([*gone.objects.values()]) == yaml.safe_dump_all([*before.objects.values()])


def test_a_version_without_a_subset_gets_one_for_as_long_as_it_is_needed() -> None:
    before = scene(CANARY)
    first = put(before, Lane("dev", {"reviews": "v9"}))
    assert subsets_of(first, SERVICES[0])["lane-v9"] == {"name": "lane-v9", "labels": {"version": "v9"}}
    both = put(first, Lane("qa", {"reviews": "v9"}))
    assert drop(both, "dev").objects.keys() == before.objects.keys()
    assert "lane-v9" in subsets_of(drop(both, "dev"), SERVICES[0])
    assert drop(drop(both, "dev"), "qa") == before
    assert "lane-v9" not in subsets_of(put(first, DEV), SERVICES[0])


def test_a_service_without_objects_gets_them_for_as_long_as_a_lane_is_there() -> None:
    after = put(scene(), DEV)
    assert names(after, "reviews") == ["lane-dev", "lanes-base"]
    assert {str(key) for key in after.objects} == {"virtualservice/reviews", "destinationrule/reviews"}
    assert drop(after, "dev") == scene()


def base_of_details(landscape: Landscape) -> list[tuple[str, int]]:
    subsets = subsets_of(landscape, SERVICES[2])
    (route,) = [route for route in http(landscape, "details") if route.get("name") == "lanes-base"]
    return [
        (subsets[each["destination"]["subset"]]["labels"]["version"], each.get("weight", 100))
        for each in route["route"]
    ]


def test_base_stays_with_the_versions_that_served_it() -> None:
    before = scene(CANARY)
    after = put(before, Lane("mine", {"details": "mine"}))
    assert names(after, "details") == ["lane-mine", "lanes-base"]
    assert base_of_details(after) == [("v1", 67), ("v2", 33)]
    # what is deployed later does not serve base unasked: it may be a lane's
    later = put(
        replace(after, deployed={"details": {"v1": 1, "v9": 1}}),
        Lane("qa", {"details": "v9"}, Mode.STRICT),
    )
    assert base_of_details(later) == [("v1", 67), ("v2", 33)]
    assert drop(drop(later, "mine"), "qa").objects == before.objects


def test_an_open_route_of_somebody_is_pinned_above_and_left_as_it_is() -> None:
    match = [{"headers": {"end-user": {"exact": "jason"}}}]
    open_to_all = {"route": [{"destination": {"host": "reviews"}}], "timeout": "3s"}
    split = {
        "match": match,
        "route": [
            {"destination": {"host": "reviews", "port": {"number": 9080}}, "weight": 25},
            {"destination": {"host": "elsewhere.example"}, "weight": 75},
        ],
    }
    before = scene([virtual_service(http=[split, open_to_all])], {"reviews": {"v1": 1, "v2": 1}})
    after = put(before, Lane("mine", {"reviews": "mine"}))
    routes = after.objects[Key("VirtualService", "default", "r")]["spec"]["http"]
    assert [r.get("name") for r in routes] == [
        *("lane-mine", "lanes-base", "lanes-base-closed", None),
        *("lanes-base", None),
    ]
    assert [routes[3], routes[5]] == [split, open_to_all]
    assert [(e["destination"].get("subset"), e["weight"]) for e in routes[1]["route"]] == [
        ("lane-v1", 12),
        ("lane-v2", 13),
        (None, 75),
    ]
    assert routes[1]["match"] == routes[2]["match"] == match
    assert routes[2]["fault"] == {"abort": {"percentage": {"value": 100}, "grpcStatus": "UNAVAILABLE"}}
    assert routes[4]["timeout"] == "3s"
    assert put(after, Lane("mine", {"reviews": "mine"})) == after
    assert drop(after, "mine") == before
    # a strict lane without a version of it leaks nothing
    strict = put(before, Lane("qa", {}, Mode.STRICT))
    routes = strict.objects[Key("VirtualService", "default", "r")]["spec"]["http"]
    assert [r.get("name") for r in routes] == ["lane-qa-strict", None, None]


@pytest.mark.parametrize("deployed", [{}, {"reviews": {"v1": 1, "": 1}}])
def test_a_base_that_nobody_can_name_is_refused(deployed: dict[str, dict[str, int]]) -> None:
    with pytest.raises(LaneError, match="No rule says which versions of reviews serve base"):
        put(scene([], deployed), DEV)
    rules = [destination_rule(subsets=[{"name": "one", "labels": {"version": "v1"}}])]
    if not deployed:
        route = http(put(scene(rules, deployed), DEV), "reviews")[1]
        assert [each["destination"]["subset"] for each in route["route"]] == ["one"]


def test_a_strict_lane_fails_everywhere_behind_its_own_routes() -> None:
    after = put(put(scene(CANARY), QA), DEV)
    assert names(after, "reviews") == ["lane-dev", "lane-qa", "lane-qa-strict", None, None]
    assert names(after, "ratings") == ["lane-qa", "lane-qa-strict", None, None]
    assert names(after, "details") == ["lane-qa-strict", "base"]
    # two ports: the route must keep the port that was called
    assert http(after, "details")[0]["route"] == [{"destination": {"host": "details"}}]
    assert lanes_in(after) == (DEV, QA)
    loose = put(after, Lane("qa", QA.versions))
    assert names(loose, "reviews") == ["lane-dev", "lane-qa", None, None]
    assert Key("VirtualService", "default", "details") not in loose.objects


def test_dev_strict_and_dev_being_strict_are_told_apart() -> None:
    lanes = (Lane("dev", {"reviews": "v2"}, Mode.STRICT), Lane("dev-strict", {"reviews": "v3"}, Mode.STRICT))
    after = put(put(scene(CANARY), lanes[1]), lanes[0])
    assert lanes_in(after) == lanes
    assert lanes_in(drop(after, "dev")) == lanes[1:]


def test_lanes_that_were_rendered_and_applied_by_hand_are_lanes() -> None:
    spec = MeshSpec((Service("reviews", "v1"), Service("ratings", "v1")), (DEV, QA), namespace="default")
    there = scene(render(spec))
    assert lanes_in(there) == (DEV, QA)
    assert names(drop(there, "qa"), "ratings") == ["base"]


def test_what_somebody_added_to_a_lanes_route_stays() -> None:
    there = put(scene(CANARY), DEV)
    http(there, "reviews")[0]["timeout"] = "3s"
    after = put(there, Lane("dev", {"reviews": "v2", "ratings": "v2"}))
    assert http(after, "reviews")[0]["timeout"] == "3s"
    assert "timeout" not in http(put(after, Lane("dev", {"reviews": "v3"})), "reviews")[0]


@pytest.mark.parametrize(
    ("route", "lane"),
    [
        ({"name": "lane-dev"}, None),
        ({"name": "lane-dev", "match": [{"headers": {"baggage": {"exact": "env=dev"}}}]}, None),
        ({"name": "lane-qa", "match": [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}]}, None),
        ({"name": "dev", "match": [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}]}, None),
        (
            {"name": "lane-dev", "match": [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}]},
            "dev",
        ),
        ({"name": "lane-dev", "match": [{"headers": {"baggage": {"regex": lane_regex("x", "dev")}}}]}, None),
    ],
)
def test_a_lanes_route_is_known_by_its_name_and_its_match(route: Document, lane: str | None) -> None:
    own = owner_of(route, "env")
    assert (own.lane if own else None) == lane


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ([virtual_service(hosts=["reviews", "ratings"])], "is for several hosts"),
        ([virtual_service(hosts=["*.default.svc.cluster.local"])], "covers reviews by the host"),
        ([virtual_service(http=None)], "has no http routes"),
        ([destination_rule(subsets=[{"name": "lane-v2", "labels": {"a": "b"}}])], "selects something else"),
    ],
)
def test_what_cannot_be_composed_is_refused_by_name(documents: list[Document], reason: str) -> None:
    before = scene(documents)
    with pytest.raises(LaneError, match=reason):
        put(before, DEV)
    assert lanes_in(before) == ()
    assert drop(before, "dev") == before


def test_a_service_that_is_not_there() -> None:
    with pytest.raises(
        LaneError, match="no service 'nope' in this mesh; there are details, ratings, reviews"
    ):
        put(scene(), Lane("dev", {"nope": "v2"}))


def test_the_object_that_counts_is_chosen() -> None:
    gateway = {**virtual_service(gateways=["public"]), "metadata": {"name": "a"}}
    full = {
        **virtual_service(hosts=["reviews.default.svc.cluster.local"]),
        "metadata": {"name": "b", "namespace": "x"},
    }
    after = put(scene([gateway, full]), DEV)
    changed = {str(c.key): c for c in changes(scene([gateway, full]), after)}
    assert changed.keys() == {"virtualservice/b", "destinationrule/reviews"}
    assert changed["virtualservice/b"].after is not None
    route = changed["virtualservice/b"].after["spec"]["http"][0]["route"]
    assert route[0]["destination"]["host"] == "reviews.default.svc.cluster.local"


def test_names_of_subsets_are_labels_and_never_shared() -> None:
    versions = ["v1", "V1", "v.1", "v_1", "v-1", "x" * 63, "x" * 62 + "y"]
    found = {lane_subset(version) for version in versions}
    assert len(found) == len(versions)
    assert all(len(name) <= 63 for name in found)


def test_subsets_outlive_the_rules_that_use_them() -> None:
    before = put(scene(CANARY), Lane("dev", {"reviews": "v9"}))
    after = put(before, Lane("dev", {"reviews": "v8"}))
    first, second = steps(changes(before, after))
    (rule,) = (d for d in first.apply if d["kind"] == "DestinationRule")
    assert [s["name"] for s in rule["spec"]["subsets"]][-2:] == ["lane-v8", "lane-v9"]
    assert [s["name"] for s in second.apply[0]["spec"]["subsets"]][-2:] == ["v3", "lane-v8"]
    blank = put(scene(), DEV)
    assert [[str(key) for key in step.delete] for step in steps(changes(blank, scene()))] == [
        ["virtualservice/reviews"],
        ["destinationrule/reviews"],
    ]


def test_the_diff_names_objects_and_lines() -> None:
    lines = [*diff_lines(changes(scene(), put(scene(), DEV)))]
    assert lines[:2] == ["--- /dev/null", "+++ b/destinationrule/reviews"]
    assert "+  - name: lane-v2" in lines
    assert Change(Key("A", "b", "c"), {}, None).verdict == "deleted"


LANES = st.builds(
    Lane,
    st.sampled_from(["dev", "dev2", "dev-strict", "qa"]),
    st.dictionaries(
        st.sampled_from(["reviews", "ratings", "details"]),
        st.sampled_from(["v1", "v2", "v9", "V.2"]),
        min_size=1,
    ),
    st.sampled_from(Mode),
    st.sampled_from(["", "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"]),
)
MATCHES = st.sampled_from(
    [
        [{"headers": {"baggage": {"exact": "env=dev"}}}],
        [{"uri": {"prefix": "/"}}],
        [{"headers": {"baggage": {"regex": "x"}}}, {"headers": {"end-user": {"exact": "jason"}}}],
    ]
)
SUBSETS = st.lists(st.sampled_from(["v1", "v2", "v3"]), unique=True, min_size=1).map(
    lambda versions: [{"name": v, "labels": {"version": v}, "trafficPolicy": {}} for v in versions]
)


@st.composite
def hand_written(draw: st.DrawFn) -> list[Document]:
    documents: list[Document] = []
    for name in draw(st.sets(st.sampled_from(["reviews", "ratings", "details"]))):
        routes: list[Document] = []
        for number, match in enumerate(draw(st.lists(MATCHES, max_size=3))):
            routes.append(
                {"name": f"lane-{number}", "match": match, "route": [{"destination": {"host": name}}]}
            )
        routes.append({"route": [{"destination": {"host": name, "subset": "v1"}, "weight": 100}]})
        metadata = {"name": draw(st.sampled_from([name, f"{name}-routes"])), "namespace": "default"}
        host = draw(st.sampled_from([name, f"{name}.default.svc.cluster.local"]))
        documents.append(
            {"kind": "VirtualService", "metadata": metadata, "spec": {"http": routes, "hosts": [host]}}
        )
        if draw(st.booleans()):
            spec = {"host": host, **draw(st.one_of(st.just({}), SUBSETS.map(lambda s: {"subsets": s})))}
            documents.append({"kind": "DestinationRule", "metadata": metadata, "spec": spec})
    return documents


@settings(max_examples=150, deadline=None)
@given(
    hand_written(),
    st.lists(st.one_of(LANES, st.sampled_from(["dev", "dev2", "dev-strict", "qa"])), max_size=8),
)
def test_any_sequence_of_changes(documents: list[Document], sequence: list[Lane | str]) -> None:
    """A Lane is created or changed, a name is deleted."""
    before = scene(documents)
    there = before
    wanted: dict[str, Lane] = {}
    for change in sequence:
        if isinstance(change, Lane):
            there = put(there, change)
            wanted[change.name] = change
        else:
            there = drop(there, change)
            wanted.pop(change, None)
        assert lanes_in(there) == tuple(lane for _, lane in sorted(wanted.items()))
        check(there, before, wanted)
    # two orders, the same objects
    assert restore(before, wanted.values()) == there
    assert restore(before, [*wanted.values()][::-1]) == there
    assert restore(there, ()) == before


def check(there: Landscape, before: Landscape, wanted: dict[str, Lane]) -> None:
    for key, document in there.objects.items():
        if key.kind != "VirtualService":
            continue
        routes = document["spec"]["http"]
        own = [owner_of(route, "env") for route in routes]
        count = sum(each is not None for each in own)
        assert all(each is not None for each in own[:count])
        if key in before.objects:
            theirs = [route for route in routes[count:] if not is_pin(route)]
            assert theirs == before.objects[key]["spec"]["http"]
        (service,) = (s for s in SERVICES if s.host.startswith(document["spec"]["hosts"][0].split(".")[0]))
        held = any(each is not None and not each.strict for each in own)
        for above, route in pairwise([{}, *routes[count:]]):
            opens = is_open(route, service, key.namespace) and not is_pin(route)
            assert is_pin(above) == (held and (opens or route.get("name") == "lanes-base-closed"))
        # no lane shadows another: each matches its own requests only, and its abort comes after its version
        seen = [(each.lane, each.strict) for each in own[:count] if each is not None]
        assert seen == sorted(set(seen))
        for route, (name, _) in zip(routes, seen, strict=False):
            assert route["match"] == [{"headers": {"baggage": {"regex": lane_regex("env", name)}}}]
    for lane in wanted.values():
        for service, version in lane.versions.items():
            known = there.service(service)
            assert any(s["labels"] == {"version": version} for s in subsets_of(there, known).values())
