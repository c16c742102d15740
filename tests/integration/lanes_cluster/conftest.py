"""A cluster's API server, and the lanes that the tests change in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lanes import edits
from lanes.cluster.connect import connected
from lanes.cluster.store import ClusterStore
from lanes.history import Revision
from lanes.landscape import LaneError
from lanes.own import lanes_in
from lanes.runner import Journal, Plan, Planner, Result, carry_out
from lanes.spec import Lane
from lanes.store import Seen, Workload
from tests.fakes.api_server import ApiServer
from tests.unit.lanes.cluster.objects import deployment, destination_rule, service, to, virtual_service

DEV = Lane("dev", {"ratings": "v2", "reviews": "v2"})
MINE = Lane("mine", {"reviews": "mine"}, expires="2030-01-01T00:00:00Z")
IMAGE = Workload("bookinfo:mine", expires=MINE.expires)
Others = Callable[[], Awaitable[object]]


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().running() as server:
        for name in ("ratings", "reviews"):
            server.put("services", service(name))
            server.put("deployments", deployment(f"{name}-v1", name, "v1"))
            server.put("deployments", deployment(f"{name}-v2", name, "v2"))
            base = {"route": [to(name, "v1")], "timeout": "3s"}
            server.put("virtualservices", virtual_service(name, base, labels={"team": "books"}))
            server.put("destinationrules", destination_rule(name, "v1", "v2"))
        server.put("services", service("productpage", {"name": "http", "port": 80, "targetPort": 9080}))
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(server.kubeconfig())
    return file


class Crossed(ClusterStore):
    """Somebody else writes each time after it has read."""

    others: Sequence[Others] = ()

    async def read(self) -> Seen:
        seen = await super().read()
        if self.others:
            first, *self.others = self.others
            await first()
        return seen


@asynccontextmanager
async def opened(kubeconfig: Path, timeout: float = 5, *others: Others) -> AsyncIterator[Crossed]:
    async with connected(None, None, str(kubeconfig)) as api:
        store = Crossed(api, "env", timeout, lambda _: None)
        store.others = others
        yield store


@asynccontextmanager
async def quietly(_: str) -> AsyncIterator[None]:
    yield


async def change(store: ClusterStore, planner: Planner, *, dry_run: bool = False) -> Result:
    return await carry_out(store, planner, Journal("a change", "me", "now", quietly), dry_run=dry_run)


def creating(lane: Lane, workload: Workload | None = None) -> Planner:
    def plan(seen: Seen, _: Sequence[Revision], __: str) -> Plan:
        if any(there.name == lane.name for there in lanes_in(seen.landscape)):
            raise LaneError("there is one already")
        start = {("reviews", lane.name): workload} if workload else {}
        return Plan(edits.create(lane), start)

    return plan


def deleting(name: str) -> Planner:
    return lambda seen, history, door: Plan(edits.delete(name))


async def lanes_now(kubeconfig: Path) -> tuple[Lane, ...]:
    async with opened(kubeconfig) as store:
        return lanes_in((await store.read()).landscape)


def rules(server: ApiServer) -> dict[str, Any]:
    """What somebody else would see of the rules."""
    return {
        f"{plural}/{name}": (
            each["metadata"].get("labels"),
            each["metadata"].get("annotations"),
            each["spec"],
        )
        for (plural, name), each in server.objects.items()
        if plural in ("virtualservices", "destinationrules")
    }
