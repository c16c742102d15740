"""A file of services and lanes, as it is kept in git beside the chart: plain data in, a MeshSpec out. Pure.

```yaml
namespace: default          # may be left out, as may `key`
key: env
services:
  reviews: {v1: 80, v3: 20} # the base: a version, or shares that sum to 100
  ratings: v1
versions:                   # further ones for rules to name; those of base and lanes they can name anyway
  reviews: [v2]
lanes:
  dev: {services: {reviews: v2, ratings: v2}}
  qa: {services: {reviews: v3}, mode: strict}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lanes.spec import Lane, MeshSpec, Mode, Service, SpecError

_FIELDS = {"namespace", "key", "services", "versions", "lanes"}


def spec_from(data: object) -> MeshSpec:
    """The specification in this data; SpecError names the field that cannot be used."""
    root = _mapping(data, "the file", _FIELDS)
    services = _mapping(root.get("services"), "services")
    versions = _mapping(root.get("versions"), "versions", set(services))
    lanes = _mapping(root.get("lanes"), "lanes")
    return MeshSpec(
        services=tuple(
            Service(name, _base(base, name), versions=_versions(versions.get(name), name))
            for name, base in services.items()
        ),
        lanes=tuple(_lane(name, body) for name, body in lanes.items()),
        key=_text(root.get("key", "env"), "key"),
        namespace=None if root.get("namespace") is None else _text(root["namespace"], "namespace"),
    )


def _base(base: object, service: str) -> str | dict[str, int]:
    if isinstance(base, str):
        return base
    shares = _mapping(base, f"services.{service}")
    if not all(isinstance(weight, int) and not isinstance(weight, bool) for weight in shares.values()):
        raise SpecError(f"services.{service}: shares are whole numbers")
    return dict(shares)


def _versions(value: object, service: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise SpecError(f"versions.{service}: a list of versions is needed")
    return tuple(_text(each, f"versions.{service}") for each in value)


def _lane(name: str, body: object) -> Lane:
    lane = _mapping(body, f"lanes.{name}", {"services", "mode"})
    versions = _mapping(lane.get("services"), f"lanes.{name}.services")
    mode = lane.get("mode", Mode.PERMISSIVE)
    if mode not in list(Mode):
        raise SpecError(f"lanes.{name}.mode: {mode!r} is none of {', '.join(Mode)}")
    held = {service: _text(value, f"lanes.{name}.services.{service}") for service, value in versions.items()}
    return Lane(name, held, Mode(mode))


def _mapping(value: object, field: str, known: set[str] | None = None) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SpecError(f"{field}: a mapping by name is needed; quote names that are numbers")
    if known is not None and (odd := sorted(set(value) - known)):
        raise SpecError(f"{field}: there is no field {odd[0]!r}; there are {', '.join(sorted(known))}")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{field}: {value!r} is no text; quote it if it is meant as one")
    return value
