"""The console over processes behind names, as headless Services give them: addresses that come and go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from console.reading.peers import Cluster
from console.reading.reading import Reading
from tests.fakes.admin_port import AdminPort
from tests.fakes.recorded import said

GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AWAY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Names(dict[str, "list[str] | OSError"]):
    """What names lead to now; whoever looks one up that is not here hears that it is not there."""

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        found = self.get(host, GONE)
        if isinstance(found, OSError):
            raise found
        # As the real one: an address may come more than once.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in (*found, *found)]


@pytest_asyncio.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found.getaddrinfo)
    return found


@pytest_asyncio.fixture
async def first() -> AsyncIterator[AdminPort]:
    async with AdminPort("reviews", "v1", ip="127.0.0.2") as port:
        yield port


@asynccontextmanager
async def pod(first: AdminPort, ip: str, *of: Any) -> AsyncIterator[AdminPort]:
    """Another process with the same admin port on an address of its own, as each Pod has one."""
    made = AdminPort(*of, ip=ip)
    made.port = first.port
    async with made:
        yield made


@asynccontextmanager
async def reading(port: AdminPort, *hosts: str) -> AsyncIterator[Reading]:
    async with Reading(Cluster([(host, port.port) for host in hosts], "shop"), why_not="it shows") as made:
        yield made


async def mesh_of(reading: Reading) -> dict[str, Any]:
    await reading.look()
    return reading.feed.sections()["mesh"]


def instances(mesh: dict[str, Any], service: str) -> list[tuple[str, str, str]]:
    [found] = [each for each in mesh["services"] if each["name"] == service]
    return [(each["version"], each["phase"], each["state"]) for each in found["instances"]]


async def test_every_address_of_a_name_is_a_process(names: Names, first: AdminPort) -> None:
    names["reviews-admin"] = ["127.0.0.2", "127.0.0.3"]
    async with (
        pod(first, "127.0.0.3", "reviews", "v2") as second,
        reading(first, "reviews-admin", "details-admin", "reviews-admin") as shown,
    ):
        mesh = await mesh_of(shown)
        assert mesh["name"] == "shop"
        assert instances(mesh, "reviews") == [("v1", "ready", "ready"), ("v2", "ready", "ready")]
        assert (first.asked["/spans"], second.asked["/spans"]) == (1, 1)
        # A name that is not there yet is said, and looked for again.
        [failed] = mesh["unreachable"]
        assert failed == {
            "name": "details-admin",
            "error": "the name has no address: Name or service not known",
        }
        async with pod(first, "127.0.0.4", "details", "v1"):
            names["details-admin"] = ["127.0.0.4"]
            mesh = await mesh_of(shown)
            assert instances(mesh, "details") == [("v1", "ready", "ready")]
            assert mesh["unreachable"] == []


async def test_one_that_goes_and_one_that_comes(names: Names, first: AdminPort) -> None:
    names["reviews-admin"] = ["127.0.0.2"]
    async with reading(first, "reviews-admin") as shown:
        assert instances(await mesh_of(shown), "reviews") == [("v1", "ready", "ready")]
        await first.stop()
        mesh = await mesh_of(shown)
        assert instances(mesh, "reviews") == [("v1", "unknown", "out of reach")]
        [failed] = mesh["unreachable"]
        assert failed["name"] == f"reviews-admin at {first.address}"
        async with pod(first, "127.0.0.3", "reviews", "v2"):
            names["reviews-admin"] = ["127.0.0.3"]
            mesh = await mesh_of(shown)
            assert instances(mesh, "reviews") == [("v2", "ready", "ready")]
            assert mesh["unreachable"] == []


async def test_who_is_not_ready_says_why(names: Names, first: AdminPort) -> None:
    names["reviews-admin"] = ["127.0.0.2"]
    first.lacking = {"xds:///ratings": "no answer yet"}
    async with reading(first, "reviews-admin") as shown:
        waiting = [("v1", "waiting", "xds:///ratings: no answer yet")]
        assert instances(await mesh_of(shown), "reviews") == waiting
        first.lacking = {}
        assert instances(await mesh_of(shown), "reviews") == [("v1", "ready", "ready")]
        first.lacking = {"service": "draining"}
        assert instances(await mesh_of(shown), "reviews") == [("v1", "waiting", "draining")]


@pytest.mark.parametrize("failure", [AWAY, OSError("no descriptors")])
async def test_a_lookup_that_fails_by_accident_costs_no_process(
    names: Names, first: AdminPort, failure: OSError
) -> None:
    names["reviews-admin"], names["details-admin"] = ["127.0.0.2"], ["127.0.0.3"]
    async with (
        pod(first, "127.0.0.3", "details", "v1"),
        reading(first, "reviews-admin", "details-admin") as shown,
    ):
        await mesh_of(shown)
        first.ended("while nobody could look it up")
        names["reviews-admin"] = failure
        mesh = await mesh_of(shown)
        assert instances(mesh, "reviews") == [("v1", "ready", "ready")]
        assert first.since == [0, 0]
        [failed] = mesh["unreachable"]
        assert failed["name"] == "reviews-admin"
        assert failed["error"].endswith("; who was there last is asked")
        # Where it is known that nobody is there any more, nobody is.
        names["reviews-admin"] = GONE
        mesh = await mesh_of(shown)
        assert [each["name"] for each in mesh["services"]] == ["details"]


async def test_what_cannot_be_known_is_said(names: Names, first: AdminPort) -> None:
    names["productpage-admin"] = ["127.0.0.3"]
    async with (
        pod(first, "127.0.0.3", "productpage", "v1", said("config-dump")),
        reading(first, "productpage-admin") as shown,
    ):
        mesh = await mesh_of(shown)
        [limit] = mesh["limits"]
        assert "its objects are not read" in limit
        assert {each["base"] for each in mesh["services"]} == {None}
        assert all("not read here" in each["why_not"] for each in mesh["services"])
        # The lanes are those of the client's routes, and nobody is there for them.
        lanes = shown.feed.sections()["lanes"]["lanes"]
        assert lanes
        assert all(lane["members"] == [] and lane["expires"] == "" and lane["door"] == [] for lane in lanes)
