"""Services with rules as people write them, and lanes above them."""

import copy
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from controlplane.loader import load_texts
from lanes.change import dump_all
from lanes.compose import put
from lanes.landscape import Document, Key, Known, Landscape
from lanes.spec import Lane, Mode

SERVICES = [
    Known("reviews", ports=(9080,)),
    Known("details", ports=(9080,)),
    Known("delivery", ports=(9080,), grpc=False),
    Known("productpage", ports=(9080,), grpc=False, door=True),
]
DEPLOYED = {name: {"v1": 1, "v2": 1, "v3": 1} for name in ("reviews", "details", "delivery")}
RULE = Key("VirtualService", "default", "reviews")
SUBSETS = Key("DestinationRule", "default", "reviews")


def virtual_service(http: list[Document], name: str = "reviews") -> Document:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"hosts": [name], "http": http},
    }


def destination_rule(*versions: str, name: str = "reviews") -> Document:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "host": name,
            "subsets": [{"name": version, "labels": {"version": version}} for version in versions],
        },
    }


def to(version: str | None, weight: int | None = None, **more: Any) -> Document:
    destination = {"host": "reviews"} | ({"subset": version} if version else {})
    return {"destination": destination} | ({"weight": weight} if weight is not None else {}) | more


JASON: Document = {"match": [{"headers": {"end-user": {"exact": "jason"}}}], "route": [to("v2")]}
BASES: dict[str, list[Document]] = {
    "nothing": [],
    "one version": [destination_rule("v1", "v2", "v3"), virtual_service([{"route": [to("v1")]}])],
    "weights": [
        destination_rule("v1", "v2", "v3"),
        virtual_service([{"name": "split", "timeout": "3s", "route": [to("v1", 80), to("v3", 20)]}]),
    ],
    "above it a user's": [
        destination_rule("v1", "v2"),
        virtual_service([JASON, {"route": [to("v1", 100)], "retries": {"attempts": 2}}]),
    ],
    "any version": [virtual_service([{"route": [to(None)]}])],
    "subsets alone": [destination_rule("v1")],
}
LANES = (
    Lane("dev", {"reviews": "v2"}),
    Lane("qa", {"reviews": "v3", "details": "v2"}, Mode.STRICT),
    Lane("far", {"details": "v3"}),
    Lane("shut", {"details": "v1"}, Mode.STRICT),
)


def scene(documents: Iterable[Document], lanes: Iterable[Lane] = ()) -> Landscape:
    landscape = Landscape.of(copy.deepcopy(list(documents)), SERVICES, deployed=DEPLOYED)
    for lane in lanes:
        landscape = put(landscape, lane)
    return landscape


def scenes(bases: Iterable[str] = tuple(BASES)) -> st.SearchStrategy[Landscape]:
    return st.builds(
        lambda base, lanes: scene(BASES[base], lanes),
        st.sampled_from(list(bases)),
        st.lists(st.sampled_from(LANES), unique_by=lambda lane: lane.name),
    )


def http(landscape: Landscape, key: Key = RULE) -> list[Document]:
    routes: list[Document] = landscape.objects[key]["spec"]["http"]
    return routes


def is_sound(landscape: Landscape) -> None:
    """The control plane takes it, and has nothing to remark on what it refers to."""
    loaded = load_texts({"console": dump_all(landscape.objects.values())})
    assert loaded.errors == ()
