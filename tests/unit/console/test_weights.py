"""The base's weights: set, and nothing else touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.acting.faults import inject
from console.acting.undo import crossed, inverse_of, put_back
from console.acting.weights import set_weights, weights_of
from lanes.change import changes
from lanes.compose import drop, put
from lanes.landscape import Document, Landscape, LaneError
from lanes.own import lanes_in, owner_of
from lanes.spec import Lane
from tests.unit.console.scenes import (
    BASES,
    JASON,
    LANES,
    RULE,
    SUBSETS,
    destination_rule,
    http,
    is_sound,
    scene,
    scenes,
    to,
    virtual_service,
)

VERSIONS = ("v1", "v2", "v3")
SHARES = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
    lambda cut: dict(zip(VERSIONS, (min(cut), max(cut) - min(cut), 100 - max(cut)), strict=True))
)


def of_lanes(landscape: Landscape) -> list[Document]:
    return [route for route in http(landscape) if owner_of(route, "env") is not None]


@settings(deadline=None)
@given(scenes(), SHARES)
def test_what_was_set_is_what_is_read(landscape: Landscape, shares: dict[str, int]) -> None:
    after = set_weights(landscape, "reviews", shares)
    assert weights_of(after, "reviews") == {version: share for version, share in shares.items() if share}
    is_sound(after)


@settings(deadline=None)
@given(scenes(), SHARES)
def test_lanes_keep_their_routes_and_others_their_rules(landscape: Landscape, shares: dict[str, int]) -> None:
    after = set_weights(landscape, "reviews", shares)
    assert lanes_in(after) == lanes_in(landscape)
    if RULE in landscape.objects:
        assert of_lanes(after) == of_lanes(landscape)
    for change in changes(landscape, after):
        assert change.key in (RULE, SUBSETS)
    assert (JASON in http(after)) == (RULE in landscape.objects and JASON in http(landscape))


@settings(deadline=None)
@given(scenes(), SHARES)
def test_undo_gives_back_the_very_objects(landscape: Landscape, shares: dict[str, int]) -> None:
    after = set_weights(landscape, "reviews", shares)
    inverse = inverse_of(changes(landscape, after))
    if inverse is None:
        assert after.objects == landscape.objects
        return
    assert crossed(inverse, after.objects) is None
    assert crossed(inverse, landscape.objects) in inverse.keys
    assert put_back(after, inverse).objects == landscape.objects


@settings(deadline=None)
@given(scenes(), SHARES)
def test_weights_outlive_the_lanes(landscape: Landscape, shares: dict[str, int]) -> None:
    """Where lanes had pinned an open base, what was set is not lost with the last lane."""
    after = set_weights(landscape, "reviews", shares)
    wanted = weights_of(after, "reviews")
    for lane in lanes_in(after):
        after = drop(after, lane.name)
    assert weights_of(after, "reviews") == wanted
    assert weights_of(put(after, LANES[0]), "reviews") == wanted


def test_what_stands_at_a_version_stays_there() -> None:
    named = to("v1", 80, headers={"response": {"add": {"x": "1"}}})
    before = scene([destination_rule("v1", "v2", "v3"), virtual_service([{"route": [named, to("v2", 20)]}])])
    after = set_weights(before, "reviews", {"v1": 30, "v3": 70})
    assert http(after) == [{"route": [{**named, "weight": 30}, to("v3", 70)]}]
    assert set_weights(after, "reviews", {"v1": 80, "v2": 20}).objects == before.objects


def test_a_missing_subset_is_added_before_the_lanes_own() -> None:
    before = scene([destination_rule("v1"), virtual_service([{"route": [to("v1")]}])], [LANES[0]])
    after = set_weights(before, "reviews", {"v1": 50, "v3": 50})
    assert [subset["name"] for subset in after.objects[SUBSETS]["spec"]["subsets"]] == ["v1", "v3", "lane-v2"]
    # Base must not lean on a subset that goes with a lane.
    after = set_weights(before, "reviews", {"v2": 100})
    assert [subset["name"] for subset in after.objects[SUBSETS]["spec"]["subsets"]] == ["v1", "v2", "lane-v2"]


def test_a_lane_s_share_of_base_follows_while_it_has_a_fault() -> None:
    before = inject(
        scene(BASES["weights"], [Lane("far", {"details": "v3"})]), "reviews", "far", 100, None, 100
    )
    after = set_weights(before, "reviews", {"v2": 100})
    assert [route["route"] for route in http(after)] == [[to("v2")], [to("v2")]]


def test_a_base_that_is_partly_open_is_no_plain_choice_with_lanes_either() -> None:
    partly = virtual_service([{"route": [to(None, 50), to("v1", 50)]}])
    landscape = scene([destination_rule("v1", "v2"), partly], [LANES[0]])
    with pytest.raises(LaneError, match="leads to any version beside"):
        set_weights(landscape, "reviews", {"v1": 100})


def test_what_copies_an_open_base_follows_when_that_is_pinned() -> None:
    before = inject(scene([], [LANES[2]]), "reviews", "far", 100, None, 100)
    after = set_weights(put(before, LANES[0]), "reviews", {"v2": 100})
    assert [route["name"] for route in http(after)] == ["lane-dev", "fault-far", "base"]
    assert [route["route"][0]["destination"]["subset"] for route in http(after)] == ["lane-v2", "v2", "v2"]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"redirect": {"uri": "/x"}}, "has a redirect"),
        ({"directResponse": {"status": 404}}, "has a directResponse"),
        ({"delegate": {"name": "other"}}, "has a delegate"),
        ({"route": [{"destination": {"host": "ratings"}}]}, "leads to ratings, too"),
        ({"route": [to("odd")]}, "leads to the subset odd, which is not one version"),
        ({"route": [to("v1", 50), to("v1", 50)]}, "leads to v1 twice"),
        ({"route": [to(None, 50), to("v1", 50)]}, "leads to any version beside"),
        ({"route": []}, "leads nowhere"),
        (JASON, "No route of virtualservice/reviews takes the calls that ask for nothing"),
    ],
)
def test_what_is_no_plain_choice_is_left_to_yaml(route: Document, said: str) -> None:
    landscape = scene([destination_rule("v1", "v2"), virtual_service([route])])
    for act in (
        lambda: set_weights(landscape, "reviews", {"v1": 100}),
        lambda: weights_of(landscape, "reviews"),
    ):
        with pytest.raises(LaneError, match=said):
            act()


def test_there_is_a_sentence_for_every_no() -> None:
    with pytest.raises(LaneError, match="called from outside the mesh"):
        set_weights(scene([]), "productpage", {"v1": 100})
    with pytest.raises(LaneError, match="There is no service 'nobody'"):
        set_weights(scene([]), "nobody", {"v1": 100})
    with pytest.raises(LaneError, match="any of them does"):
        weights_of(scene([]), "reviews")
    with pytest.raises(LaneError, match="leads to any version"):
        weights_of(scene(BASES["any version"]), "reviews")
    wide = virtual_service([{"route": [to("v1")]}])
    wide["spec"]["hosts"] = ["reviews", "details"]
    with pytest.raises(LaneError, match="is for several hosts"):
        set_weights(scene([wide]), "reviews", {"v1": 100})
    odd = destination_rule("v1")
    odd["spec"]["subsets"].append({"name": "v2", "labels": {"version": "v3"}})
    with pytest.raises(LaneError, match="The subset v2 of reviews selects something else"):
        set_weights(scene([odd]), "reviews", {"v2": 100})
