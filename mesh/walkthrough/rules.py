"""The rules of the walkthrough: lanes as specs, rendered to the Istio YAML that is applied."""

from __future__ import annotations

from lanes.render import render
from lanes.spec import Lane, MeshSpec, Mode, Service
from mesh.objects import dump_yaml

DEV = "env=dev"
QA = "env=qa"
FAST = "env=fast"
REVIEWS_SHARE = {"v1": 80, "v3": 20}


def lanes(*, qa: Mode = Mode.PERMISSIVE) -> MeshSpec:
    """dev has reviews v2 and ratings v2; qa has ratings v2 and details v2, and no reviews of its own."""
    return MeshSpec(
        services=(
            Service("reviews", REVIEWS_SHARE),
            Service("ratings", "v1"),
            Service("details", "v1"),
        ),
        lanes=(
            Lane("dev", {"reviews": "v2", "ratings": "v2"}),
            Lane("qa", {"ratings": "v2", "details": "v2"}, qa),
        ),
    )


def lanes_and_delivery(*, fast: bool) -> MeshSpec:
    """The same lanes beside delivery v1; `fast` is one more, with delivery v2 and, behind it, details v2."""
    spec = lanes()
    more = (Lane("fast", {"delivery": "v2", "details": "v2"}),) if fast else ()
    return MeshSpec(services=(*spec.services, Service("delivery", "v1")), lanes=(*spec.lanes, *more))


def as_yaml(spec: MeshSpec) -> str:
    """The Istio YAML of these lanes."""
    return "---\n".join(dump_yaml(item) for item in render(spec))


def everybody_to_reviews(version: str) -> str:
    """A VirtualService that sends every call of reviews to one version."""
    return dump_yaml(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "reviews"},
            "spec": {
                "hosts": ["reviews"],
                "http": [{"route": [{"destination": {"host": "reviews", "subset": version}}]}],
            },
        }
    )
