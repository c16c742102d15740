"""What the `lanes` command needs of a mesh, whichever it is: one machine here, a cluster in another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lanes.change import Step
from lanes.history import Revision
from lanes.landscape import Landscape


class Conflict(Exception):
    """Somebody else has changed the objects since they were read; read again and plan anew."""


@dataclass(frozen=True, slots=True)
class Member:
    """One workload of a service: which version it is, where, and whether it can be called."""

    service: str
    version: str
    name: str
    address: str
    ready: bool
    state: str = "ready"
    command: str = ""
    """What a workload started for a lane runs; empty for all others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects and the workloads at one moment."""

    landscape: Landscape
    members: tuple[Member, ...] = ()
    url: str = ""
    """The front door, without a slash at its end."""

    def members_of(self, service: str, version: str) -> list[Member]:
        """The workloads of one version of a service."""
        return [m for m in self.members if (m.service, m.version) == (service, version)]


@dataclass(frozen=True, slots=True)
class Workload:
    """How to start a version that is not there yet: what a user gave, what to run, and where."""

    given: str
    origin: str
    """The folder from which it was given."""
    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of carrying out steps: lines for a person, data for JSON."""

    ok: bool
    lines: tuple[str, ...]
    data: Mapping[str, object]


class LaneStore(Protocol):
    """A mesh as lanes see it. What cannot be done is an error of one sentence."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Held while objects are read, planned and written, so that nobody's change is lost."""

    async def read(self) -> Seen:
        """The objects and workloads now."""

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        """Put the steps in force one after another; Conflict when the objects have changed since `seen`."""

    async def start(self, service: str, version: str, workload: Workload) -> Member:
        """Start a version of a service; it is ready when this returns."""

    async def stop(self, service: str, version: str) -> None:
        """Drain and end what `start` started; nothing happens when it is not there."""

    async def history(self) -> list[Revision]:
        """Every revision, oldest first."""

    async def record(self, revision: Revision) -> None:
        """Add a revision at the end."""

    async def door(self) -> str:
        """The colouring rules as their file has them, empty where there is none."""

    async def set_door(self, text: str) -> Outcome:
        """Replace the colouring rules and wait until the door goes by them."""

    async def client_environment(self) -> Mapping[str, str]:
        """The environment with which the library joins this mesh as a client."""
