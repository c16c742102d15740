"""Mesh and lanes as the page shows them, out of objects and processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from console.reading.lanes_view import lanes_view, lanes_view_of
from console.reading.mesh_view import base_weights, cluster_view, machine_view
from console.reading.peers import peers_of
from lanes.edits import create
from lanes.landscape import Known, Landscape
from lanes.spec import Lane, Mode
from lanes.store import Member, Seen
from mesh.status import MeshStatus, ProcessStatus

SERVICES = (
    Known("productpage", ports=(9080,), grpc=False, door=True),
    Known("reviews", ports=(9080,)),
    Known("ratings", ports=(9080,)),
)
REVIEWS = SERVICES[1]
RULES = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: one, labels: {version: v1}}
  - {name: v3, labels: {version: v3}}
  - {name: odd, labels: {team: blue}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{name: base, route: []}]}
"""


def landscape(*routes: dict[str, Any]) -> Landscape:
    documents = list(yaml.safe_load_all(RULES))
    documents[1]["spec"]["http"] = list(routes)
    return Landscape.of(documents, SERVICES, deployed={"ratings": {"v1": 1}})


def to(subset: str | None, weight: int | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"destination": {"host": "reviews"}}
    if subset is not None:
        entry["destination"]["subset"] = subset
    return entry if weight is None else {**entry, "weight": weight}


def test_how_base_is_split() -> None:
    assert base_weights(landscape({"route": [to("one")]}), REVIEWS) == ({"v1": 100}, "")
    assert base_weights(landscape({"route": [to("one", 90), to("v3", 10)]}), REVIEWS)[0] == {
        "v1": 90,
        "v3": 10,
    }


@pytest.mark.parametrize("subset", ["gone", "odd", None])
def test_why_it_cannot_be_told_how_base_is_split(subset: str | None) -> None:
    weights, why_not = base_weights(landscape({"route": [to(subset)]}), REVIEWS)
    assert weights is None
    assert "reviews" in why_not
    assert (subset or "any version") in why_not


def test_lanes_do_not_hide_how_base_is_split() -> None:
    made = create(Lane("dev", {"reviews": "v3"}))(landscape({"route": [to("one", 90), to("v3", 10)]}))
    assert base_weights(made, REVIEWS) == ({"v1": 90, "v3": 10}, "")


def test_a_service_without_rules_has_no_split() -> None:
    assert base_weights(Landscape.of((), SERVICES), REVIEWS)[0] is None


STATUS = MeshStatus(
    phase="ready",
    url="http://127.0.0.1:9080",
    xds_address="127.0.0.1:15010",
    admin_url="",
    state="",
    processes=(
        ProcessStatus("controlplane", "127.0.0.1:15010", "ready", 1),
        ProcessStatus("productpage/v1", "127.0.0.1:9080", "ready", 2, admin="127.77.0.10:15000"),
        ProcessStatus("reviews/v1", "127.77.0.11:9080", "killed", None, -9, admin="127.77.0.11:15000"),
        ProcessStatus("reviews/v3", "127.77.0.12:9080", "ready", 3),
    ),
    limits=("none",),
)
MEMBERS = (
    Member("productpage", "v1", "productpage/v1", "127.0.0.1:9080", True),
    Member("reviews", "v1", "reviews/v1", "127.77.0.11:9080", False, "killed"),
    Member("reviews", "v3", "reviews/v3", "127.77.0.12:9080", True),
    Member("ratings", "v9", "mine", "10.0.0.1:80", True, "announced"),
)


def test_the_mesh_of_this_machine() -> None:
    shown = machine_view(STATUS, landscape({"route": [to("one")]}), MEMBERS)
    assert shown["page"] == "http://127.0.0.1:9080/productpage"
    assert shown["control_plane"] == {"phase": "ready", "address": "127.0.0.1:15010"}
    assert shown["limits"] == ["none"]
    services = {service["name"]: service for service in shown["services"]}
    assert list(services) == ["productpage", "reviews", "ratings", "delivery"]
    assert services["productpage"]["base"] is None
    assert services["reviews"]["base"] == {"v1": 100}
    assert services["reviews"]["versions"] == ["v1", "v3"]
    killed, ready = services["reviews"]["instances"]
    assert killed == {
        "name": "reviews/v1",
        "version": "v1",
        "phase": "killed",
        "state": "killed (SIGKILL)",
        "address": "127.77.0.11:9080",
        "admin": "127.77.0.11:15000",
        "pid": None,
        "startable": True,
    }
    assert (ready["admin"], ready["pid"], ready["startable"]) == (None, 3, False)
    [announced] = services["ratings"]["instances"]
    assert (announced["name"], announced["state"], announced["startable"]) == ("mine", "announced", False)
    waiting = services["delivery"]["instances"]
    assert [(each["name"], each["phase"], each["startable"]) for each in waiting] == [
        ("delivery/v1", "stopped", True),
        ("delivery/v2", "stopped", True),
    ]


def test_without_admin_ports_it_is_said_that_little_can_be_shown() -> None:
    shared = replace(STATUS, processes=tuple(replace(each, admin="") for each in STATUS.processes))
    limits = machine_view(shared, landscape({"route": [to("one")]}), MEMBERS)["limits"]
    assert limits[0] == "none"
    assert "admin port" in limits[1]
    assert peers_of(shared) == ()


def test_who_has_an_admin_port_is_a_peer() -> None:
    assert [(peer.name, peer.admin) for peer in peers_of(STATUS)] == [
        ("productpage/v1", "127.77.0.10:15000"),
        ("reviews/v1", "127.77.0.11:15000"),
    ]


def test_the_status_keeps_the_admin_address_on_its_way() -> None:
    assert MeshStatus.from_dict(STATUS.to_dict()) == STATUS


DOOR = """
rules:
- {user: [jason, ann], lane: dev}
- {percent: 10, lane: dev}
- {header: x-team, equals: blue, lane: dev}
- {cookie: lane}
"""


def test_lanes_with_their_members_and_who_stands_in() -> None:
    made = create(Lane("dev", {"reviews": "v3", "ratings": "v2"}))(landscape({"route": [to("one")]}))
    made = create(Lane("hard", {"reviews": "v1"}, Mode.STRICT))(made)
    shown = lanes_view(Seen(made, MEMBERS), DOOR, {"base": 3, "dev": 1, "unheard": 4})
    assert shown["key"] == "env"
    assert shown["base"] == {"calls": 3, "share": 0.375}
    dev, hard = shown["lanes"]
    assert (dev["name"], dev["hue"], dev["mode"], dev["expires"]) == ("dev", 3, "permissive", "")
    assert dev["versions"] == {"ratings": "v2", "reviews": "v3"}
    assert [(m["service"], m["ready"], m["state"]) for m in dev["members"]] == [
        ("ratings", False, "missing"),
        ("reviews", True, "ready"),
    ]
    assert dev["fallback"] == ["ratings"]
    assert (dev["share"], dev["requests"]) == (0.125, 1)
    assert dev["door"] == ["user jason, ann", "10 % of visitors", "header x-team = blue"]
    assert (hard["mode"], hard["fallback"], hard["door"]) == ("strict", [], [])
    assert [(m["name"], m["state"]) for m in hard["members"]] == [("reviews/v1", "killed")]


def test_rules_of_the_door_that_cannot_be_read_are_none() -> None:
    made = create(Lane("dev", {"reviews": "v3"}))(landscape({"route": [to("one")]}))
    [dev] = lanes_view(Seen(made, MEMBERS), "rules: [", {})["lanes"]
    assert (dev["door"], dev["share"]) == ([], 0.0)


def test_lanes_where_only_clients_tell_of_them() -> None:
    lanes = [Lane("dev", {"reviews": "v3"}), Lane("hard", {"reviews": "v1"}, Mode.STRICT)]
    shown = lanes_view_of(lanes, "lane", MEMBERS, {"dev": 1}, "productpage")
    assert shown["key"] == "lane"
    dev, hard = shown["lanes"]
    assert [member["name"] for member in dev["members"]] == ["reviews/v3"]
    assert (dev["fallback"], dev["share"]) == (["ratings"], 1.0)
    assert (hard["fallback"], hard["members"][0]["ready"]) == ([], False)


def test_a_cluster_is_what_answers() -> None:
    shown = cluster_view(MEMBERS[:3], {"reviews/v3": "10.0.0.3:15000"}, {"istiod:15010"})
    assert shown["control_plane"] == {"phase": "ready", "address": "istiod:15010"}
    assert [service["name"] for service in shown["services"]] == ["productpage", "reviews"]
    reviews = shown["services"][1]
    assert reviews["base"] is None
    assert [each["admin"] for each in reviews["instances"]] == [None, "10.0.0.3:15000"]
    assert {each["startable"] for each in reviews["instances"]} == {False}
    assert cluster_view((), {}, set())["control_plane"]["phase"] == "unknown"
