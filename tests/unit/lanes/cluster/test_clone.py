"""The Deployment of a lane's own version: which is cloned, and what of it is another's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lanes.cluster.clone import base_deployment, base_version, cloned, with_end, with_image
from lanes.cluster.reading import plain
from lanes.landscape import Known, Landscape, LaneError
from lanes.render import lane_regex
from tests.unit.lanes.cluster.objects import (
    NAMESPACE,
    deployment,
    destination_rule,
    service,
    to,
    virtual_service,
)

REVIEWS = Known("reviews", NAMESPACE, (9080,))
LANE = {
    "name": "lane-dev",
    "match": [{"headers": {"baggage": {"regex": lane_regex("env", "dev")}}}],
    "route": [to("reviews", "v1")],
}
OURS = {
    "labels": {"app.kubernetes.io/managed-by": "lanes", "lanes.proxyless.dev/lane": "dev", "app": "reviews"}
}
DEPLOYMENTS = [
    deployment("reviews-dev", "reviews", "dev", creationTimestamp="2025-01-01T00:00:00Z", **OURS),
    deployment("reviews-v1", "reviews", "v1", creationTimestamp="2026-01-02T00:00:00Z"),
    deployment("reviews-v3", "reviews", "v3", creationTimestamp="2026-01-01T00:00:00Z"),
    deployment("ratings-v1", "ratings", "v1", creationTimestamp="2025-01-01T00:00:00Z"),
]


def scene(*routes: dict[str, Any]) -> Landscape:
    rules = [destination_rule("reviews", "v1", "v2", "v3")]
    if routes:
        rules.append(virtual_service("reviews", *routes))
    return Landscape.of(rules, [REVIEWS])


@pytest.mark.parametrize(
    ("routes", "version", "name"),
    [
        ([LANE, {"route": [to("reviews", "v1")]}], "v1", "reviews-v1"),
        ([{"route": [to("reviews", "v1", 20), to("reviews", "v3", 80)]}], "v3", "reviews-v3"),
        ([{"match": [{"uri": {"prefix": "/"}}], "route": [to("reviews", "v1")]}], None, "reviews-v3"),
        ([{"route": [{"destination": {"host": "reviews"}}]}], None, "reviews-v3"),
        ([{"route": [to("elsewhere.example", "v1")]}], None, "reviews-v3"),
        ([], None, "reviews-v3"),  # the oldest that lanes have not made
    ],
)
def test_what_serves_base_is_cloned(routes: list[dict[str, Any]], version: str | None, name: str) -> None:
    landscape = scene(*routes)
    assert base_version(landscape, REVIEWS) == version
    found = base_deployment(landscape, REVIEWS, service("reviews"), DEPLOYMENTS)
    assert found["metadata"]["name"] == name


def test_nothing_to_clone_is_said_so() -> None:
    with pytest.raises(
        LaneError, match=r"no Deployment of reviews v2 to clone, .* there are reviews-v3, reviews-v1"
    ):
        base_deployment(scene({"route": [to("reviews", "v2")]}), REVIEWS, service("reviews"), DEPLOYMENTS)
    with pytest.raises(LaneError, match="there are none"):
        base_deployment(scene(), REVIEWS, service("reviews"), [])


def base() -> dict[str, Any]:
    found = deployment(
        "reviews-v1",
        "reviews",
        "v1",
        uid="u",
        resourceVersion="7",
        generation=3,
        managedFields=[{}],
        annotations={"deployment.kubernetes.io/revision": "4", "meta.helm.sh/release-name": "shop"},
    )
    found["metadata"]["labels"] = {
        **found["metadata"]["labels"],
        "helm.sh/chart": "bookinfo-1",
        "app.kubernetes.io/instance": "shop",
        "app.kubernetes.io/managed-by": "Helm",
        "team": "books",
    }
    found["status"] = {"replicas": 3}
    template = found["spec"]["template"]
    template["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now", "a": "b"}
    template["metadata"]["creationTimestamp"] = None
    own, others = {"app": "reviews", "version": "v1"}, {"app": "ratings", "version": "v1"}
    template["spec"] |= {
        "topologySpreadConstraints": [{"labelSelector": {"matchLabels": dict(own)}}],
        "affinity": {"podAffinity": {"x": [{"podAffinityTerm": {"labelSelector": {"matchLabels": own}}}]}},
        "other": {"labelSelector": {"matchLabels": others | {"version": "v9"}}},
    }
    template["spec"]["containers"].insert(0, {"name": "sidecar", "image": "proxy:1"})
    found["spec"] |= {"paused": True, "revisionHistoryLimit": 2}
    return found


def test_a_clone_is_the_lanes_own() -> None:
    before = base()
    there = copy.deepcopy(before)
    found = cloned(plain(before), "reviews", "dev", "bookinfo:2", "2030-01-01T00:00:00Z")
    assert before == there
    assert found["metadata"] == {
        "name": "reviews-dev",
        "namespace": NAMESPACE,
        "labels": {
            "app": "reviews",
            "version": "dev",
            "team": "books",
            "app.kubernetes.io/managed-by": "lanes",
            "lanes.proxyless.dev/lane": "dev",
        },
        "annotations": {
            "lanes.proxyless.dev/clone-of": "reviews-v1",
            "lanes.proxyless.dev/expires": "2030-01-01T00:00:00Z",
        },
    }
    spec = found["spec"]
    assert spec.keys() == {"replicas", "selector", "template"}
    assert spec["replicas"] == 1
    assert spec["selector"] == {"matchLabels": {"app": "reviews", "version": "dev"}}
    assert spec["template"]["metadata"] == {
        "labels": {"app": "reviews", "version": "dev", "lanes.proxyless.dev/lane": "dev"},
        "annotations": {"a": "b"},
    }
    sidecar, container = spec["template"]["spec"]["containers"]
    assert sidecar == {"name": "sidecar", "image": "proxy:1"}
    assert container["image"] == "bookinfo:2"
    assert container["env"] == [{"name": "SERVICE_VERSION", "value": "dev"}]
    text = str({key: spec["template"]["spec"][key] for key in ("topologySpreadConstraints", "affinity")})
    assert (text.count("'version': 'dev'"), text.count("'version': 'v1'")) == (2, 0)
    assert spec["template"]["spec"]["other"]["labelSelector"]["matchLabels"]["version"] == "v9"


def test_a_version_that_comes_from_the_label_is_left_to_it() -> None:
    before = base()
    reference = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['version']"}}}
    before["spec"]["template"]["spec"]["containers"][1]["env"] = [{"name": "SERVICE_VERSION", **reference}]
    found = cloned(plain(before), "reviews", "dev", "x:1", "")
    assert found["spec"]["template"]["spec"]["containers"][1]["env"] == [
        {"name": "SERVICE_VERSION", **reference}
    ]
    assert "lanes.proxyless.dev/expires" not in found["metadata"]["annotations"]


def test_another_image_and_another_end() -> None:
    before = cloned(plain(base()), "reviews", "dev", "bookinfo:2", "2030-01-01T00:00:00Z")
    after = with_image(before, "reviews", "bookinfo:3", "")
    assert [each["image"] for each in after["spec"]["template"]["spec"]["containers"]] == [
        "proxy:1",
        "bookinfo:3",
    ]
    assert after["metadata"]["annotations"] == {"lanes.proxyless.dev/clone-of": "reviews-v1"}
    assert with_end(after, "2031-01-01T00:00:00Z")["metadata"]["annotations"]["lanes.proxyless.dev/expires"]
    assert before["metadata"]["annotations"]["lanes.proxyless.dev/expires"] == "2030-01-01T00:00:00Z"
