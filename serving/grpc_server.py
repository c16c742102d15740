"""A gRPC server as every service runs it: lane, health, reflection, and an end without a lost call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lanes import propagator
from lanes.context import current_lane
from lanes.grpc_server import LaneServerInterceptor
from serving.binding import BindError, bind_fault, host_port
from serving.channels import METADATA_OPTIONS
from serving.request_lines import log_call
from serving.settings import Settings
from telemetry.grpc_spans import server_interceptor
from telemetry.lane_labels import KnownLanes
from telemetry.server_metrics import GrpcServerMetrics

_log = logging.getLogger(__name__)

# Without this a second process binds the same port without a word, and each gets half of the calls.
_ONE_LISTENER = (("grpc.so_reuseport", 0),)


def new_server(settings: Settings, lanes: KnownLanes | None = None) -> grpc.aio.Server:
    """A server whose handlers run in the lane and the trace of their call, not listening yet.

    `lanes` are those that metrics tell apart; of a service that calls nobody those of its settings.
    """
    propagator.install()
    known = lanes or settings.known_lanes()
    return grpc.aio.server(
        interceptors=[
            LaneServerInterceptor(settings.forwarding),
            server_interceptor(),
            GrpcServerMetrics(lambda: known.label(current_lane()), log_call),
        ],
        options=[*_ONE_LISTENER, *METADATA_OPTIONS],
    )


def listen(server: grpc.aio.Server, settings: Settings) -> str:
    """Bind the server and return `ip:port`; BindError says why it cannot be."""
    # Asked of the system first: grpc keeps the reason to itself and writes a line of its own to stderr.
    if fault := bind_fault(settings.bind_ip, settings.port):
        raise BindError(fault)
    address = host_port(settings.bind_ip, settings.port)
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:  # taken between the question and the deed
        raise BindError(f"Cannot listen on {address}.") from None
    return host_port(settings.bind_ip, bound)


async def serve_grpc(
    settings: Settings,
    register: Callable[[grpc.aio.Server], None],
    names: Sequence[str],
    stop: asyncio.Event,
    *,
    lanes: KnownLanes | None = None,
    on_serving: Callable[[], None] = lambda: None,
) -> None:
    """Serve what `register` adds until `stop` is set, then drain; `names` are the services' full names.

    `lanes` as in `new_server`; `on_serving` is called once calls are welcome.
    """
    server = new_server(settings, lanes)
    register(server)
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    for name in ("", *names):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    address = listen(server, settings)
    await server.start()
    on_serving()
    _log.info("serving", extra={"event": "serving", "address": address})
    await stop.wait()
    _log.info("draining", extra={"event": "draining", "timeout_seconds": settings.drain_timeout})
    # Those who watch the health go elsewhere before the port closes.
    await servicer.enter_graceful_shutdown()
    await server.stop(settings.drain_timeout)
    _log.info("stopped", extra={"event": "stopped"})


# What is kept of the caller's time to answer without the dependency that used up all the rest.
_RESERVE = 0.1


def remaining(context: grpc.aio.ServicerContext[object, object]) -> float | None:
    """Seconds a call made on behalf of this caller may take; None when the caller waits for ever."""
    left = context.time_remaining()
    return None if left is None else max(left, 0.0) * (1 - _RESERVE)
