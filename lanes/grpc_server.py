"""Server interceptor for grpc.aio: the handler of a call runs in the lane the call came in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from lanes.context import FORWARDING, Forwarding, adopt, carry


class LaneServerInterceptor(grpc.aio.ServerInterceptor):
    """Reads the lane from a call's metadata; works for all four kinds of call."""

    def __init__(self, forwarding: Forwarding = FORWARDING) -> None:
        self._forwarding = forwarding

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Adopt what the call carries; grpc.aio runs interceptors and handler in one task per call."""
        adopt(carry(handler_call_details.invocation_metadata or (), self._forwarding))
        return await continuation(handler_call_details)
