"""Lanes created and deleted as the `lanes` command does it, so that its history has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from console.acting.actions import Done
from console.acting.bodies import LaneCreate
from console.acting.undo import Rules, crossed, inverse_of, put_back
from lanes import edits
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.own import lanes_in
from lanes.runner import Journal, Plan, Planner, Result, carry_out
from lanes.spec import Lane
from lanes.store import LaneStore, Place, Seen
from mesh.errors import Changed

WHO = "console"


class LaneChanges:
    """The lanes of a mesh; `now` tells the time in seconds since 1970."""

    def __init__(self, store: LaneStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def create(self, body: LaneCreate) -> Done:
        """A lane of versions that are there."""

        def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
            if any(there.name == body.name for there in lanes_in(seen.landscape)):
                raise LaneError(f"There is a lane {body.name} already.")
            for service, version in body.versions.items():
                require_version(seen, service, version)
            return Plan(edits.create(Lane(body.name, body.versions, body.mode)))

        services = " ".join(f"--service {service}={version}" for service, version in body.versions.items())
        return await self._carried_out(
            f"Create lane {body.name}", plan, f"create {body.name} {services} --mode {body.mode}"
        )

    async def delete(self, name: str) -> Done:
        """No lane of this name any more; what was started for it ends, and cannot be started again here."""
        ended: list[Place] = []

        def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
            lane = next((there for there in lanes_in(seen.landscape) if there.name == name), None)
            if lane is None:
                known = ", ".join(there.name for there in lanes_in(seen.landscape)) or "none"
                raise LaneError(f"There is no lane {name!r}; there are {known}.")
            places = {(member.service, member.version) for member in seen.members if member.command}
            ended[:] = sorted(places & set(lane.versions.items()))
            return Plan(edits.delete(name))

        done = await self._carried_out(f"Delete lane {name}", plan, f"delete {name}")
        if not ended:
            return done
        gone = ", ".join("/".join(place) for place in ended)
        line = f"{gone} ran a command of somebody's own, so this cannot be undone here; `lanes rollback` can"
        return Done(done.title, done.ok, done.milliseconds, (*done.lines, line))

    async def put_back(self, rules: Rules, title: str) -> Done:
        """The lanes' rules as they were before; Changed where somebody has changed them since."""

        def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
            if (key := crossed(rules, seen.landscape.objects)) is not None:
                raise Changed(f"{key} has been changed meanwhile.")
            return Plan(lambda landscape: put_back(landscape, rules))

        return await self._carried_out(title, plan, title)

    async def _carried_out(self, title: str, plan: Planner, change: str) -> Done:
        time = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        result = await carry_out(self._store, plan, Journal(change, WHO, time, _silent))
        if result.outcome is None:
            return Done(title, lines=("nothing to change", *result.notes))
        return Done(
            title,
            result.outcome.ok,
            _milliseconds(result),
            (*result.outcome.lines, *result.notes),
            inverse_of(result.changed, of_lanes=True),
        )


def require_version(seen: Seen, service: str, version: str) -> None:
    """LaneError unless the mesh has this version of the service, whether it runs or not."""
    seen.landscape.service(service)
    known = sorted({member.version for member in seen.members if member.service == service})
    if version not in known:
        shown = ", ".join(known) or "none"
        raise LaneError(f"There is no {service} {version} in this mesh; there are {shown}.")


def _milliseconds(result: Result) -> float | None:
    reports: Any = result.outcome.data.get("reports") if result.outcome is not None else None
    asked = [report for report in reports or () if report["clients"]]
    return sum(float(report["milliseconds"]) for report in asked) if asked else None


@asynccontextmanager
async def _silent(_: str) -> AsyncIterator[None]:
    yield
