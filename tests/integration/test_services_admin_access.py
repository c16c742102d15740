"""The admin port on an address that other machines can reach: what they are told, and what not."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.processes import LOCAL, running

METHOD = "/bookinfo.v1.Ratings/GetRatings"
TOLD = ("/healthz", "/readyz", "/metrics")
OF_DETAILS = {"/": 200, "/config_dump": 404, "/lanes": 404, "/explain": 404, "/spans": 200, "/loglevel": 200}

# From where a sidecar asks: the one address of a loopback interface that counts as another machine.
ELSEWHERE = "127.0.0.6"


@asynccontextmanager
async def asked_from(peer: str) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(local_addr=(peer, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def statuses(session: aiohttp.ClientSession, url: str, method: str = "GET") -> dict[str, int]:
    found = {}
    for path in (*TOLD, *OF_DETAILS):
        async with session.request(method, f"{url}{path}") as answer:
            found[path] = answer.status
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("readable", ["off", "on"])
async def test_what_other_machines_are_told(readable: str) -> None:
    port = free_port()
    environ = LOCAL | {"ADMIN_IP": "0.0.0.0", "ADMIN_PORT": str(port), "ADMIN_READABLE": readable}
    url = f"http://127.0.0.1:{port}"
    async with (
        running("details", **environ),
        asked_from("127.0.0.1") as here,
        asked_from(ELSEWHERE) as elsewhere,
    ):
        told = dict.fromkeys(TOLD, 200)
        assert await statuses(here, url) == told | OF_DETAILS
        rest = OF_DETAILS if readable == "on" else dict.fromkeys(OF_DETAILS, 403)
        assert await statuses(elsewhere, url) == told | rest
        assert set((await statuses(elsewhere, url, "POST")).values()) == {403}
        async with elsewhere.put(f"{url}/loglevel?level=ERROR") as answer:
            body = await answer.json()
        assert body["error"] == {
            "code": "PERMISSION_DENIED",
            "reason": f"PUT is for loopback addresses, not for {ELSEWHERE}.",
        }
        async with here.get(f"{url}/loglevel") as answer:
            assert await answer.json() == {"level": "INFO"}
        rebound = {"Host": "rebound.example.com"}
        async with elsewhere.get(f"{url}/spans", headers=rebound) as answer:
            assert answer.status == 403
        async with elsewhere.get(f"{url}/metrics", headers=rebound) as answer:
            assert answer.status == 200


async def test_who_holds_no_routes_tells_apart_a_few_lanes_and_those_of_its_settings() -> None:
    port = free_port()
    environ = {"ADMIN_PORT": str(port), "LANES_LABELLED": "qa", "LANES_LABELLED_LIMIT": "2"}
    flood = [*(f"made-up-{number}" for number in range(50)), "Not One", "qa"]
    async with running("ratings", **environ) as (_, address), aiohttp.ClientSession() as session:
        async with grpc.aio.insecure_channel(address) as channel:
            for lane in [*flood, "made-up-1", None]:
                metadata = () if lane is None else (("baggage", f"env={quote(lane)}"),)
                await channel.unary_unary(METHOD)(b"", metadata=metadata, timeout=20)
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            families = list(text_string_to_metric_families(await answer.text()))
    counted = {
        sample.labels["lane"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "grpc_server_call_duration_seconds_count"
    }
    assert counted == {"made-up-0": 1, "made-up-1": 2, "qa": 1, "base": 1, "other": 49}


async def test_an_address_of_this_machine_that_others_can_reach() -> None:
    """As a kubelet asks: the Pod's own address, from one that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only chooses an address
        except OSError:
            pytest.skip("this machine has no address but loopback")
        ip = probe.getsockname()[0]
    port = free_port()
    async with running("details", ADMIN_IP=ip, ADMIN_PORT=str(port)), aiohttp.ClientSession() as session:
        found = await statuses(session, f"http://{ip}:{port}")
    assert found == dict.fromkeys(TOLD, 200) | dict.fromkeys(OF_DETAILS, 403)
