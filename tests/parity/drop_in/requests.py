"""How requests are written, iterated over and serialized."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc

from tests.parity.drop_in.trial import (
    INTERCEPTED,
    RETRY,
    STREAM_REQUEST,
    STREAM_RESPONSE,
    Differs,
    Trial,
    collect,
    scenario,
    words,
)

# --- writing ----------------------------------------------------------------------------------------------


@scenario(kinds=STREAM_REQUEST)
async def writing(t: Trial) -> None:
    call = t.open("ok")
    await t.outcome("write a", call.write(b"a"))
    await t.outcome("write b", call.write(b"b"))
    await t.outcome("done writing", call.done_writing())
    await t.outcome("done writing again", call.done_writing())
    # In which words depends on whether the answer is there already: it races with this line.
    t.note("write after", type(await t.result(call.write(b"c"))).__name__)
    await t.end("end", call)
    await t.outcome("write after the end", call.write(b"d"))
    await t.outcome("done writing after the end", call.done_writing())
    await t.summary(call)


@scenario(kinds=("stream_stream",))
async def talking(t: Trial) -> None:
    call = t.open("ok")
    for step in range(3):
        await t.outcome(f"write {step}", call.write(b"%d" % step))
        await t.outcome(f"read {step}", call.read())
    await t.outcome("done writing", call.done_writing())
    await t.outcome("end", call.read())
    await t.summary(call)


@scenario(kinds=STREAM_REQUEST)
async def writing_beside_an_iterator(t: Trial) -> None:
    call = t.call("ok")
    await t.outcome("write", call.write(b"c"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario(kinds=STREAM_REQUEST)
async def writing_nothing(t: Trial) -> None:
    call = t.open("ok")
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)
    await t.outcome("code", call.code())


@scenario(kinds=STREAM_REQUEST)
async def writing_after_an_error(t: Trial) -> None:
    call = t.open("fail")
    await t.outcome("no more", call.done_writing())
    await t.outcome("code", call.code())
    await t.outcome("write", call.write(b"a"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario(
    Differs((INTERCEPTED,), {"done writing": None}, "as without interceptors: nothing is left to be done"),
    kinds=STREAM_REQUEST,
)
async def writing_after_cancelling(t: Trial) -> None:
    call = t.open("hang")
    call.cancel()
    await t.outcome("write", call.write(b"a"))
    await t.outcome("done writing", call.done_writing())
    await t.outcome("code", call.code())


@scenario(
    Differs(
        (INTERCEPTED,),
        {"write": "AioRpcError"},
        "as without interceptors; grpc.aio's intercepted calls take what they never send",
    ),
    kinds=STREAM_REQUEST,
)
async def writing_to_a_server_that_is_down(t: Trial) -> None:
    await t.lose_the_server()
    call = t.open("ok")
    result = t.plain(await t.result(call.write(b"a")))
    t.note("write", result and result[0])
    # grpc.aio says INTERNAL of a call that ends while it is being written to.
    t.note("fails", await call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL))
    await t.outcome("write after the end", call.write(b"b"))


# --- iterators of requests --------------------------------------------------------------------------------


class Raised(Exception):
    """What a program's own code raises."""


async def failing_late() -> AsyncIterator[bytes]:
    yield b"a"
    raise Raised


def failing_at_once() -> Iterator[bytes]:
    raise Raised
    yield b""


@scenario(kinds=STREAM_REQUEST)
async def requests_of_every_shape(t: Trial) -> None:
    shapes: dict[str, Any] = {
        "list": [b"a", b"b"],
        "generator": (each for each in (b"a", b"b")),
        "async generator": words(b"a", b"b"),
        "nothing": [],
        "async nothing": words(),
        "empty messages": [b"", b""],
        "bytes in a tuple": (b"a",),
    }
    for name, requests in shapes.items():
        await t.end(name, t.call("ok", request=requests))


@scenario(kinds=STREAM_REQUEST)
async def requests_that_fail(t: Trial) -> None:
    for name, requests in {"late": failing_late(), "at once": failing_at_once(), "no iterator": 7}.items():
        call = t.call("ok", request=requests)
        if t.kind in STREAM_RESPONSE:
            # Whether the answer to the first request comes before the end is open.
            t.note(name, (await collect(call))[-1])
        else:
            await t.end(name, call)
        await t.outcome(f"{name}: code", call.code())
        await t.outcome(f"{name}: details", call.details())
        t.note(f"{name}: cancelled", call.cancelled())


# --- serializers ------------------------------------------------------------------------------------------


def refuse(_: Any) -> bytes:
    raise Raised("refused")


def backwards(message: bytes) -> bytes:
    return message[::-1]


@scenario()
async def codecs(t: Trial) -> None:
    call = t.call("ok", backwards, lambda message: message.decode())
    await t.end("end", call)


EMPTY_INSTEAD = (
    "grpc.aio sends an empty message in the place of one that cannot be serialized; ours never does"
)


@scenario(
    Differs((RETRY,), {"end": ("CancelledError", "")}, EMPTY_INSTEAD, ("stream_unary",)),
    Differs((RETRY,), {"end": [("CancelledError", "")]}, EMPTY_INSTEAD, ("stream_stream",)),
)
async def a_serializer_that_raises(t: Trial) -> None:
    await t.end("end", t.call("ok", refuse))


@scenario()
async def a_deserializer_that_raises(t: Trial) -> None:
    call = t.call("ok", None, refuse)
    await t.end("end", call)


@scenario(kinds=("stream_stream",))
async def writing_what_cannot_be_serialized(t: Trial) -> None:
    call = t.open("ok", lambda message: refuse(message) if message == b"bad" else message)
    await t.outcome("bad", call.write(b"bad"))
    await t.outcome("good", call.write(b"good"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario()
async def a_request_of_the_wrong_type(t: Trial) -> None:
    await t.end("end", t.call("ok", request=[7] if t.streams_requests else 7))
