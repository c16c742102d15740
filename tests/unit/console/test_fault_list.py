"""The faults that stand in the rules: for whom they are, whoever wrote them."""

from __future__ import annotations

from typing import Any

import pytest

from console.acting.fault_list import Fault, faults_of
from console.acting.faults import clear, inject
from console.reading.mesh_view import cluster_view
from lanes.landscape import Document, Landscape
from lanes.render import lane_regex
from lanes.spec import Lane
from lanes.store import Member
from tests.unit.console.scenes import (
    BASES,
    JASON,
    LANES,
    SERVICES,
    destination_rule,
    scene,
    to,
    virtual_service,
)

REVIEWS = SERVICES[0]
DEV = (Lane("dev", {"details": "v2"}),)
HALF: Document = {"percentage": {"value": 50}}
LATE: Document = {"delay": {**HALF, "fixedDelay": "1.5s"}}


def found(landscape: Landscape) -> list[Fault]:
    return faults_of(landscape, REVIEWS)


def by_hand(fault: Document, *above: Document) -> Landscape:
    routes = [*above, {"route": [to("v1")], "fault": fault}]
    return scene([destination_rule("v1", "v2"), virtual_service(routes)], LANES)


@pytest.mark.parametrize("base", ["one version", "weights", "above it a user's", "any version"])
def test_the_console_reads_what_it_has_written(base: str) -> None:
    before = scene(BASES[base], LANES)
    assert found(before) == []  # two of these lanes are strict
    for lane in ("", "base", "dev", "qa", "far"):
        after = inject(before, "reviews", lane, 250, "UNAVAILABLE", 20)
        assert found(after) == [Fault(lane, 250, "UNAVAILABLE", 20)]
        assert found(clear(after, "reviews", lane)) == []


def test_several_are_told_apart() -> None:
    after = inject(scene(BASES["one version"], LANES), "reviews", "base", 100, None, 100)
    after = inject(after, "reviews", "dev", None, "INTERNAL", 5)
    assert found(after) == [Fault("base", 100, None, 100), Fault("dev", None, "INTERNAL", 5)]


def test_where_base_stands_in_for_everybody_its_fault_is_everybody_s() -> None:
    after = inject(scene(BASES["one version"]), "reviews", "base", 100, None, 100)
    assert found(after) == [Fault("", 100, None, 100)]


@pytest.mark.parametrize(
    ("fault", "faults"),
    [
        (LATE, [Fault("base", 1500, None, 50)]),
        ({"delay": {"percent": 10, "fixedDelay": "2ms"}}, [Fault("base", 2, None, 10)]),
        ({"abort": {**HALF, "httpStatus": 503}}, [Fault("base", None, "UNAVAILABLE", 50)]),
        ({"abort": {**HALF, "httpStatus": 418}}, [Fault("base", None, "HTTP 418", 50)]),
        (
            {"abort": {"percentage": {"value": 1}, "grpcStatus": "ABORTED"}, **LATE},
            [Fault("base", 1500, None, 50), Fault("base", None, "ABORTED", 1)],
        ),
        ({"delay": {"fixedDelay": "2s"}}, []),  # of nobody's calls
        ({"delay": {**HALF, "fixedDelay": "soon"}}, []),
    ],
)
def test_what_somebody_has_written(fault: Document, faults: list[Fault]) -> None:
    assert found(by_hand(fault)) == faults


def test_a_route_by_hand_is_a_lane_s_if_it_matches_that_lane_and_no_more() -> None:
    match: list[Any] = [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}]
    more = [{"headers": {**match[0]["headers"], "end-user": {"exact": "jason"}}}]
    late = {"name": "mine", "route": [to("v1")], "fault": LATE}
    document = virtual_service([{**late, "match": match}, {"route": [to("v1")]}])
    seen = [Fault("dev", 1500, None, 50)]
    assert found(scene([destination_rule("v1"), document], DEV)) == seen
    document["spec"]["http"][0]["match"] = more
    assert found(scene([destination_rule("v1"), document], DEV)) == []
    assert found(by_hand({}, {**JASON, "fault": LATE})) == []


def test_the_mesh_shows_them() -> None:
    members = [Member("reviews", "v1", "reviews-v1", "", True, "ready")]
    after = inject(scene(BASES["one version"], LANES), "reviews", "dev", None, "UNAVAILABLE", 50)
    [service] = cluster_view(members, {}, set(), after)["services"]
    assert service["faults"] == [{"lane": "dev", "delay_ms": None, "abort": "UNAVAILABLE", "percent": 50}]
    [service] = cluster_view(members, {}, set())["services"]
    assert service["faults"] == []
