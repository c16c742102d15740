"""Changes made as functions of what is there: twice is once, and no other lane is touched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanes import edits
from lanes.expiry import expiry_after, is_past
from lanes.landscape import Key
from lanes.own import lanes_in
from lanes.spec import Lane, Mode
from tests.unit.lanes.test_compose import CANARY, LANES, hand_written, scene

DEV = Lane("dev", {"reviews": "v2", "ratings": "v2"}, expires="2030-01-01T00:00:00Z")
OTHER = Lane("other", {"reviews": "v1"})

EDITS = {
    "create": edits.create(DEV),
    "extend": edits.extend("dev", {"details": "v2"}, None, None),
    "extend all": edits.extend("dev", {"reviews": "v9"}, Mode.STRICT, "2031-01-01T00:00:00Z"),
    "reduce": edits.reduce("dev", ["ratings"]),
    "delete": edits.delete("dev"),
    "exactly": edits.exactly([DEV, OTHER]),
    "unchanged": edits.unchanged,
}


@pytest.mark.parametrize("name", EDITS)
@settings(max_examples=25, deadline=None)
@given(documents=hand_written(), lanes=st.lists(LANES, max_size=4))
def test_an_edit_made_twice_is_as_good_as_made_once(name: str, documents: list, lanes: list[Lane]) -> None:  # type: ignore[type-arg]
    before = scene(documents)
    for lane in (*lanes, OTHER):
        before = edits.create(lane)(before)
    once = EDITS[name](before)
    assert EDITS[name](once) == once
    others = {lane for lane in map(repr, lanes_in(before)) if not lane.startswith("Lane(name='dev',")}
    if name != "exactly":
        assert others <= {repr(lane) for lane in lanes_in(once)}


def test_a_lane_is_extended_by_what_it_has_by_then() -> None:
    there = edits.create(DEV)(scene(CANARY))
    grown = edits.extend("dev", {"details": "v2"}, None, None)
    assert lanes_in(grown(edits.extend("dev", {"reviews": "v9"}, Mode.STRICT, "")(there))) == (
        Lane("dev", {"details": "v2", "ratings": "v2", "reviews": "v9"}, Mode.STRICT),
    )
    assert lanes_in(edits.reduce("dev", ["ratings", "details"])(there)) == (
        Lane("dev", {"reviews": "v2"}, expires=DEV.expires),
    )
    assert edits.reduce("nobody", ["ratings"])(there) == there


def test_the_end_of_a_lane_is_annotated_where_its_routes_are_and_goes_with_them() -> None:
    before = scene(CANARY)
    there = edits.create(DEV)(edits.create(OTHER)(before))
    metadata = there.objects[Key("VirtualService", "default", "reviews")]["metadata"]
    assert metadata["annotations"] == {"expires.lanes.proxyless.dev/dev": "2030-01-01T00:00:00Z"}
    assert lanes_in(there) == (DEV, OTHER)
    by_hand = there.objects[Key("VirtualService", "default", "ratings")]
    by_hand["spec"]["http"] = by_hand["spec"]["http"][1:]
    assert edits.delete("other")(edits.reduce("dev", ["reviews"])(there)) == before
    there = edits.create(DEV)(edits.create(OTHER)(before))
    never = edits.extend("dev", {}, None, "")(there)
    assert all("annotations" not in document["metadata"] for document in never.objects.values())
    assert edits.delete("dev", "other")(there) == before


def test_what_a_lane_made_goes_with_it_though_it_has_got_a_time_of_creation() -> None:
    there = edits.create(OTHER)(scene())
    for document in there.objects.values():
        document["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert edits.delete("other")(there).objects == {}
    touched = edits.create(OTHER)(scene())
    for document in touched.objects.values():
        document["metadata"]["annotations"] = {"somebody": "was here"}
    assert len(edits.delete("other")(touched).objects) == 2


def test_moments() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    end = expiry_after(now, 8 * 3600)
    assert end == "2026-01-01T20:00:00Z"
    assert not is_past(end, now)
    assert is_past(end, datetime(2026, 1, 1, 20, tzinfo=UTC))
    assert not is_past("", now)
    assert not is_past("tomorrow", now)
