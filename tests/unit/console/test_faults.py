"""Delays and aborts in routes: for whom they are meant, and gone without a trace."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.acting.faults import clear, inject
from console.acting.undo import inverse_of, put_back
from lanes.base import CLOSED
from lanes.change import changes
from lanes.compose import drop, put
from lanes.landscape import Document, Key, Landscape, LaneError
from lanes.own import lanes_in, owner_of
from lanes.spec import Lane
from tests.unit.console.scenes import BASES, LANES, RULE, http, is_sound, scene, scenes

SCOPES = ("", "base", *(lane.name for lane in LANES))
RULED = [name for name in BASES if name not in ("nothing", "subsets alone")]
ABORT: Document = {"abort": {"percentage": {"value": 50}, "grpcStatus": "UNAVAILABLE"}}


def injected(landscape: Landscape, lane: str) -> Landscape | None:
    """With a fault, or None for a lane that is not there or fails already."""
    try:
        return inject(landscape, "reviews", lane, None, "UNAVAILABLE", 50)
    except LaneError as error:
        assert lane not in ("", "base")
        assert "There is no lane" in str(error) or "its calls fail already" in str(error)
        return None


@settings(deadline=None)
@given(scenes(), st.sampled_from(SCOPES))
def test_a_fault_changes_no_lane_and_no_destination(landscape: Landscape, lane: str) -> None:
    after = injected(landscape, lane)
    if after is None:
        return
    is_sound(after)
    assert lanes_in(after) == lanes_in(landscape)
    inverse = inverse_of(changes(landscape, after))
    assert inverse is not None
    assert put_back(after, inverse).objects == landscape.objects
    for route in http(after):
        own = owner_of(route, "env")
        if route.get("name") == CLOSED or (own is not None and own.strict):
            assert route["fault"] != ABORT  # what shuts stays as it was


@settings(deadline=None)
@given(scenes(RULED), st.sampled_from(SCOPES))
def test_what_was_injected_is_cleared_without_a_trace(landscape: Landscape, lane: str) -> None:
    after = injected(landscape, lane)
    if after is None:
        return
    cleared = clear(after, "reviews", lane)
    for name in (each.name for each in lanes_in(landscape)):
        landscape, cleared = drop(landscape, name), drop(cleared, name)
    assert cleared.objects == landscape.objects


@settings(deadline=None)
@given(scenes(), st.sampled_from(SCOPES), st.sampled_from(LANES))
def test_lanes_come_and_go_while_there_is_a_fault(landscape: Landscape, lane: str, other: Lane) -> None:
    """A lane that is created meanwhile shuts nobody out, and once all is gone, all is as before."""
    after = injected(landscape, lane)
    if after is None or other.name in (each.name for each in lanes_in(landscape)):
        return
    after = put(after, other)
    is_sound(after)
    assert {each.name for each in lanes_in(after)} == {each.name for each in lanes_in(put(landscape, other))}
    cleared = drop(clear(after, "reviews", ""), other.name)
    for name in (each.name for each in lanes_in(cleared)):
        cleared = drop(cleared, name)
        landscape = drop(landscape, name)
    if RULE in landscape.objects:
        assert cleared.objects == landscape.objects


def test_everybody_s_fault_is_in_every_route_that_serves() -> None:
    after = inject(scene(BASES["above it a user's"], LANES), "reviews", "", 250, "INTERNAL", 10)
    fault = {
        "delay": {"percentage": {"value": 10}, "fixedDelay": "250ms"},
        "abort": {"percentage": {"value": 10}, "grpcStatus": "INTERNAL"},
    }
    shut = [route["name"] for route in http(after) if route["fault"] != fault]
    assert shut == ["lane-qa-strict", "lane-shut-strict"]


def test_a_lane_s_own_route_takes_its_fault() -> None:
    before = scene(BASES["one version"], LANES)
    after = inject(before, "reviews", "dev", None, "UNAVAILABLE", 50)
    assert [route["name"] for route in http(after) if route.get("fault") == ABORT] == ["lane-dev"]
    assert clear(after, "reviews", "dev").objects == before.objects


def test_a_lane_that_base_serves_gets_a_copy_of_base_below_what_others_match() -> None:
    before = scene(BASES["above it a user's"], [LANES[2]])
    after = inject(before, "reviews", "far", None, "UNAVAILABLE", 50)
    jason, copy, base = http(after)
    assert jason["match"][0]["headers"] == {"end-user": {"exact": "jason"}}
    assert copy["name"] == "fault-far"
    assert copy["fault"] == ABORT
    assert (copy["route"], copy["retries"]) == (base["route"], base["retries"])
    assert "fault" not in base
    assert inject(after, "reviews", "far", None, "UNAVAILABLE", 50).objects == after.objects
    assert clear(after, "reviews", "far").objects == before.objects
    with pytest.raises(LaneError, match="no fault at reviews for base to clear"):
        clear(after, "reviews", "base")


def test_a_fault_of_an_open_base_outlives_the_lane_that_pinned_it() -> None:
    after = inject(scene([], [LANES[0]]), "reviews", "base", None, "UNAVAILABLE", 50)
    after = drop(after, "dev")
    assert [route.get("fault") for route in http(after)] == [ABORT]
    # Without the fault it is what lanes had made, and goes as they would have had it go.
    assert drop(put(clear(after, "reviews", "base"), LANES[0]), "dev").objects == {}


def test_a_copy_that_a_later_lane_has_pinned_is_still_the_lane_s() -> None:
    """Above a route to all versions go the pins of `lanes create`, which take the fault along."""
    before = put(inject(scene([], [LANES[2]]), "reviews", "far", None, "UNAVAILABLE", 50), LANES[0])
    names = [route["name"] for route in http(before)]
    assert names == ["lane-dev", "lanes-base", "lanes-base-closed", "fault-far", "lanes-base"]
    again = inject(before, "reviews", "far", 100, None, 50)
    assert ["delay" in route.get("fault", {}) for route in http(again)] == [False, True, False, True, False]
    of_base = inject(before, "reviews", "base", 9, None, 50)
    assert ["delay" in route.get("fault", {}) for route in http(of_base)] == [False] * 4 + [True] * 2
    cleared = clear(again, "reviews", "far")
    assert [route["name"] for route in http(cleared)] == ["lane-dev", "lanes-base"]
    assert ["fault" in route for route in http(cleared)] == [False] * 2


def test_a_service_that_speaks_http_fails_with_an_http_status() -> None:
    after = inject(scene([]), "delivery", "", None, "UNAVAILABLE", 100)
    [route] = http(after, Key("VirtualService", "default", "delivery"))
    assert route["fault"]["abort"] == {"percentage": {"value": 100}, "httpStatus": 503}
    is_sound(after)


def test_there_is_a_sentence_for_every_no() -> None:
    landscape = scene(BASES["one version"], LANES)
    for name, lane, said in (
        ("productpage", "", "called from outside"),
        ("nobody", "", "There is no service 'nobody'"),
        ("reviews", "odd", "There is no lane 'odd'; there are dev, far, qa, shut."),
        ("reviews", "shut", "The lane shut is strict and has no version of reviews"),
    ):
        with pytest.raises(LaneError, match=said):
            inject(landscape, name, lane, 1, None, 100)
    for lane, said in (("", ""), ("base", " for base"), ("dev", " for the lane dev")):
        with pytest.raises(LaneError, match=f"There is no fault at reviews{said} to clear."):
            clear(landscape, "reviews", lane)
    with pytest.raises(LaneError, match=r"no fault at delivery to clear"):
        clear(landscape, "delivery", "")
    nowhere = [{"redirect": {"uri": "/x"}}]
    empty = scene(
        [
            *BASES["one version"][:1],
            {**BASES["one version"][1], "spec": {"hosts": ["reviews"], "http": nowhere}},
        ]
    )
    with pytest.raises(LaneError, match="leads to a service"):
        inject(empty, "reviews", "", 1, None, 100)
