"""The one truth about lanes: lane × service → version, whichever control plane hands out the rules."""

from __future__ import annotations

from lanes.spec import Lane, MeshSpec, Mode, Service
from mesh.walkthrough.door import Visit

SPEC = MeshSpec(
    services=(Service("reviews", "v3"), Service("ratings", "v1"), Service("details", "v1")),
    lanes=(
        Lane("dev", {"reviews": "v2", "ratings": "v2"}),
        Lane("qa", {"ratings": "v2", "details": "v2"}),
        Lane("plain", {"reviews": "v1"}),
        Lane("empty", {}),
        Lane("strict", {"reviews": "v2"}, Mode.STRICT),
    ),
)
BASE = {"productpage": "v1", "reviews": "v3", "ratings": "v1", "details": "v1"}
# lane → service → the version that serves it; None: nobody does
MATRIX: dict[str, dict[str, str | None]] = {
    "base": {**BASE},
    "dev": {**BASE, "reviews": "v2", "ratings": "v2"},
    "qa": {**BASE, "ratings": "v2", "details": "v2"},
    "plain": {**BASE, "reviews": "v1", "ratings": None},
    "empty": {**BASE},
    "strict": {**BASE, "reviews": "v2", "ratings": None, "details": None},
    "unheard-of": {**BASE},
}
REFUSED = {"strict": {"details", "ratings"}}
SHAPES = ("env={}", "user=7,env={};ttl=1,x=y", "env={},b=2", "a=1 , env = {}")


def baggage_of(lane: str, shape: str) -> str | None:
    """The header that puts a request into a lane; base is no header at all."""
    return None if lane == "base" else shape.format(lane)


def check(visit: Visit, lane: str) -> None:
    """Hold an answer to the matrix."""
    for service, version in MATRIX[lane].items():
        assert visit.versions.get(service) == version, f"{lane}: {visit}"
    refused = {error.partition(":")[0] for error in visit.errors}
    assert refused == REFUSED.get(lane, set()), f"{lane}: {visit.errors}"
