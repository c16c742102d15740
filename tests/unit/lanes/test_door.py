"""Which lane a request from outside gets, and what of it is believed."""

import pytest

from lanes.context import Forwarding
from lanes.door import Door, HeaderRule, Visitor, admit, coloured

FORWARDING = Forwarding()
X_LANE = HeaderRule("X-Lane")


def admission(door: Door, headers: dict[str, str], added: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    visitor = Visitor({key.lower(): value for key, value in headers.items()})
    return admit(door, visitor, list(headers.items()), FORWARDING, added)


@pytest.mark.parametrize(
    ("door", "headers", "lane", "baggage"),
    [
        (Door(), {"baggage": "env=dev,a=1"}, None, None),
        (Door(trust_baggage=True), {"Baggage": "env=dev,a=1"}, "dev", "env=dev,a=1"),
        (Door((X_LANE,)), {"x-lane": " dev "}, "dev", "env=dev"),
        (Door((X_LANE,)), {"x-lane": "dev", "baggage": "env=qa,a=1"}, "dev", "env=dev"),
        (
            Door((X_LANE,), trust_baggage=True),
            {"X-Lane": "dev", "baggage": "a=1;p,env=qa"},
            "dev",
            "a=1;p,env=dev",
        ),
        (Door((X_LANE,), trust_baggage=True), {"x-lane": "", "baggage": "env=qa"}, "qa", "env=qa"),
        (Door((X_LANE, HeaderRule("x-b"))), {"x-b": "b"}, "b", "env=b"),
        (Door((X_LANE, HeaderRule("x-b"))), {"x-b": "b", "x-lane": "a"}, "a", "env=a"),
    ],
)
def test_lane(door: Door, headers: dict[str, str], lane: str | None, baggage: str | None) -> None:
    admitted = admission(door, headers)
    assert admitted.refusal is None
    assert admitted.carried.lane == lane
    assert admitted.carried.get("baggage") == baggage


@pytest.mark.parametrize("name", ["Dev", "dev,env=x", "a b", "é", "base", "x" * 64])
def test_a_name_that_cannot_be_a_lane_leaves_the_request_where_it_was(name: str) -> None:
    admitted = admission(Door((X_LANE,), trust_baggage=True), {"x-lane": name, "baggage": "env=qa"})
    assert admitted.carried.lane == "qa"
    assert admitted.refusal is not None
    assert "lane name" in admitted.refusal


def test_end_user_is_what_the_door_says_or_what_it_was_told_to_trust() -> None:
    assert admission(Door(), {"end-user": "eve"}).carried.get("end-user") is None
    assert admission(Door(trust_end_user=True), {"end-user": "eve"}).carried.get("end-user") == "eve"
    both = admission(Door(trust_end_user=True), {"End-User": "eve"}, {"end-user": "jason"})
    assert [v for k, v in both.carried.metadata if k == "end-user"] == ["jason"]


def test_a_request_can_be_taken_back_to_base() -> None:
    carried = admission(Door(trust_baggage=True), {"baggage": "env=dev"}).carried
    assert coloured(carried, None, FORWARDING).metadata == ()
