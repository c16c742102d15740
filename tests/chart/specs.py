"""Values and MeshSpecs: the same lanes, said to Helm and to lanes.render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lanes.spec import Lane, MeshSpec, Mode, Service
from lanes.specfile import spec_from
from tests.chart.rendering import NAMESPACE, chart


def values_of(spec: MeshSpec) -> dict[str, Any]:
    """The values that say what `spec` says, in place of what the chart's own say of services and lanes."""
    own: dict[str, Any] = chart().values["services"]
    services: dict[str, Any] = {name: None for name in own if name != "productpage"}
    for service in spec.services:
        versions = dict.fromkeys(own.get(service.name, {}).get("versions", ()))
        services[service.name] = {
            "protocol": "http" if service.name == "productpage" else "grpc",
            "base": service.main_version,
            "shares": {} if isinstance(service.base, str) else dict(service.base),
            "versions": versions | {version: {} for version in (service.main_version, *service.versions)},
        }
    lanes = {lane.name: {"services": dict(lane.versions), "mode": str(lane.mode)} for lane in spec.lanes}
    return {"laneKey": spec.key, "services": services, "lanes": {"demo": None} | lanes}


def spec_of(values: Mapping[str, Any]) -> MeshSpec:
    """What the chart's values say of lanes, as a file for `lanes render -f` says it."""
    services = {name: each for name, each in values["services"].items() if each.get("base")}
    return spec_from(
        {
            "namespace": NAMESPACE,
            "key": values["laneKey"],
            "services": {name: each.get("shares") or each["base"] for name, each in services.items()},
            "versions": {name: list(each["versions"]) for name, each in services.items()},
            "lanes": values.get("lanes"),
        }
    )


REVIEWS = Service("reviews", "v1")
RATINGS = Service("ratings", {"v1": 50, "v2": 50})

SPECS: dict[str, MeshSpec] = {
    "no lanes": MeshSpec((REVIEWS, RATINGS)),
    "permissive": MeshSpec((REVIEWS, RATINGS), (Lane("dev", {"reviews": "v2"}),)),
    "strict": MeshSpec((REVIEWS, RATINGS), (Lane("dev", {"reviews": "v2"}, Mode.STRICT),)),
    "a lane with nothing": MeshSpec((REVIEWS,), (Lane("dev", {}),)),
    "a strict lane with nothing": MeshSpec((REVIEWS, RATINGS), (Lane("dev", {}, Mode.STRICT),)),
    "several lanes": MeshSpec(
        (REVIEWS, RATINGS, Service("details", "v1")),
        (
            Lane("qa", {"reviews": "v3", "details": "v2"}, Mode.STRICT),
            Lane("dev-strict", {"reviews": "v2"}),
            Lane("dev", {"reviews": "v2", "ratings": "v2"}, Mode.STRICT),
            Lane("0", {"details": "v3"}),
        ),
    ),
    "shares out of order": MeshSpec(
        (Service("reviews", {"v3": 20, "v1": 75, "v2": 5, "v0": 0}),),
        (Lane("dev", {"reviews": "v2"}, Mode.STRICT),),
    ),
    "one share of all": MeshSpec((Service("reviews", {"v1": 100}),), (Lane("dev", {}, Mode.STRICT),)),
    "further versions": MeshSpec(
        (Service("reviews", "v1", versions=("v2", "v3")),), (Lane("dev", {"reviews": "v4"}),)
    ),
    "versions that are no DNS labels": MeshSpec(
        (Service("reviews", {"V1": 60, "2024.10_b": 40}), Service("ratings", "1")),
        (Lane("dev", {"reviews": "2.0", "ratings": "1e3"}), Lane("null", {"reviews": "true"})),
    ),
    "a key of words": MeshSpec((REVIEWS,), (Lane("dev", {"reviews": "v2"}),), "team-lane"),
    "a key full of what a regex reads": MeshSpec(
        (REVIEWS,), (Lane("dev", {"reviews": "v2"}, Mode.STRICT),), "a.b+c*d^e$f|g"
    ),
    "a key of all that a token may have": MeshSpec(
        (REVIEWS,), (Lane("dev", {"reviews": "v2"}),), "!#$%&'*+-.^_`|~09azAZ"
    ),
    "names that YAML would read as something else": MeshSpec(
        (Service("on", "v1"), Service("y", "no")), (Lane("null", {"on": "off"}), Lane("1e3", {"y": "0x1"}))
    ),
    "the front door": MeshSpec(
        (Service("productpage", "v1"), REVIEWS), (Lane("dev", {"productpage": "v2", "reviews": "v2"}),)
    ),
}
