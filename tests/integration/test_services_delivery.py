"""delivery in the middle of a chain: asked over HTTP, it asks details over gRPC, both by xDS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bookinfo_pb.v1.details_pb2_grpc import DetailsStub, add_DetailsServicer_to_server
from delivery.server import DeliveryServer
from delivery.server import application as delivery_application
from details.server import DetailsServer
from productpage.app import application
from productpage.settings import PageSettings
from serving.channels import open_channels
from serving.grpc_server import listen, new_server
from serving.http_client import open_http
from serving.identity import Identity
from serving.settings import Settings
from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane

LOCAL = {"BIND_IP": "127.0.0.1", "PORT": "0", "TRUST_BAGGAGE": "on"}
IN_DEV = build.header("baggage", string_match={"safe_regex": {"regex": r"(.*,)?env=dev(;.*)?(,.*)?"}})
DETAILS, DELIVERY = (f"{name}.default.svc.cluster.local:9080" for name in ("details", "delivery"))


def lanes(host: str, v1: str, v2: str, *, v2_there: bool = True) -> list[Any]:
    clusters = {f"{host}|v1": [v1], f"{host}|v2": [v2] if v2_there else []}
    routes = [build.route(f"{host}|v2", headers=[IN_DEV]), build.route(f"{host}|v1")]
    return build.service(host, clusters, routes)


@asynccontextmanager
async def details(version: str) -> AsyncIterator[str]:
    server = new_server(settings := Settings.read("details", LOCAL))
    add_DetailsServicer_to_server(DetailsServer(Identity("details", version, f"details-{version}")), server)
    address = listen(server, settings)
    await server.start()
    yield address
    await server.stop(None)


@asynccontextmanager
async def delivery(version: str, target: str = f"xds:///{DETAILS}") -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels({"details": target}))
        identity = Identity("delivery", version, f"delivery-{version}")
        app = delivery_application(
            Settings.read("delivery", LOCAL), DeliveryServer(identity, DetailsStub(channels["details"]), 5)
        )
        server = await stack.enter_async_context(TestServer(app))
        yield f"127.0.0.1:{server.port}"


@asynccontextmanager
async def door(**environ: str) -> AsyncIterator[TestClient[Any, Any]]:
    settings = Settings.read("productpage", LOCAL)
    page = PageSettings.read(settings, LOCAL | environ)
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels(page.targets))
        client = await stack.enter_async_context(open_http(page.delivery, channels))
        app = application(settings, page, channels, client)
        yield await stack.enter_async_context(TestClient(TestServer(app)))


def way(hop: Any) -> str:
    below = [way(call) for call in hop["calls"]]
    return " → ".join([f"{hop['service']} {hop['version']} ({hop['lane']})", *below])


async def ask(client: TestClient[Any, Any], product: str = "3", **headers: str) -> tuple[int, Any]:
    async with client.get(f"/api/v1/products/{product}/delivery", headers=headers) as response:
        return response.status, await response.json()


async def test_the_chain_follows_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeControlPlane() as control_plane, AsyncExitStack() as stack:
        monkeypatch.setenv("XDS_ADDRESS", control_plane.address)
        monkeypatch.setenv("POD_NAME", "test")
        at = [await stack.enter_async_context(details(version)) for version in ("v1", "v2")]
        control_plane.set(*lanes(DETAILS, *at))
        at = [await stack.enter_async_context(delivery(version)) for version in ("v1", "v2")]
        control_plane.set(*lanes(DELIVERY, *at))
        client = await stack.enter_async_context(door())

        status, body = await ask(client)
        assert (status, body["id"], body["speed"], body["days"], body["grams"]) == (
            200,
            3,
            "standard",
            4,
            924,
        )
        assert way(body["hops"]) == "productpage v1 (base) → delivery v1 (base) → details v1 (base)"

        status, body = await ask(client, baggage="user=7,env=dev")
        assert (status, body["speed"]) == (200, "express")
        assert way(body["hops"]) == "productpage v1 (dev) → delivery v2 (dev) → details v2 (dev)"

        # No delivery in the lane: base there, and the lane again behind it.
        control_plane.set(*lanes(DELIVERY, *at, v2_there=False))
        async with asyncio.timeout(10):
            while way((await ask(client, baggage="env=dev"))[1]["hops"]) != (
                "productpage v1 (dev) → delivery v1 (dev) → details v2 (dev)"
            ):
                pass

        assert (await ask(client, "9"))[0] == 404  # the door knows its books


async def test_failures_say_who_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with details("v1") as address, delivery("v1", address) as at, aiohttp.ClientSession() as session:
        async with session.get(f"http://{at}/delivery/9") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "NOT_FOUND")
        async with session.get(f"http://{at}/delivery/x") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (
                400,
                "INVALID_ARGUMENT",
            )
        async with session.get(f"http://{at}/elsewhere") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "NOT_FOUND")
        async with session.get(f"http://{at}/health") as response:
            assert (response.status, await response.json()) == (200, {"status": "serving"})
    async with FakeControlPlane() as control_plane:
        monkeypatch.setenv("XDS_ADDRESS", control_plane.address)
        monkeypatch.setenv("POD_NAME", "test")
        async with door() as client:
            status, body = await ask(client)
            assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
            assert f"LDS resource '{DELIVERY}' does not exist" in body["error"]["reason"]
        async with delivery("v1", "127.0.0.1:1") as at, door(DELIVERY_TARGET=at) as client:
            status, body = await ask(client)
            assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
            assert "127.0.0.1:1" in body["error"]["reason"]
