"""How a command reaches its mesh, and what it may be told to run there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from lanes.cli.place import DEFAULT_STATE, InCluster, Place, Unclear, place_of
from lanes.cluster.inside import in_pod
from lanes.image import image_of, names_image
from lanes.spec import version_fault
from lanes.store import LaneStore, Workload
from lanes.workload import names_workload, workload_of
from mesh.errors import NotRunning
from mesh.lane_store import MeshStore
from mesh.state import StateFolder

T = TypeVar("T")
_ON_THIS_MACHINE = 10.0
# A cluster pulls images, and its kubelets look after mounted rules once a minute.
_IN_CLUSTER = 120.0


@dataclass(frozen=True)
class Target:
    """Which mesh, as options and variables say, and what in its baggage names the lane."""

    options: Mapping[str, str]
    variables: Mapping[str, str]
    lane_key: str
    given_timeout: float | None = None

    @cached_property
    def place(self) -> Place:
        """Where the mesh is; a usage error where that is not clear."""
        inside = in_pod()
        mesh_here = inside and StateFolder(DEFAULT_STATE).is_locked()
        try:
            return place_of(self.options, self.variables, in_pod=inside, mesh_here=mesh_here)
        except Unclear as error:
            raise click.UsageError(str(error)) from None

    @property
    def timeout(self) -> float:
        """How long to wait for those who are to take a change, in seconds."""
        default = _IN_CLUSTER if isinstance(self.place, InCluster) else _ON_THIS_MACHINE
        return default if self.given_timeout is None else self.given_timeout

    def run(self, question: Callable[[LaneStore], Coroutine[Any, Any, T]], *, changing: bool = False) -> T:
        """Put a question to the mesh; whoever changes something in a cluster is told which cluster it is."""

        async def ask() -> T:
            async with self._store(changing) as store:
                return await question(store)

        return asyncio.run(ask())

    def _store(self, changing: bool) -> AbstractAsyncContextManager[LaneStore]:
        place = self.place
        if isinstance(place, InCluster):
            from lanes.cluster.store import ClusterStore  # noqa: PLC0415 - a third of a second, and 14 MiB

            return ClusterStore.connected(
                context=place.context,
                namespace=place.namespace,
                kubeconfig=place.kubeconfig,
                lane_key=self.lane_key,
                timeout=self.timeout,
                tell=_tell,
                tell_where=changing,
            )
        try:
            return MeshStore(StateFolder(place.state), self.lane_key, self.timeout, self.given_timeout)
        except NotRunning as error:
            if place.named:
                raise
            hint = f"{error.message} A cluster is named by --context or --namespace."
            raise NotRunning(hint) from None

    # -- what a user gives for a version

    def names_workload(self, given: str) -> bool:
        """Whether what is given for a version is rather something to run as one; else a usage error."""
        if isinstance(self.place, InCluster):
            return names_image(given)
        return names_workload(given)

    def checked(self, services: Mapping[str, str]) -> Mapping[str, str]:
        """What is given for each service; a usage error for what is neither a version nor to be run."""
        for service, given in services.items():
            if not self.names_workload(given) and (fault := version_fault(given)):
                raise click.BadParameter(f"The version {given!r} of {service} {fault}.")
        return services

    def workload(self, service: str, given: str, directory: Path, expires: str) -> Workload:
        """What is to be run as a version of a service; LaneError for what cannot be."""
        if isinstance(self.place, InCluster):
            return Workload(image_of(service, given), expires=expires)
        return workload_of(service, given, directory, os.environ)


def _tell(text: str) -> None:
    click.echo(text, err=True)
