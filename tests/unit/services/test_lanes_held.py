"""Which lanes there are, read from routes, and what the menu makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from proxyless.resources import (
    ClusterAction,
    FaultAbort,
    FaultFilter,
    FaultPolicy,
    Fraction,
    HeaderMatch,
    Kind,
    PathMatch,
    Route,
    RouteConfig,
    RouteMatch,
    StringMatch,
    VirtualHost,
    WeightedCluster,
)

from lanes.own import lane_subset
from lanes.render import lane_regex
from productpage.menu import MOST_BUTTONS, menu_of
from serving.lanes import HeldLane, LanesHeld, lanes_in
from telemetry.lane_labels import lanes_named

ABORT = FaultFilter("fault", FaultPolicy(abort=FaultAbort(14, Fraction(100))))


def route(cluster: str, how: Any, value: str, *, header: str = "baggage", **more: Any) -> Route:
    invert = more.pop("invert", False)
    match = RouteMatch(PathMatch("prefix", ""), (HeaderMatch(header, StringMatch(how, value), invert),))
    return Route(match, ClusterAction((WeightedCluster(cluster, 1),)), **more)


def config(*routes: Route) -> RouteConfig:
    return RouteConfig("routes", (VirtualHost("host", ("*",), routes),))


def cluster(service: str, subset: str) -> str:
    return f"outbound|9080|{subset}|{service}.default.svc.cluster.local"


def test_lanes_with_their_members_by_name() -> None:
    dev, qa = lane_regex("env", "dev"), lane_regex("env", "qa.1")
    reviews = config(
        route(cluster("reviews", "v3"), "regex", qa),
        route(cluster("reviews", "v1"), "regex", qa, faults=(ABORT,)),
        route(cluster("reviews", "v2"), "regex", dev),
    )
    ratings = config(
        route(cluster("ratings", "v1"), "regex", qa, faults=(ABORT,)),
        route(cluster("ratings", "v2"), "regex", dev),
    )
    found = (HeldLane("dev", {"reviews": "v2", "ratings": "v2"}), HeldLane("qa.1", {"reviews": "v3"}, True))
    assert lanes_in([reviews, ratings], "env") == found
    assert lanes_in([ratings, reviews], "env") == found
    assert lanes_in([reviews, ratings], "lane") == ()


def test_an_injected_fault_changes_no_lane() -> None:
    dev, far = lane_regex("env", "dev"), lane_regex("env", "far")
    reviews = config(
        route(cluster("reviews", "v2"), "regex", dev, name="lane-dev", faults=(ABORT,)),
        route(cluster("reviews", "v1"), "regex", far, name="fault-far", faults=(ABORT,)),
    )
    assert lanes_in([reviews], "env") == (HeldLane("dev", {"reviews": "v2"}),)


def test_a_lane_that_a_rule_names_exactly() -> None:
    found = lanes_in([config(route(cluster("reviews", "v2"), "exact", "env=dev"))], "env")
    assert found == (HeldLane("dev", {"reviews": "v2"}),)


@pytest.mark.parametrize(
    "other",
    [
        route("c", "regex", "(.*,)?env=dev(,.*)?"),
        route("c", "prefix", "env=dev"),
        route("c", "exact", "user=7"),
        route("c", "regex", lane_regex("env", "dev"), header="x-baggage"),
        route("c", "regex", lane_regex("env", "dev"), invert=True),
        Route(RouteMatch(PathMatch("prefix", "")), ClusterAction((WeightedCluster("c", 1),))),
    ],
)
def test_what_names_no_lane(other: Route) -> None:
    assert lanes_in([config(other)], "env") == ()


class Mesh:
    """A client as far as LanesHeld asks it."""

    def __init__(self, *configs: RouteConfig) -> None:
        self.configs = list(configs)

    def held(self, kind: Kind) -> dict[str, Any]:
        found = self.configs if kind is Kind.ROUTE_CONFIG else []
        return {str(number): SimpleNamespace(resource=each) for number, each in enumerate(found)}


def tables(number: int) -> list[RouteConfig]:
    lanes = [f"lane{each:05}" for each in range(number)]
    return [
        config(*(route(cluster(service, "v2"), "regex", lane_regex("env", lane)) for lane in lanes))
        for service in ("details", "ratings", "reviews")
    ]


async def test_thousands_of_lanes_are_read_while_others_have_their_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("serving.lanes._TURN", 0.0)  # as fast as a machine may be, or as slow
    held = LanesHeld(cast(Any, Mesh(*tables(1000))), "env")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    found = await held.lanes()
    task.cancel()
    assert turns > 3 * 1000
    assert len(found) == 1000
    assert found[7] == HeldLane("lane00007", {"details": "v2", "ratings": "v2", "reviews": "v2"})


async def test_a_table_is_read_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.lanes._TURN", 0.0)
    read: list[Route] = []

    def noted(each: Route, key: str) -> Iterator[str]:
        read.append(each)
        return lanes_named(each, key)

    monkeypatch.setattr("serving.lanes.lanes_named", noted)
    mesh = Mesh(*tables(3))
    held = LanesHeld(cast(Any, mesh), "env")
    first, second = await asyncio.gather(held.lanes(), held.lanes())
    assert first is second
    assert len(read) == 9
    mesh.configs[1] = config(route(cluster("ratings", "v3"), "regex", lane_regex("env", "lane00001")))
    changed = await held.lanes()
    assert len(read) == 10
    assert changed[1].members == {"details": "v2", "ratings": "v3", "reviews": "v2"}
    assert changed[0].members == {"details": "v2", "reviews": "v2"}
    del mesh.configs[:2]
    assert [lane.members for lane in await held.lanes()] == [{"reviews": "v2"}] * 3
    mesh.configs.clear()
    assert await held.lanes() == ()
    assert len(read) == 10


async def test_without_a_mesh_there_are_none() -> None:
    held = LanesHeld(None, "env")
    assert (held.meshed, await held.lanes()) == (False, ())


@pytest.mark.parametrize(
    ("subset", "version", "own"),
    [
        ("v2", "v2", True),
        ("v2-rc1", "V2.rc1", True),
        ("lane-mine", "mine", True),
        (lane_subset("V2.rc1"), "V2.rc1", True),
        ("v2", "v1", False),
        ("lane-mine", "lane", False),
        ("", "v1", False),
    ],
)
def test_which_version_a_lane_has(subset: str, version: str, own: bool) -> None:
    lane = HeldLane("dev", {"reviews": subset})
    assert lane.serves("reviews", version) is own
    assert not lane.serves("ratings", version)
    assert lane.shown == {"reviews": subset.removeprefix("lane-")}


DEV = HeldLane("dev", {"reviews": "v2"})


@pytest.mark.parametrize(
    ("lanes", "meshed", "lane", "chosen", "note", "clearable"),
    [
        ((DEV,), True, None, "", "", False),
        ((DEV,), True, "dev", "dev", "", False),
        ((DEV,), True, "dev", "", "You did not choose lane dev", False),
        ((DEV,), True, "gone", "gone", "Lane gone is not there", True),
        ((DEV,), True, "gone", "", "Lane gone is not there", False),
        ((DEV,), True, None, "Not <One>", "'Not <One>', which is not made of", True),
        ((), True, None, "", "There are no lanes yet", False),
        ((), False, None, "", "without a mesh", False),
    ],
)
def test_the_menu_says_what_is_odd(
    lanes: tuple[HeldLane, ...], meshed: bool, lane: str | None, chosen: str, note: str, clearable: bool
) -> None:
    menu = menu_of(lanes, meshed, lane, chosen)
    assert (note in menu.note, bool(menu.note)) == (True, bool(note))
    assert menu.clearable is clearable


def test_a_long_menu_is_typed() -> None:
    lanes = tuple(HeldLane(f"lane-{number:04}") for number in range(2000))
    assert menu_of(lanes[:MOST_BUTTONS], True, None, "").typed is False
    menu = menu_of(lanes, True, "lane-1999", "lane-1999")
    assert (menu.typed, menu.buttons, len(menu.names)) == (True, (lanes[1999],), 500)
