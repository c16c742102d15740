"""The services as processes: help, refusals, a port that is taken, health, reflection, and a graceful end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import Any

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bookinfo_pb.v1 import ratings_pb2
from bookinfo_pb.v1.ratings_pb2_grpc import RatingsStub
from tests.fakes.processes import LOCAL, log_line, running, start

SERVICES = ["productpage", "reviews", "details", "ratings", "delivery"]
UNUSED = {f"{name}_TARGET": "127.0.0.1:1" for name in ("DETAILS", "REVIEWS", "RATINGS")}


async def ended(service: str, *args: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a service that ends by itself."""
    process = await start(service, *args, **environ)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_help(service: str) -> None:
    code, out, err = await ended(service, "--help")
    assert (code, err) == (0, "")
    assert f"python -m {service}" in out
    for variable in ("SERVICE_VERSION", "PORT", "INSTANCE_IP", "DRAIN_TIMEOUT"):
        assert variable in out
    assert ("LANE_HEADER" in out) == (service == "productpage")
    assert ("RATINGS_TARGET" in out) == (service in {"productpage", "reviews"})
    # Who calls nobody has no use for a control plane.
    assert ("XDS_ADDRESS" in out) == (service in {"productpage", "reviews", "delivery"})


@pytest.mark.parametrize(
    ("service", "environ", "said"),
    [
        ("ratings", {"PORT": "http"}, "ratings: PORT='http' is not a port (0 to 65535).\n"),
        (
            "productpage",
            {"TRUST_BAGGAGE": "perhaps"},
            "productpage: TRUST_BAGGAGE='perhaps' is neither on nor off.\n",
        ),
        ("reviews", {"RATINGS_TARGET": "a b"}, "reviews: RATINGS_TARGET='a b' is not a gRPC target.\n"),
    ],
)
async def test_bad_settings_are_refused_in_one_sentence(
    service: str, environ: dict[str, str], said: str
) -> None:
    assert await ended(service, **(LOCAL | environ)) == (2, "", said)


@pytest.mark.parametrize(
    ("environ", "said"), [({}, "no control plane is configured"), ({"XDS_ADDRESS": "nope"}, "'nope'")]
)
async def test_without_a_usable_control_plane(environ: dict[str, str], said: str) -> None:
    code, out, err = await ended("productpage", **(LOCAL | environ))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("productpage: ")
    assert said in err


@pytest.mark.parametrize("service", ["productpage", "details"])
async def test_a_port_that_is_taken(service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await ended(service, **(LOCAL | UNUSED | {"PORT": str(port)}))
    said = f"{service}: Cannot listen on 127.0.0.1:{port}: the port is taken by another process.\n"
    assert (code, out, err) == (1, "", said)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_admin_port(service: str) -> None:
    # 127.0.0.1:1 is nobody: what is held says so.
    ip = f"127.9.15.{SERVICES.index(service) + 1}"  # no other test listens there
    at = f"{ip}:15000"
    admin = {"INSTANCE_IP": ip, "ADMIN_PORT": "15000"}
    through_the_mesh = {"XDS_ADDRESS": "127.0.0.1:1", "SERVICE_VERSION": "v2", **admin}
    async with running(service, **through_the_mesh):
        code, out, err = await ended("proxyless", "dump", "--admin", at, **LOCAL)
        again = await ended(service, **(LOCAL | through_the_mesh))
    assert again == (1, "", f"{service}: Cannot listen on {at}: the port is taken by another process.\n")
    if service in {"productpage", "reviews", "delivery"}:
        assert (code, err) == (0, "")
        called = {target.split("/")[-1].partition(".")[0] for target in json.loads(out)["targets"]}
        assert called == {"reviews": {"ratings"}, "delivery": {"details"}}.get(
            service, {"details", "reviews", "ratings"}
        )
    else:
        assert (code, out) == (2, "")
        assert f"/config_dump: 404 Not Found: {service} v2 calls nobody through the mesh" in err


async def test_two_grpc_servers_do_not_share_a_port() -> None:
    async with running("ratings") as (_, address):
        port = address.rpartition(":")[2]
        code, _, err = await ended("ratings", **(LOCAL | {"PORT": port}))
    assert code == 1
    assert "the port is taken" in err


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(service: str, number: signal.Signals) -> None:
    async with running(service, **UNUSED, SERVICE_VERSION="v2") as (process, _):
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
        assert out == b""
        assert [json.loads(line)["event"] for line in err.splitlines()] == ["draining", "stopped"]


async def test_health_and_reflection() -> None:
    async with running("ratings") as (_, address), grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "bookinfo.v1.Ratings"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
        stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter(requests), timeout=10
        )
        answer = await stream.read()
        names = {service.name for service in answer.list_services_response.service}
        assert {"bookinfo.v1.Ratings", "grpc.health.v1.Health"} <= names


async def test_drain_says_so_first_and_finishes_what_is_in_flight() -> None:
    async with (
        running("ratings", DRAIN_TIMEOUT="20") as (process, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stream = RatingsStub(channel).WatchRatings(timeout=30)
        await stream.write(ratings_pb2.GetRatingsRequest(product_id=0))
        await stream.read()

        process.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await stream.write(ratings_pb2.GetRatingsRequest(product_id=1))
        assert (await stream.read()).product_id == 1
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        watch.cancel()
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_a_second_signal_does_not_wait() -> None:
    async with (
        running("ratings", DRAIN_TIMEOUT="3600") as (process, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        stream = RatingsStub(channel).WatchRatings(timeout=30)
        await stream.write(ratings_pb2.GetRatingsRequest(product_id=0))
        await stream.read()
        process.send_signal(signal.SIGTERM)
        await log_line(process, "draining")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_the_whole_chain_as_processes() -> None:
    async with (
        running("ratings", SERVICE_VERSION="v2") as (_, ratings),
        running("details") as (_, details),
        running("reviews", SERVICE_VERSION="v3", RATINGS_TARGET=ratings) as (_, reviews),
    ):
        targets = {"RATINGS_TARGET": ratings, "DETAILS_TARGET": details, "REVIEWS_TARGET": reviews}
        async with running("productpage", TRUST_BAGGAGE="on", **targets) as (page, address):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                header = "x=" + "y" * 20000 + ",env=dev"  # aiohttp alone refuses headers over 8190 bytes
                async with session.get("/api/v1/products/0", headers={"baggage": header}) as answer:
                    assert answer.status == 200
                    hops = (await answer.json())["hops"]
            page.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(page.wait(), 15) == 0

    def chain(hop: dict[str, Any]) -> list[Any]:
        return [(hop["service"], hop["version"], hop["lane"]), *(chain(call) for call in hop["calls"])]

    wanted = [("reviews", "v3", "dev"), [("ratings", "v2", "dev")]]
    assert chain(hops) == [("productpage", "v1", "dev"), [("details", "v1", "dev")], wanted]
