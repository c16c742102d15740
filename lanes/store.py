"""What the `lanes` command needs of a mesh, whichever it is: one machine or a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lanes.change import Change, Step
from lanes.history import Revision
from lanes.landscape import Landscape, LaneError


class Conflict(Exception):
    """Somebody else has changed the objects since they were read; read again and plan anew.

    `written` tells, in lines for a person, what had been put in force by then and stays so.
    """

    def __init__(self, written: Sequence[str] = ()) -> None:
        super().__init__()
        self.written = tuple(written)


class NoMesh(LaneError):
    """The mesh cannot be asked: it is not there, does not know us, or does not let us do this."""


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
    """What a workload started for a lane runs, a command or an image; empty for all others."""
    expires: str = ""
    """When a workload started for a lane ends by itself; empty for never."""


def deployed_of(members: Iterable[Member]) -> dict[str, dict[str, int]]:
    """How many workloads there are by service and version, without those that were started for a lane."""
    found: dict[str, dict[str, int]] = {}
    for member in members:
        if not member.command:
            versions = found.setdefault(member.service, {})
            versions[member.version] = versions.get(member.version, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects and the workloads at one moment."""

    landscape: Landscape
    members: tuple[Member, ...] = ()
    where: str = ""
    """As a person knows the mesh, where there could be more than one."""

    def members_of(self, service: str, version: str) -> list[Member]:
        """The workloads of one version of a service."""
        return [m for m in self.members if (m.service, m.version) == (service, version)]


@dataclass(frozen=True, slots=True)
class Workload:
    """How to start a version that is not there: what a user gave and, for a command, what to run where."""

    given: str
    """A command, or the name of an image."""
    origin: str = ""
    """The folder from which a command was given."""
    argv: tuple[str, ...] = ()
    directory: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: str = ""
    """When it ends by itself, for a mesh that outlives whoever started it; empty for never."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of carrying out steps: lines for a person, data for JSON."""

    ok: bool
    lines: tuple[str, ...]
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Where requests from outside come in, for as long as it is held open."""

    url: str
    """Without a slash at its end."""
    name: str
    """As a person knows it, where the URL is but a way to it."""


Place = tuple[str, str]
"""A service and a version of it."""


class LaneStore(Protocol):
    """A mesh as lanes see it. What cannot be done is an error of one sentence."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Held while objects are read, planned and written.

        Where it keeps nobody out, it is at least entered a little later each time, and a `Conflict` tells.
        """

    async def read(self) -> Seen:
        """The objects and workloads now."""

    async def workload_changes(
        self, start: Mapping[Place, Workload], stop: Sequence[Place], seen: Seen
    ) -> Sequence[Change]:
        """The objects that starting and stopping these changes; none where a workload is just a process."""

    async def rehearse(self, changed: Sequence[Change]) -> None:
        """Have the mesh refuse what it would refuse of these changes, and change nothing."""

    async def carry_out(self, steps: Sequence[Step], seen: Seen) -> Outcome:
        """Put the steps in force one after another; Conflict when the objects have changed since `seen`."""

    async def start(self, service: str, version: str, workload: Workload, seen: Seen) -> Sequence[str]:
        """Start a version of a service, in place of an earlier one; it is ready when this returns.

        Returns what was done, in lines for a person. Conflict when somebody has started one since `seen`.
        """

    async def withdraw(self, service: str, version: str) -> None:
        """Take back what `start` did, also when that failed or was cancelled."""

    async def stop(self, service: str, version: str) -> Sequence[str]:
        """Drain and end what `start` started, now or earlier; nothing happens when it is not there."""

    async def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first."""

    async def record(self, revisions: Sequence[Revision]) -> None:
        """Add revisions at the end; Conflict when somebody else has added one since `history`."""

    async def door(self) -> str:
        """The colouring rules as their file has them, empty where there is none."""

    async def set_door(self, text: str) -> Outcome:
        """Replace the colouring rules and wait until the door goes by them."""

    def front_door(self) -> AbstractAsyncContextManager[FrontDoor]:
        """The way in."""

    def client(self, xds_address: str = "") -> AbstractAsyncContextManager[Mapping[str, str]]:
        """The environment with which the library joins this mesh as a client, for as long as it is held.

        `xds_address` says where the control plane is, where the mesh need not be asked.
        """
