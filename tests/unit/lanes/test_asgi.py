"""The ASGI middleware: what it reads of a scope, and what it leaves alone."""

from typing import Any

from lanes.asgi import LaneMiddleware, Message, Receive, Scope, Send
from lanes.context import NOTHING, Carried, Forwarding, current


async def served(scope: Scope, **options: Any) -> Carried:
    """What an application's request carries."""
    seen: list[Carried] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(current())

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        pass

    await LaneMiddleware(app, **options)(scope, receive, send)
    assert current() is NOTHING
    (carried,) = seen
    return carried


HEADERS = [
    (b"baggage", b"user=7"),
    (b"x-request-id", b"j\xf6rg"),
    (b"baggage", b"env=dev;ttl=1"),
    (b"lane", b"x"),
]


async def test_a_request_and_a_websocket_are_in_the_lane_of_their_headers() -> None:
    for kind in ("http", "websocket"):
        carried = await served({"type": kind, "headers": HEADERS})
        assert carried.lane == "dev"
        assert carried.metadata == (("baggage", "user=7,env=dev;ttl=1"),)
    assert (await served({"type": "http", "headers": []})).lane is None


async def test_another_member_and_more_headers() -> None:
    forwarding = Forwarding("user").also(["Lane"])
    carried = await served({"type": "http", "headers": HEADERS}, forwarding=forwarding)
    assert (carried.lane, carried.get("lane")) == ("7", "x")


async def test_the_life_of_the_application_is_in_no_lane() -> None:
    assert await served({"type": "lifespan"}) is NOTHING
