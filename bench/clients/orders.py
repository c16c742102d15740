"""Orders to the scripted control plane, from a client program."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc

from bench.plane import ORDER

Order = Callable[..., Coroutine[Any, Any, Any]]


@asynccontextmanager
async def orders_to(plane: str) -> AsyncIterator[Order]:
    """A way to order the control plane at this address."""
    async with grpc.aio.insecure_channel(plane) as channel:
        send: Any = channel.unary_unary(ORDER)

        async def order(do: str, **params: Any) -> Any:
            return json.loads(await send(json.dumps({"do": do, **params}).encode()))

        yield order
