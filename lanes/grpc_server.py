"""Server interceptor for grpc.aio: the handler of a call runs in the lane the call came in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc

from lanes.context import Forwarding, adopt, carry


class LaneServerInterceptor(grpc.aio.ServerInterceptor):
    """Reads the lane from a call's metadata; works for all four kinds of call."""

    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Adopt what the call carries; grpc.aio runs interceptors and handler in one task of the call's own."""
        adopt(carry(handler_call_details.invocation_metadata or (), self._forwarding))
        return await continuation(handler_call_details)
