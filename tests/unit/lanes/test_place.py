"""Which mesh a command means, and what can be named as an image."""

from __future__ import annotations

import pytest

from lanes.cli.place import InCluster, OnThisMachine, Place, Unclear, place_of
from lanes.image import image_of, names_image
from lanes.landscape import LaneError


@pytest.mark.parametrize(
    ("options", "variables", "in_pod", "place"),
    [
        ({}, {}, False, OnThisMachine()),
        ({}, {}, True, InCluster()),
        ({"state": "x"}, {}, False, OnThisMachine("x", named=True)),
        ({"state": "x"}, {}, True, OnThisMachine("x", named=True)),
        ({}, {"state": "x"}, True, OnThisMachine("x", named=True)),
        ({"context": "kind"}, {}, False, InCluster(context="kind")),
        ({"namespace": "shop"}, {}, False, InCluster(namespace="shop")),
        ({"kubeconfig": "k"}, {}, True, InCluster(kubeconfig="k")),
        ({}, {"context": "kind", "namespace": "shop"}, False, InCluster("kind", "shop")),
        # what is typed goes before what the shell has
        ({"context": "kind"}, {"state": "x"}, False, InCluster(context="kind")),
        ({"state": "x"}, {"context": "kind"}, False, OnThisMachine("x", named=True)),
        ({"namespace": "shop"}, {"context": "kind", "namespace": "a"}, False, InCluster("kind", "shop")),
    ],
)
def test_the_place(options: dict[str, str], variables: dict[str, str], in_pod: bool, place: Place) -> None:
    assert place_of(options, variables, in_pod=in_pod, mesh_here=False) == place


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        ({"state": "x", "context": "c"}, {}, "--state names a mesh on this machine and --context one in a"),
        ({"state": "x", "namespace": "c"}, {}, "say which: --state or --namespace."),
        ({}, {"state": "x", "namespace": "c"}, "MESH_STATE names a mesh on this machine and LANES_NAMESPACE"),
        ({}, {}, "This is a pod of a cluster, and a mesh runs in .mesh, too"),
    ],
)
def test_both_could_be_meant(options: dict[str, str], variables: dict[str, str], said: str) -> None:
    with pytest.raises(Unclear, match=said.replace(".", r"\.")):
        place_of(options, variables, in_pod=True, mesh_here=True)


@pytest.mark.parametrize(
    "image",
    [
        "reviews:dev",
        "registry.example/team/reviews",
        "localhost:5000/reviews:1.2_x-y",
        "reviews@sha256:" + "0" * 64,
        "ghcr.io/a/b__c/d-e:v1@sha256:" + "0123456789abcdef" * 4,
    ],
)
def test_images(image: str) -> None:
    assert names_image(image)
    assert image_of("reviews", image) == image


@pytest.mark.parametrize(
    "text", ["./reviews", "python -m reviews", "Reviews:dev", "reviews:", "a//b", "x@y", "/x"]
)
def test_what_is_neither_version_nor_image(text: str) -> None:
    assert names_image(text)
    with pytest.raises(LaneError, match="is no name of an image to run as reviews"):
        image_of("reviews", text)


def test_versions_are_no_images() -> None:
    assert not any(map(names_image, ("v2", "1.2.3", "a_b-c", "nginx")))
