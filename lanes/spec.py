"""What lanes there are, as data: services with their base, lanes with the versions they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lanes.baggage import is_key
from lanes.context import BASE

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_MAX_LABEL = 63


class SpecError(ValueError):
    """A specification that cannot be rendered; the message is one sentence that names the culprit."""


class Mode(StrEnum):
    """What happens to a request whose lane has no usable version of a service."""

    PERMISSIVE = "permissive"
    STRICT = "strict"


def lane_name_fault(name: str) -> str | None:
    """Why `name` cannot be a lane, None if it can: it must fit baggage, headers and labels alike."""
    if not name:
        return "is empty"
    if len(name) > _MAX_LABEL:
        return f"has {len(name)} characters, {_MAX_LABEL} are the most"
    if not _DNS_LABEL.fullmatch(name):
        return "is not made of a-z, 0-9 and '-', with a letter or digit at both ends"
    if name == BASE:
        return "is the name of the base lane"
    return None


def version_fault(version: str) -> str | None:
    """Why `version` cannot be the value of a Kubernetes label, None if it can."""
    if len(version) > _MAX_LABEL or not _LABEL_VALUE.fullmatch(version):
        return f"is not 1 to {_MAX_LABEL} letters, digits, '.', '_', '-' with a letter or digit at both ends"
    return None


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the mesh and its base: one version, or several by weight (which sum to 100).

    `versions` are further versions to make addressable; those of base and lanes always are.
    """

    name: str
    base: str | Mapping[str, int]
    port: int = 9080
    versions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _DNS_LABEL.fullmatch(self.name) or len(self.name) > _MAX_LABEL:
            raise SpecError(f"service name {self.name!r} is no DNS label")
        if not 1 <= self.port <= 65535:
            raise SpecError(f"service {self.name}: port {self.port} is not within 1 to 65535")
        if not self.weights:
            raise SpecError(f"service {self.name}: its base names no version")
        for version, weight in self.weights:
            if fault := version_fault(version):
                raise SpecError(f"service {self.name}: base version {version!r} {fault}")
            if weight < 0:
                raise SpecError(f"service {self.name}: base version {version!r} has the weight {weight}")
        for version in self.versions:
            if fault := version_fault(version):
                raise SpecError(f"service {self.name}: version {version!r} {fault}")
        if (total := sum(weight for _, weight in self.weights)) != 100:
            raise SpecError(f"service {self.name}: the weights of its base sum to {total}, not 100")

    @property
    def weights(self) -> tuple[tuple[str, int], ...]:
        """The base versions with their share in percent, by version: a mapping's order says nothing."""
        return ((self.base, 100),) if isinstance(self.base, str) else tuple(sorted(self.base.items()))

    @property
    def main_version(self) -> str:
        """The base version with the largest share."""
        return max(self.weights, key=lambda pair: pair[1])[0]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane: its name, the version it holds of each service in it, its mode, and when it ends."""

    name: str
    versions: Mapping[str, str]
    mode: Mode = Mode.PERMISSIVE
    expires: str = ""
    """A moment in UTC as RFC 3339 writes it, after which the lane may be pruned; empty for never."""

    def __post_init__(self) -> None:
        if fault := lane_name_fault(self.name):
            raise SpecError(f"lane name {self.name!r} {fault}")
        for service, version in self.versions.items():
            if fault := version_fault(version):
                raise SpecError(f"lane {self.name}: version {version!r} of {service} {fault}")


@dataclass(frozen=True, slots=True)
class MeshSpec:
    """All services and lanes of one namespace, and the baggage member that names the lane."""

    services: tuple[Service, ...]
    lanes: tuple[Lane, ...] = field(default=())
    key: str = "env"
    namespace: str | None = None

    def __post_init__(self) -> None:
        if not is_key(self.key):
            raise SpecError(f"lane key {self.key!r} cannot be the key of a baggage member")
        if self.namespace is not None and not _DNS_LABEL.fullmatch(self.namespace):
            raise SpecError(f"namespace {self.namespace!r} is no DNS label")
        _refuse_duplicates("service", [service.name for service in self.services])
        _refuse_duplicates("lane", [lane.name for lane in self.lanes])
        known = {service.name for service in self.services}
        for lane in self.lanes:
            for name in lane.versions:
                if name not in known:
                    raise SpecError(f"lane {lane.name}: there is no service {name!r}")


def _refuse_duplicates(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{what} {name} is given twice")
