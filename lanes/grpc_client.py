"""Client interceptors for grpc.aio: every call made while serving a request carries what the request carries.

grpc.aio files an interceptor under the first of the four kinds it is an instance of, hence four classes.
"""

from __future__ import annotations

from typing import Any

import grpc

from lanes.context import outgoing


def interceptors() -> list[grpc.aio.ClientInterceptor]:
    """One interceptor for each of the four kinds of call; they may serve any number of channels."""
    return [_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()]


def forwarded(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    """The call with the carried metadata added; what the caller set itself is left as it is."""
    carried = outgoing()
    if not carried:
        return details
    own = tuple(details.metadata or ())
    names = {key.lower() for key, _ in own}
    added = [(key, value) for key, value in carried if key not in names]
    if not added:
        return details
    return grpc.aio.ClientCallDetails(
        details.method,
        details.timeout,
        grpc.aio.Metadata(*own, *added),
        details.credentials,
        details.wait_for_ready,
    )


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(forwarded(details), request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(forwarded(details), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(forwarded(details), requests)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(forwarded(details), requests)
