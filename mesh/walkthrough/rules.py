"""The rules of the walkthrough: lanes as specs, rendered to the Istio YAML that is applied."""

from __future__ import annotations

from lanes.render import render
from lanes.spec import Lane, MeshSpec, Mode, Service
from mesh.objects import dump_yaml

DEV = "env=dev"
QA = "env=qa"
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
