"""What is written into objects, what refusals say, and how much history there is room for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lanes.cluster.ledger import KEY, MOST_BYTES, MOST_REVISIONS, ledger_of, revisions_in
from lanes.cluster.refusal import Asked, refusal
from lanes.cluster.resource import DEPLOYMENTS, PODS, SERVICES, VIRTUAL_SERVICES, Resource
from lanes.cluster.written import leftovers, own_fields
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.spec import Lane
from lanes.store import Conflict, NoMesh
from tests.unit.lanes.cluster.objects import deployment, destination_rule, virtual_service

ENDS = {"expires.lanes.proxyless.dev/dev": "2030-01-01T00:00:00Z"}


def test_of_a_rule_only_routes_subsets_and_ends_are_written() -> None:
    there = virtual_service("reviews", {"name": "base"}, annotations={**ENDS, "a": "b"}, labels={"x": "y"})
    there["spec"]["exportTo"] = ["."]
    assert own_fields(there) == {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": "shop", "annotations": ENDS},
        "spec": {"http": [{"name": "base"}]},
    }
    rule = destination_rule("reviews", "v1")
    rule["spec"]["trafficPolicy"] = {}
    assert own_fields(rule)["spec"] == {"subsets": rule["spec"]["subsets"]}
    del rule["spec"]["subsets"]
    assert "spec" not in own_fields(rule)


def test_of_a_deployment_only_images_and_its_end_are_written() -> None:
    there = deployment(
        "reviews-dev", "reviews", "dev", annotations={"lanes.proxyless.dev/expires": "x", "a": "b"}
    )
    found = own_fields(there)
    assert found["metadata"]["annotations"] == {"lanes.proxyless.dev/expires": "x"}
    containers = [{"name": "reviews", "image": "bookinfo:1"}]
    assert found["spec"] == {"template": {"spec": {"containers": containers}}}


def test_what_is_to_go_is_taken_out_by_name() -> None:
    there = virtual_service("reviews", {"name": "base"}, annotations={**ENDS, "a": "b"})
    assert leftovers(own_fields(there), there) is None
    wanted = own_fields(virtual_service("reviews", {"name": "base"}))
    gone = {"metadata": {"annotations": {"expires.lanes.proxyless.dev/dev": None}}}
    assert leftovers(wanted, there) == gone
    bare = destination_rule("reviews")
    del bare["spec"]["subsets"]
    assert leftovers(own_fields(bare), destination_rule("reviews", "v1")) == {"spec": {"subsets": None}}
    assert leftovers(own_fields(bare), bare) is None


def status(reason: str, message: str) -> str:
    return json.dumps({"kind": "Status", "reason": reason, "message": message})


FORBIDDEN = (
    'deployments.apps is forbidden: User "ann" cannot create resource "deployments" in API group "apps" '
    'in the namespace "shop"'
)


@pytest.mark.parametrize(
    ("verb", "resource", "code", "body", "kind", "said"),
    [
        (
            "list",
            SERVICES,
            401,
            status("Unauthorized", "Unauthorized"),
            NoMesh,
            "does not know who you are (401)",
        ),
        (
            *("create", DEPLOYMENTS, 403, status("Forbidden", FORBIDDEN), NoMesh),
            "ann has no right to create deployments.apps in the namespace shop of the context x (403); a",
        ),
        ("create", PODS, 403, "", NoMesh, "You have no right to create pods in the namespace shop"),
        (
            *(
                "create",
                DEPLOYMENTS,
                403,
                status("Forbidden", 'deployments "a" is forbidden: ex quota: few'),
            ),
            *(
                LaneError,
                'refuses to create deployments.apps/a (HTTP 403): deployments "a" is forbidden:',
            ),
        ),
        ("list", VIRTUAL_SERVICES, 404, "404 page not found\n", NoMesh, "install Istio 1.22 or newer"),
        ("list", SERVICES, 404, "404 page not found\n", LaneError, "(HTTP 404): 404 page not found."),
        ("patch", VIRTUAL_SERVICES, 409, status("Conflict", "changed"), Conflict, ""),
        (
            "create",
            DEPLOYMENTS,
            422,
            status("Invalid", "spec.x: bad."),
            LaneError,
            "(HTTP 422): spec.x: bad.",
        ),
        ("get", DEPLOYMENTS, 503, "", NoMesh, "is not well (HTTP 503): it does not say why."),
        ("get", DEPLOYMENTS, 429, status("", "too many"), NoMesh, "is not well (HTTP 429): too many."),
    ],
)
def test_refusals(
    verb: str, resource: Resource, code: int, body: str, kind: type[Exception], said: str
) -> None:
    found = refusal(Asked(verb, resource, "shop", "the context x", "a"), code, body)
    assert type(found) is kind
    assert said in str(found)


def revision(number: int, change: str = "x") -> Revision:
    return Revision(number, "now", "me", change, (Lane("dev", {"reviews": "v2"}, expires="later"),))


def test_the_ledger_keeps_the_newest() -> None:
    assert revisions_in(None) == []
    every = [revision(number) for number in range(MOST_REVISIONS + 5)]
    kept = ledger_of(every, "shop")
    assert kept["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "lanes"}
    assert revisions_in(kept) == every[5:]
    large = [revision(number, "y" * (MOST_BYTES // 3)) for number in range(4)]
    kept = ledger_of(large, "shop")
    assert revisions_in(kept) == large[2:]
    assert len(kept["data"][KEY]) <= MOST_BYTES


@pytest.mark.parametrize("text", ["{", "[]", '{"number": 1}'])
def test_what_is_no_ledger(text: str) -> None:
    there: dict[str, Any] = {"data": {KEY: text}}
    with pytest.raises(LaneError, match="cannot be read"):
        revisions_in(there)
