"""One control plane fed by hand, one Client, and backends that say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import proxyless
import pytest
import pytest_asyncio

from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.telemetry import Seen

TARGET = "xds:///reviews:9080"
NAME = "reviews:9080"
METHOD = "/test.Service/UnaryUnary"


def bootstrap_for(control_plane: FakeControlPlane) -> proxyless.Bootstrap:
    return proxyless.Bootstrap.from_env({"XDS_ADDRESS": control_plane.address, "POD_NAME": "test"})


class News(proxyless.Observer):
    """An observer whose tests wait for what it is told."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, str]] = []
        self.notes: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self._told = asyncio.Event()

    def resource_updated(self, kind: Any, name: str, version: str) -> None:
        self.updates.append((kind.value, name))
        self._told.set()

    def config_changed(self, target: str, state: str) -> None:
        self._told.set()

    def field_unsupported(self, kind: Any, name: str, note: str) -> None:
        self.notes.append((kind.value, note))
        self._told.set()

    def stream_failed(self, server: str, error: str) -> None:
        self.failures.append(error)
        self._told.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that is told makes `condition` true."""
        while not condition():
            self._told.clear()
            await self._told.wait()


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def seen() -> Iterator[Seen]:
    """What services have told OpenTelemetry, with its SDK."""
    made = Seen()
    yield made
    made.provider.shutdown()
    made.tracers.shutdown()


@pytest_asyncio.fixture
async def control_plane() -> AsyncIterator[FakeControlPlane]:
    async with FakeControlPlane() as started:
        yield started


@pytest_asyncio.fixture
async def mesh(control_plane: FakeControlPlane, news: News) -> AsyncIterator[proxyless.Client]:
    async with proxyless.Client(bootstrap_for(control_plane), observer=news) as client:
        yield client


@pytest_asyncio.fixture
async def v1() -> AsyncIterator[Backend]:
    async with Backend("v1") as backend:
        yield backend


@pytest_asyncio.fixture
async def v2() -> AsyncIterator[Backend]:
    async with Backend("v2") as backend:
        yield backend


@pytest_asyncio.fixture
async def mesh_by_hand() -> AsyncIterator[tuple[FakeControlPlane, proxyless.Client]]:
    """A control plane that says nothing of its own accord, and its client."""
    async with (
        FakeControlPlane(automatic=False) as control_plane,
        proxyless.Client(bootstrap_for(control_plane)) as client,
    ):
        yield control_plane, client
