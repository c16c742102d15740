"""ASGI: a request of FastAPI, Starlette and the like is served in the lane it came in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lanes.context import FORWARDING, Forwarding, carry, use

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class LaneMiddleware:
    """For services behind the door: what a request or a websocket carries is believed.

    `app.add_middleware(LaneMiddleware)`. What runs in a thread for a request (endpoints without `async`) and
    what Starlette runs after it (background tasks) is in its lane, too.
    """

    def __init__(self, app: App, forwarding: Forwarding = FORWARDING) -> None:
        self._app = app
        self._forwarding = forwarding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        with use(carry(headers, self._forwarding)):
            await self._app(scope, receive, send)
