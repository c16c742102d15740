"""What the API server lists, as lanes see it."""

from __future__ import annotations

from typing import Any

import pytest

from lanes.cluster.door import RulesPlace, door_pods, door_service, rules_place, target_port
from lanes.cluster.reading import (
    Listed,
    deployed_in,
    members_of,
    plain,
    services_known,
    state_of,
    why_not_ready,
)
from lanes.cluster.rollout import rollout_of
from lanes.landscape import Known, LaneError
from lanes.store import Member
from tests.unit.lanes.cluster.objects import deployment, pod, service, virtual_service

OURS = {
    "labels": {
        "app": "reviews",
        "app.kubernetes.io/managed-by": "lanes",
        "lanes.proxyless.dev/lane": "dev",
        "version": "dev",
    },
    "annotations": {"lanes.proxyless.dev/expires": "2030-01-01T00:00:00Z"},
}
WAITING = {
    "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]
}


@pytest.mark.parametrize(
    ("port", "grpc"),
    [
        ({"name": "grpc-reviews"}, True),
        ({"name": "grpc"}, True),
        ({"name": "http2"}, True),
        ({"name": "http-web"}, False),
        ({"name": "http-web", "appProtocol": "grpc"}, True),
        ({"name": "grpc-x", "appProtocol": "http"}, False),
        ({"appProtocol": "kubernetes.io/h2c"}, True),
        ({}, False),
    ],
)
def test_which_services_speak_grpc(port: dict[str, Any], grpc: bool) -> None:
    [known] = services_known([service("reviews", {"port": 9080, **port})])
    assert known == Known("reviews", "shop", (9080,), grpc, door=not grpc)


def test_which_of_the_services_that_speak_http_is_the_door() -> None:
    http, grpc = {"port": 80, "name": "http"}, {"port": 1, "name": "grpc"}
    page, api, reviews = service("page", http), service("api", http), service("reviews", grpc)
    doors = {each.name for each in services_known([page, reviews]) if each.door}
    assert doors == {"page"}
    assert not any(each.door for each in services_known([page, api, reviews]))  # nobody says which
    page["metadata"]["labels"] = {"lanes.proxyless.dev/door": "true"}
    doors = {each.name for each in services_known([page, api, reviews]) if each.door}
    assert doors == {"page"}


def test_what_selects_no_pods_or_has_no_routes_has_no_versions() -> None:
    kubernetes = service("kubernetes")
    del kubernetes["spec"]["selector"]
    dns = service("dns", {"port": 53, "protocol": "UDP"})
    cache = service("cache", {"name": "redis", "port": 6379}, {"name": "x", "port": 1, "appProtocol": "tcp"})
    assert services_known([kubernetes, dns, cache]) == []
    both = service("both", {"name": "tcp-x", "port": 1}, {"name": "web", "port": 80})
    assert services_known([both]) == [Known("both", "shop", (80,), False, door=True)]


def test_members_are_pods_and_what_lanes_started_without_one() -> None:
    ended = pod("reviews-old", "reviews", "v1", ready=False, phase="Failed")
    leaving = pod("reviews-3", "reviews", "v1")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    # a lane that was just deleted and is created again meets its old pods
    leaving["metadata"]["labels"]["version"] = "gone"
    stranger = pod("x", "reviews", "v1")
    del stranger["metadata"]["labels"]["version"]
    listed = Listed(
        services=[service("reviews"), service("ratings")],
        deployments=[
            deployment("reviews-dev", "reviews", "dev", "bookinfo:dev", **OURS),
            deployment("reviews-new", "reviews", "new", "bookinfo:new", **OURS),
            deployment("reviews-v1", "reviews", "v1"),
        ],
        pods=[
            pod("reviews-1", "reviews", "v1"),
            pod("reviews-2", "reviews", "dev", ready=False, **WAITING),
            *(ended, leaving, stranger, pod("ratings-1", "ratings", "v1")),
        ],
    )
    until = "2030-01-01T00:00:00Z"
    assert members_of(listed) == [
        Member("reviews", "v1", "reviews-1", "10.0.0.1", True, "ready"),
        Member("reviews", "dev", "reviews-2", "10.0.0.1", False, "ErrImagePull", "bookinfo:dev", until),
        Member("reviews", "new", "reviews-new", "", False, "no pod", "bookinfo:new", until),
        Member("ratings", "v1", "ratings-1", "10.0.0.1", True, "ready"),
    ]


def test_how_a_pod_does() -> None:
    assert state_of(pod("a", "a", "v1", ready=False)) == "not ready"
    assert state_of({"metadata": {}, "status": {}}) == "Pending"
    assert why_not_ready(pod("a", "a", "v1", ready=False, **WAITING)) == "pod a: ErrImagePull: no such image"
    unscheduled = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes have room"}]
    found = why_not_ready(pod("a", "a", "v1", phase="Pending", conditions=unscheduled))
    assert found == "pod a: Pending: 0/1 nodes have room"


def test_a_plain_object_has_nothing_of_the_servers() -> None:
    there = virtual_service("reviews", uid="u", resourceVersion="1", managedFields=[{}], generation=2)
    there["metadata"] |= {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "labels": {},
    }
    there["status"] = {}
    assert plain(there) == virtual_service("reviews")
    there["metadata"]["annotations"]["a"] = "b"
    assert plain(there)["metadata"]["annotations"] == {"a": "b"}


def status(**fields: Any) -> dict[str, Any]:
    there = deployment("reviews-dev", "reviews", "dev", generation=2)
    there["spec"]["replicas"] = 1
    there["status"] = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, **fields}
    return there


@pytest.mark.parametrize(
    ("there", "done", "failed", "text"),
    [
        (status(availableReplicas=1), True, False, "reviews-dev: 1 of 1 ready"),
        (status(), False, False, "reviews-dev: 0 of 1 ready; pod p: ErrImagePull: no such image"),
        # what is available is of the old image
        (status(availableReplicas=1, observedGeneration=1), False, False, "reviews-dev: 1 of 1 ready; pod p"),
        (status(availableReplicas=1, replicas=2), False, False, "reviews-dev: 1 of 1 ready; pod p"),
        (
            status(conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]),
            *(False, False, "reviews-dev: 0 of 1 ready; exceeded quota"),
        ),
        (
            status(
                conditions=[{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
            ),
            *(False, True, "reviews-dev: 0 of 1 ready; pod p: ErrImagePull"),
        ),
    ],
)
def test_a_rollout(there: dict[str, Any], done: bool, failed: bool, text: str) -> None:
    leaving = pod("old", "reviews", "dev", ready=False)
    leaving["metadata"]["deletionTimestamp"] = "now"
    found = rollout_of(there, [leaving, pod("p", "reviews", "dev", ready=False, **WAITING)])
    assert (found.done, found.failed) == (done, failed)
    assert found.text.startswith(text)


# -- the door


PAGE = service("productpage", {"name": "http-page", "port": 80, "targetPort": "http"})


def test_the_door_is_the_one_that_speaks_http_or_says_so() -> None:
    assert door_service(Listed(services=[service("reviews"), PAGE])) == PAGE
    other = service("admin", {"name": "http", "port": 80})
    with pytest.raises(
        LaneError, match=r"Which Service is the door\? .* there are productpage, admin; the label"
    ):
        door_service(Listed(services=[PAGE, other]))
    labelled = service("reviews", labels={"lanes.proxyless.dev/door": "true"})
    assert door_service(Listed(services=[PAGE, other, labelled])) == labelled
    pods = [
        pod("a", "productpage", "v1", ready=False),
        pod("b", "productpage", "v1"),
        pod("c", "reviews", "v1"),
    ]
    assert [each["metadata"]["name"] for each in door_pods(Listed(pods=pods), PAGE)] == ["b"]


def test_the_port_of_its_pods() -> None:
    there = pod("a", "productpage", "v1")
    assert target_port(PAGE, there) == 9080
    assert target_port(service("productpage", {"port": 80}), there) == 80
    assert target_port(service("productpage", {"port": 80, "targetPort": 8080}), there) == 8080
    with pytest.raises(LaneError, match="pod a has no port of the name 'web'"):
        target_port(service("productpage", {"port": 80, "targetPort": "web"}), there)


def test_its_rules_are_where_its_deployment_mounts_them() -> None:
    there = deployment("productpage-v1", "productpage", "v1")
    template = there["spec"]["template"]["spec"]
    with pytest.raises(LaneError, match="Deployments of productpage mount no ConfigMap for DOOR_RULES"):
        rules_place(Listed(deployments=[there]), PAGE)
    template["containers"][0] |= {
        "env": [{"name": "DOOR_RULES", "value": "/etc/door/door.yaml"}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "door", "mountPath": "/etc/door/"}],
    }
    template["volumes"] = [{"name": "tmp", "emptyDir": {}}, {"name": "door", "configMap": {"name": "rules"}}]
    assert rules_place(Listed(deployments=[there]), PAGE) == RulesPlace("rules", "door.yaml")


def test_what_is_deployed_is_counted_by_version_without_lanes() -> None:
    lanes_own = pod("reviews-dev-x", "reviews", "dev")
    lanes_own["metadata"]["labels"]["lanes.proxyless.dev/lane"] = "dev"
    nameless = pod("ratings-x", "ratings", "")
    del nameless["metadata"]["labels"]["version"]
    listed = Listed(
        services=[service("reviews"), service("ratings")],
        deployments=[
            deployment("reviews-v1", "reviews", "v1"),
            deployment("reviews-v2", "reviews", "v2"),
            deployment("reviews-dev", "reviews", "dev", **OURS),
        ],
        pods=[pod("reviews-v1-x", "reviews", "v1"), lanes_own, nameless],
    )
    assert deployed_in(listed) == {"reviews": {"v1": 1, "v2": 3}, "ratings": {"": 1}}
