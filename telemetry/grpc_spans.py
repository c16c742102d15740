"""Spans of gRPC calls, by OpenTelemetry's own interceptors."""

from __future__ import annotations

from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import _aio_client, aio_server_interceptor, filters

# Whoever asks for the health or the schema is no part of any request.
TRACED = filters.negate(filters.any_of(filters.health_check(), filters.service_prefix("grpc.reflection.")))


def client_interceptors() -> list[grpc.aio.ClientInterceptor]:
    """One for each of the four kinds of call; put them behind those that decide on the call's metadata."""
    tracer = trace.get_tracer("opentelemetry.instrumentation.grpc")
    return [
        _UnaryUnary(tracer),
        _aio_client.UnaryStreamAioClientInterceptor(tracer),
        _StreamUnary(tracer),
        _aio_client.StreamStreamAioClientInterceptor(tracer),
    ]


def server_interceptor() -> grpc.aio.ServerInterceptor:
    """For servers, behind the one that adopts the lane of a call."""
    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(filter_=TRACED)
    return interceptor


class _UnaryEnds(_aio_client._BaseAioClientInterceptor):  # type: ignore[misc]
    """Ends the span of a call that was cancelled or that raised, which would stay open and never be told."""

    async def _wrap_unary_response(self, continuation: Any, span: Any) -> Any:
        try:
            return await super()._wrap_unary_response(continuation, span)
        except BaseException as error:
            if span.is_recording():
                if not isinstance(error, grpc.RpcError):  # those it has noted
                    self.add_error_details_to_span(span, error)
                span.end()
            raise


class _UnaryUnary(_UnaryEnds, _aio_client.UnaryUnaryAioClientInterceptor):  # type: ignore[misc]
    pass


class _StreamUnary(_UnaryEnds, _aio_client.StreamUnaryAioClientInterceptor):  # type: ignore[misc]
    pass
