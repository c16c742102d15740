"""The Deployments that lanes start for their own versions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from lanes.change import Change
from lanes.cluster.api import Api
from lanes.cluster.clone import base_deployment, cloned, name_of, with_end, with_image
from lanes.cluster.objects import Objects
from lanes.cluster.reading import lane_of_workload, plain
from lanes.cluster.resource import DEPLOYMENT_KIND, DEPLOYMENTS, PODS
from lanes.cluster.rollout import rollout_of
from lanes.landscape import Document, Key, LaneError, key_of
from lanes.marks import EXPIRES
from lanes.own import lanes_in
from lanes.spec import Lane
from lanes.store import Conflict, Place, Seen, Workload

_POLL = 0.5
_TRIES = 10
T = TypeVar("T")


class Workloads:
    """Starts, replaces and ends them; touches none that lanes have not made."""

    def __init__(self, api: Api, objects: Objects, timeout: float, tell: Callable[[str], None]) -> None:
        self._api = api
        self._objects = objects
        self._timeout = timeout
        self._tell = tell
        self._before: dict[Place, Document | None] = {}
        """What was there before `start`, for `withdraw`."""

    def planned(self, service: str, version: str, workload: Workload, seen: Seen) -> Change:
        """What starting this changes; LaneError where the Deployment's name is taken."""
        key = self._key(service, version)
        there = self._objects.found(key)
        if there is None:
            return Change(key, None, self._clone(service, version, workload, seen))
        if lane_of_workload(there) != version:
            raise LaneError(f"There is a Deployment {key.name} already, which lanes have not made.")
        if all(lane.versions.get(service) != version for lane in lanes_in(seen.landscape)):
            raise LaneError(
                f"There is a Deployment {key.name} for the lane {version} already, but no route: somebody is "
                f"creating that lane, or it was left behind; `lanes delete {version}` ends it."
            )
        before = plain(there)
        return Change(key, before, with_image(before, service, workload.given, workload.expires))

    async def start(self, service: str, version: str, workload: Workload, seen: Seen) -> Sequence[str]:
        """Create the Deployment, or change its image, and wait until all of it is ready."""
        change = self.planned(service, version, workload, seen)
        if change.after is None:
            return ()
        self._before[service, version] = change.before
        try:
            line = await _to_the_end(self._objects.put(change.after))
        except Exception:
            del self._before[service, version]
            raise
        await self._wait(change.key.name)
        return (f"{line}, ready",)

    async def withdraw(self, service: str, version: str) -> None:
        """Take `start` back, as far as it got."""
        if (service, version) in self._before:
            before = self._before.pop((service, version))
            if before is None:
                await self._objects.remove(self._key(service, version))
            else:
                await self._put_over(self._key(service, version), lambda _: before)

    async def stop(self, service: str, version: str) -> Sequence[str]:
        """Delete a Deployment that lanes have made; its pods drain by themselves."""
        key = self._key(service, version)
        there = self._objects.found(key)
        if there is None or not lane_of_workload(there):
            return ()
        line = await self._objects.remove(key)
        return (line,) if line else ()

    def ending(self, service: str, version: str) -> Change | None:
        """What `stop` changes."""
        key = self._key(service, version)
        there = self._objects.found(key)
        return Change(key, plain(there), None) if there and lane_of_workload(there) else None

    async def date(self, lanes: Sequence[Lane]) -> Sequence[str]:
        """Have each say when its lane ends."""
        ends = {lane.name: lane.expires for lane in lanes}
        lines: list[str] = []
        for there in self._objects.found_all(DEPLOYMENT_KIND):
            lane = lane_of_workload(there)
            told = (there["metadata"].get("annotations") or {}).get(EXPIRES) or ""
            if lane in ends and told != ends[lane]:
                lines += await self._put_over(key_of(there), partial(with_end, expires=ends[lane]))
        return lines

    async def _put_over(self, key: Key, changed: Callable[[Document], Document]) -> Sequence[str]:
        """Change a Deployment whatever its status does meanwhile; nothing happens when it has gone."""
        for _ in range(_TRIES):
            current = await self._objects.renew(key)
            if current is None:
                return ()
            with contextlib.suppress(Conflict):
                return (await self._objects.put(changed(plain(current))),)
        raise LaneError(f"Others change the Deployment {key.name} all the time.")

    def _clone(self, service: str, version: str, workload: Workload, seen: Seen) -> Document:
        listed = self._objects.listed
        known = seen.landscape.service(service)
        [found] = [each for each in listed.services if each["metadata"]["name"] == service]
        base = base_deployment(seen.landscape, known, found, listed.deployments)
        return cloned(plain(base), service, version, workload.given, workload.expires)

    def _key(self, service: str, version: str) -> Key:
        return Key(DEPLOYMENT_KIND, self._api.namespace, name_of(service, version))

    async def _wait(self, name: str) -> None:
        said = f"{name}: not seen yet"
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    deployment = await self._api.get(DEPLOYMENTS, name)
                    if deployment is None:
                        raise LaneError(
                            f"The Deployment {name} has been deleted meanwhile; nothing was changed."
                        )
                    labels = deployment["spec"]["selector"].get("matchLabels") or {}
                    selector = ",".join(f"{key}={value}" for key, value in labels.items())
                    rollout = rollout_of(deployment, await self._api.list(PODS, labels=selector))
                    if rollout.done:
                        return
                    if rollout.failed:
                        raise LaneError(f"{rollout.text}; it has given up, and nothing was changed.")
                    if rollout.text != said:
                        said = rollout.text
                        self._tell(said)
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise LaneError(
                f"{said}. That is after {self._timeout:g} s, so nothing was changed; --timeout 5m waits more."
            ) from None


async def _to_the_end(writing: Coroutine[Any, Any, T]) -> T:
    """Know what became of a request also when cancelled: what was made must be found again."""
    task = asyncio.create_task(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains of it
        raise
