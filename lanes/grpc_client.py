"""Client interceptors for grpc.aio: every call made while serving a request carries what the request carries.

grpc.aio files an interceptor under the first of the four kinds it is an instance of, hence four classes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from lanes.context import outgoing

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


def interceptors() -> list[grpc.aio.ClientInterceptor]:
    """One interceptor for each of the four kinds of call; they may serve any number of channels."""
    return [_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()]


def forwarded(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    """The call with the carried metadata added; what the caller set itself is left as it is."""
    own = tuple(details.metadata or ())
    metadata = with_carried(own)
    if metadata is own:
        return details
    return grpc.aio.ClientCallDetails(
        details.method,
        details.timeout,
        grpc.aio.Metadata(*metadata),
        details.credentials,
        details.wait_for_ready,
    )


def with_carried(own: Metadata) -> Metadata:
    """Metadata with what is carried; the very same where nothing is to be added."""
    carried = outgoing()
    if not carried:
        return own
    if not own:
        return carried
    names = {key.lower() for key, _ in own}
    added = tuple(pair for pair in carried if pair[0] not in names)
    return (*own, *added) if added else own


class _Carrying:
    """Says what a channel of proxyless asks for: that all it does to a call is to add metadata."""

    add_metadata = staticmethod(with_carried)


class _UnaryUnary(_Carrying, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(forwarded(details), request)


class _UnaryStream(_Carrying, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(forwarded(details), request)


class _StreamUnary(_Carrying, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(forwarded(details), requests)


class _StreamStream(_Carrying, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(forwarded(details), requests)
