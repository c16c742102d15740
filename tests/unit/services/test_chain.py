"""The chain of a request, from the hops of its answers to the picture."""

from __future__ import annotations

import pytest

from bookinfo_pb.v1 import details_pb2, hop_pb2, reviews_pb2
from lanes.context import BASE
from lanes.hues import PALETTE, colour_of
from productpage.backends import Parts
from productpage.chain import Station, chain_of, in_words
from productpage.picture import WIDTH, bar_of, map_of
from serving.failures import Failure
from serving.hops import Span, measured, span_of
from serving.lanes import HeldLane

DEV = HeldLane("dev", {"reviews": "v2", "ratings": "v2-rc1"})


def hop(service: str, version: str, lane: str = "dev", *calls: hop_pb2.Hop) -> hop_pb2.Hop:
    return hop_pb2.Hop(service=service, version=version, instance=f"{service}-0", lane=lane, calls=calls)


def answered(lane: str = "dev") -> Parts:
    ratings = hop("ratings", "V2.rc1", lane)
    measured(ratings, Span(0.001, 0.004))
    return Parts(
        details_pb2.GetDetailsResponse(hop=hop("details", "v1", lane)),
        reviews_pb2.GetReviewsResponse(hop=hop("reviews", "v2", lane, ratings)),
        {"details": Span(0.0, 0.002), "reviews": Span(0.001, 0.008)},
    )


def test_who_was_asked_by_whom_when_and_whether_of_the_lane() -> None:
    door, details, reviews, ratings = chain_of(hop("productpage", "v1"), answered(), 0.01, DEV)
    assert (door.caller, door.start, door.took, door.own) == (None, 0.0, 0.01, False)
    assert (details.caller, details.own, details.stood_in) == (0, False, True)
    assert (reviews.caller, reviews.own, reviews.start, reviews.took) == (0, True, 0.001, 0.008)
    assert (ratings.caller, ratings.depth, ratings.own) == (2, 2, True)
    assert (ratings.start, ratings.took) == pytest.approx((0.002, 0.004))
    words = in_words((door, details, reviews, ratings))
    assert words.startswith("productpage asked details v1 of base; productpage asked reviews v2 of lane dev")
    assert words.endswith("reviews asked ratings V2.rc1 of lane dev")


def test_base_is_nobodys_stand_in() -> None:
    stations = chain_of(hop("productpage", "v1", BASE), answered(BASE), 0.01, None)
    assert not any(station.own or station.stood_in for station in stations)


def test_calls_that_failed_have_their_place() -> None:
    lost = Failure("UNAVAILABLE", "nobody there")
    stations = chain_of(hop("productpage", "v1"), Parts(lost, lost, {"reviews": Span(0.0, 3.0)}), 3.0, DEV)
    assert [station.failed for station in stations[1:]] == ["UNAVAILABLE: nobody there"] * 2
    assert [station.took for station in stations[1:]] == [None, 3.0]
    reviews = reviews_pb2.GetReviewsResponse(hop=hop("reviews", "v2"), ratings_error="UNAVAILABLE: no")
    last = chain_of(hop("productpage", "v1"), Parts(lost, reviews), 1.0, DEV)[-1]
    assert (last.service, last.caller, last.failed, last.depth) == ("ratings", 2, "UNAVAILABLE: no", 2)


def test_a_hop_of_a_version_that_did_not_measure() -> None:
    assert span_of(hop("ratings", "v1")) is None
    never = hop("ratings", "v1")
    measured(never, Span(0.0, 1e9))
    assert span_of(never) == Span(0.0, (2**32 - 1) / 1e6)
    assert bar_of(Station("ratings"), 1.0) is None


def test_the_map_has_a_line_for_base_and_one_for_the_lane() -> None:
    stations = chain_of(hop("productpage", "v1"), answered(), 0.01, DEV)
    drawn = map_of(stations, "dev")
    door, details, reviews, ratings = drawn.stops
    assert door.y == details.y < reviews.y == ratings.y
    assert [stop.kind for stop in drawn.stops] == ["base", "base", "lane", "lane"]
    assert [way.kind for way in drawn.ways] == ["lane", "lane", "lane"]
    assert all(0 < stop.x < WIDTH for stop in drawn.stops)
    assert [track.name for track in drawn.tracks] == ["base", "dev"]
    assert [track.name for track in map_of(stations, "a-very-long-name").tracks] == ["base", "a-very-long…"]
    in_base = map_of(chain_of(hop("productpage", "v1", BASE), answered(BASE), 0.01, None), BASE)
    assert len({stop.y for stop in in_base.stops}) == len(in_base.tracks) == 1


def test_bars_stay_within_the_page() -> None:
    for start, took in ((0.0, 1.0), (0.5, 0.9), (0.999, 0.0), (2.0, 1.0)):
        bar = bar_of(Station("a", start=start, took=took), 1.0)
        assert bar is not None
        assert 0 <= bar.x <= bar.x + bar.width <= 1000
        assert bar.width > 0


def test_a_lane_keeps_its_colour_and_common_names_differ() -> None:
    assert len({colour_of(name) for name in ("dev", "qa", "canary", "staging", "test")}) == 5
    assert {colour_of(f"lane-{number}") for number in range(200)} == set(range(PALETTE))
