"""OpenTelemetry's variables in running services, seen at a real OTLP/HTTP endpoint and at the admin port."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.fakes.otlp import Collector
from tests.fakes.processes import running

METHOD = "/bookinfo.v1.Ratings/GetRatings"
IP = "127.9.17.1"  # no other test listens there
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "50"}


class Service:
    """A running service with an admin port, and calls of it as ratings."""

    def __init__(self, process: Any, address: str, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.address = address
        self._session = session

    async def call(self, parents: Sequence[str | None]) -> None:
        """A call for each `traceparent`, one after another."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            for parent in parents:
                metadata = (("traceparent", parent),) if parent else ()
                await channel.unary_unary(METHOD)(b"", metadata=metadata, timeout=20)

    async def end(self) -> None:
        """By when everything has been sent."""
        self.process.terminate()
        assert await self.process.wait() == 0

    async def spans(self) -> list[dict[str, Any]]:
        async with self._session.get(f"http://{IP}:15000/spans") as answer:
            found: list[dict[str, Any]] = (await answer.json())["spans"]
            return found

    async def metrics(self) -> list[Sample]:
        async with self._session.get(f"http://{IP}:15000/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
            return [sample for family in families for sample in family.samples]


@asynccontextmanager
async def service(name: str = "ratings", **environ: str) -> AsyncIterator[Service]:
    own = {"INSTANCE_IP": IP, "ADMIN_PORT": "15000", **environ}
    async with running(name, **own) as (process, address), aiohttp.ClientSession() as session:
        yield Service(process, address, session)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as running_one:
        yield running_one


def parent(sampled: bool) -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-0{int(sampled)}"


SAMPLED, UNSAMPLED, ROOTS = [parent(True)] * 10, [parent(False)] * 10, [None] * 10


@pytest.mark.parametrize(
    ("sampler", "argument", "kept"),
    [
        ("always_off", "", 0),
        ("always_on", "", 30),
        ("parentbased_always_on", "", 20),
        ("parentbased_traceidratio", "0", 10),
        ("parentbased_traceidratio", "1", 20),
        ("traceidratio", "0", 0),
    ],
)
async def test_what_is_sampled(collector: Collector, sampler: str, argument: str, kept: int) -> None:
    environ = {
        "OTEL_TRACES_SAMPLER": sampler,
        "OTEL_TRACES_SAMPLER_ARG": argument,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
    }
    async with service(**FAST, **environ) as ratings:
        await ratings.call([*SAMPLED, *UNSAMPLED, *ROOTS])
        assert len(await ratings.spans()) == kept
        ends = "call_duration_seconds_count"
        counted = [each for each in await ratings.metrics() if each.name.endswith(ends)]
        assert [each.value for each in counted] == [30]  # metrics count what is not sampled as well
        await ratings.end()
    assert len(collector.spans) == kept


async def test_a_ratio_of_traces_that_begin_here_is_sampled() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    async with service(**environ) as ratings:
        await ratings.call([None] * 100)
        kept = len(await ratings.spans())
    assert 20 < kept < 80  # six standard deviations either way


async def test_a_disabled_sdk_tells_and_sends_nothing(collector: Collector) -> None:
    environ = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    async with service(**FAST, **environ) as ratings:
        await ratings.call([*SAMPLED, *ROOTS])
        assert await ratings.spans() == []
        assert [each.name for each in await ratings.metrics() if "lane" in each.labels] == []
        await ratings.end()
    assert collector.requests == []


async def test_who_a_service_says_it_is(collector: Collector) -> None:
    environ = {
        "OTEL_SERVICE_NAME": "stars",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.version=9,note=a%20b",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=book%20info,authorization=Bearer%20t",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-tenant=metrics",
    }
    async with service(**FAST, **environ) as ratings:
        await ratings.call(SAMPLED[:1])
        await collector.until(
            lambda: bool(collector.spans) and "grpc.server.call.duration" in collector.metrics
        )
        (info,) = [each.labels for each in await ratings.metrics() if each.name == "target_info"]
    wanted = {"service.name": "stars", "service.version": "9", "service.instance.id": "ratings-v1"}
    wanted |= {"deployment.environment.name": "test", "note": "a b"}
    assert collector.spans[0].resource.items() >= wanted.items()
    assert info.items() >= {key.replace(".", "_"): value for key, value in wanted.items()}.items()
    sent = [(path, {key.lower(): text for key, text in told.items()}) for path, told in collector.requests]
    headers = {path: (told.get("x-tenant"), told.get("authorization")) for path, told in sent}
    assert headers == {"/v1/traces": ("book info", "Bearer t"), "/v1/metrics": ("metrics", None)}


async def test_a_timeout_is_in_seconds_and_is_obeyed() -> None:
    # The system takes its connections, and nobody reads what comes.
    held = socket.create_server(("127.0.0.1", 0))
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{held.getsockname()[1]}/v1/traces",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
    }
    with held:
        async with service(**FAST, **environ) as ratings:
            started = time.monotonic()
            await ratings.call(SAMPLED[:1])
            while "Failed to export spans" not in (line := await next_line(ratings.process)):
                pass
    assert 0.4 < time.monotonic() - started < 8, line  # its own would have been ten


async def next_line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await asyncio.wait_for(process.stderr.readline(), 20)).decode()


@pytest.mark.parametrize(
    ("name", "path", "route"),
    [
        ("productpage", "/api/v1/products/0", "/api/v1/products/{id}"),
        ("delivery", "/delivery/0", "/delivery/{id}"),
    ],
)
async def test_http_requests_are_counted_by_lane(name: str, path: str, route: str) -> None:
    unused = {f"{each}_TARGET": "127.0.0.1:1" for each in ("DETAILS", "REVIEWS", "RATINGS", "DELIVERY")}
    environ = {"TRUST_BAGGAGE": "on", "LANES_LABELLED": "dev", "LANES_LABELLED_LIMIT": "0"}
    async with service(name, **unused, **environ) as asked, aiohttp.ClientSession() as session:
        for lane in ("dev", "dev", "made-up", None):
            headers = {"baggage": f"user=7,env={lane}"} if lane else {}
            async with session.get(f"http://{asked.address}{path}", headers=headers) as answer:
                status = answer.status
        async with session.get(f"http://{asked.address}/health") as answer:
            assert answer.status == 200
        counted = {
            each.labels["lane"]: (
                *(each.labels[f"http_{key}"] for key in ("route", "response_status_code")),
                each.value,
            )
            for each in await asked.metrics()
            if each.name == "http_server_request_duration_seconds_count"
        }
    told = (route, str(status))
    assert counted == {"dev": (*told, 2), "other": (*told, 1), "base": (*told, 1)}
