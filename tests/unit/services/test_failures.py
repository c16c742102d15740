"""What a failure says where the rules of lanes are its reason."""

from __future__ import annotations

import pytest

from bookinfo_pb.v1 import hop_pb2, reviews_pb2
from productpage.backends import Parts
from productpage.chain import chain_of
from productpage.logic import reviews_json
from serving.failures import failure, kept_from_base, response_failure

TARGET = "xds:///details.default.svc.cluster.local:9080"
ENDED = f"{TARGET}: fault injected by route 'lane-late-strict'"
BEFORE = " (before: route 'lane-late': cluster outbound|9080|v2|details.default: it has no endpoints)"
NONE = "lane late is strict and has no version of details"


@pytest.mark.parametrize(
    ("reason", "lane", "says"),
    [
        (ENDED, "late", NONE),
        (f"fault filter abort: {ENDED}", "late", NONE),
        (ENDED + BEFORE, "late", "lane late is strict and nobody of its version of details can be called"),
        (ENDED, "base", ""),
        # the own route of a lane of that name, with a fault that somebody injected
        (ENDED, "late-strict", ""),
        (f"{TARGET}: fault injected by route 'fault-late'", "late", ""),
        ("", "late", ""),
    ],
)
def test_a_strict_lane_is_no_injected_fault(reason: str, lane: str, says: str) -> None:
    assert kept_from_base(reason, lane) == says


def test_the_answer_keeps_what_it_said() -> None:
    failed = failure("UNAVAILABLE", ENDED, "late").to_json()
    assert failed == {"code": "UNAVAILABLE", "reason": ENDED, "says": NONE}
    assert failure("UNAVAILABLE", "gone", "late").to_json() == {"code": "UNAVAILABLE", "reason": "gone"}
    assert response_failure(503, f"fault filter abort: {ENDED}", "late").says == NONE


def test_what_a_service_further_down_met() -> None:
    hop = hop_pb2.Hop(service="reviews", version="v2", lane="late")
    error = f"UNAVAILABLE: {ENDED.replace('details', 'ratings')}"
    answer = reviews_pb2.GetReviewsResponse(hop=hop, ratings_error=error)
    says = NONE.replace("details", "ratings")
    assert reviews_json(answer) == {"reviews": [], "ratings_error": error, "ratings_error_says": says}
    door = hop_pb2.Hop(service="productpage", version="v1", lane="late")
    stations = chain_of(door, Parts(failure("UNAVAILABLE", ENDED, "late"), answer), 0.1, None)
    assert [station.failed for station in stations if station.failed] == [NONE, says]
