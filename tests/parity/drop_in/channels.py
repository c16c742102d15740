"""Metadata, sizes and credentials, servers that are not there, and the channel itself."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc import aio

from tests.parity.drop_in.requests import Raised
from tests.parity.drop_in.trial import (
    EARLY,
    INTERCEPTED,
    UNARY_RESPONSE,
    Differs,
    Trial,
    collect,
    scenario,
    words,
)

# --- metadata ---------------------------------------------------------------------------------------------


@scenario()
async def metadata_of_every_shape(t: Trial) -> None:
    pairs = (("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\x00\xff"))
    shapes: dict[str, Any] = {
        "none": None,
        "nothing": (),
        "tuple": pairs,
        "list": list(pairs),
        "lists": [["x-a", "1"]],
        "Metadata": aio.Metadata(*pairs),
        "bytes": [("x-a", b"1")],
        "empty value": [("x-a", "")],
    }
    for name, metadata in shapes.items():
        await t.end(name, t.call("metadata", metadata=metadata))


BAD_METADATA: dict[str, Any] = {
    "upper case": [("X-A", "1")],
    "blank in key": [("x a", "1")],
    "empty key": [("", "1")],
    "key not ASCII": [("x-ø", "1")],
    "value not ASCII": [("x-a", "ø")],
    "value with newline": [("x-a", "1\n2")],
    "text under -bin": [("x-a-bin", "1")],
    "number": [("x-a", 1)],
    "None": [("x-a", None)],
}


@scenario()
async def metadata_that_is_invalid(t: Trial) -> None:
    """The call is made; who awaits it is told."""
    for name, metadata in BAD_METADATA.items():
        request = [] if t.streams_requests else b""
        call = t.call("metadata", request=request, metadata=metadata)
        if t.streams_requests:
            # grpc.aio races two reasons to end such a call, and may say that it was cancelled; ours says why.
            end = call if t.kind == "stream_unary" else collect(call)
            t.note(name, isinstance(await t.result(end), BaseException))
        else:
            await t.end(name, call)


@scenario(
    Differs(
        (EARLY, INTERCEPTED),
        {"three in a tuple": "a call", "no tuple": "a call"},
        "looked at when the call is started; then whoever awaits it is told",
    )
)
async def metadata_of_another_shape(t: Trial) -> None:
    """The call is not even made."""
    for name, metadata in {"three in a tuple": [("x-a", "1", "2")], "no tuple": [7]}.items():
        call = t.attempt(name, lambda metadata=metadata: t.call("metadata", metadata=metadata))
        if call is not None:
            call.cancel()


# --- sizes, compression, credentials ----------------------------------------------------------------------


@scenario()
async def sizes(t: Trial) -> None:
    for size in (0, 1, 3_000_000):
        request = b"r" * size
        await t.end(
            f"request of {size}", t.call("sized", request=[request] if t.streams_requests else request)
        )
    for size in (b"0", b"3000000"):
        call = t.call("sized", lambda m: m, len, request=[size] if t.streams_requests else size)
        await t.end(f"response of {size.decode()}", call)


@scenario()
async def a_response_that_is_too_large(t: Trial) -> None:
    size = b"5000000"
    call = t.call("sized", request=[size] if t.streams_requests else size)
    await t.end("end", call)


@scenario()
async def compression(t: Trial) -> None:
    for algorithm in (grpc.Compression.Gzip, grpc.Compression.NoCompression, grpc.Compression.Deflate):
        await t.end(algorithm.name, t.call("ok", compression=algorithm))


@scenario()
async def call_credentials_on_an_insecure_channel(t: Trial) -> None:
    credentials = grpc.access_token_call_credentials("secret")
    call = t.attempt("call", lambda: t.call("ok", credentials=credentials))
    if call is not None:
        await t.end("end", call)
        await t.outcome("code", call.code())
        await t.outcome("details", call.details())
        t.note("done", call.done())
        t.note("cancelled", call.cancelled())


# --- servers that are not there ---------------------------------------------------------------------------


@scenario()
async def a_server_that_is_down(t: Trial) -> None:
    await t.lose_the_server()
    call = t.call("ok", wait_for_ready=False, timeout=20)
    result = t.plain(await t.result(call if t.kind in UNARY_RESPONSE else call.read()))
    t.note("end", result[:2])
    await t.outcome("code", call.code())
    t.note("done", call.done())


@scenario()
async def waiting_for_a_server_that_comes_back(t: Trial) -> None:
    await t.lose_the_server()
    call = t.call("ok", wait_for_ready=True, timeout=20)
    ended = asyncio.ensure_future(t.end("end", call))
    failing = t.call("ok", timeout=20)
    await t.outcome("meanwhile", failing.code())
    t.note("done meanwhile", call.done())
    await t.server.start(t.server.address)
    await ended
    await t.summary(call)


# --- the channel ------------------------------------------------------------------------------------------


@scenario()
async def closing_cancels_calls(t: Trial) -> None:
    calls = [t.call("hang"), t.call("hang")]
    await t.server.reached.wait()
    await t.channel.close()
    for step, call in enumerate(calls):
        t.note(f"done {step}", call.done())
        await t.end(f"end {step}", call)
        await t.outcome(f"code {step}", call.code())
        await t.outcome(f"details {step}", call.details())


@scenario()
async def closing_with_grace(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    closing = asyncio.create_task(t.channel.close(grace=20))
    await asyncio.sleep(0)
    t.note("closed", closing.done())
    t.server.release.set()
    await t.end("end", call)
    await closing


@scenario()
async def closing_with_too_little_grace(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    await t.channel.close(grace=0.01)
    await t.end("end", call)


@scenario()
async def closing_twice(t: Trial) -> None:
    await t.outcome("once", t.channel.close())
    await t.outcome("twice", t.channel.close(1))


@scenario(kinds=("unary_unary",))
async def a_negative_grace(t: Trial) -> None:
    await t.outcome("close", t.channel.close(-1))


@scenario(
    Differs((INTERCEPTED,), {"use": "UsageError"}, "raised at once, as without interceptors"),
)
async def using_a_closed_channel(t: Trial) -> None:
    multicallable = t.multicallable("ok")
    await t.channel.close()
    request = words(b"a") if t.streams_requests else b"a"
    try:
        multicallable(request)
    except aio.UsageError:
        t.note("use", "UsageError")
    t.note("state", t.channel.get_state())


@scenario(kinds=("unary_unary",))
async def waiting_on_a_closed_channel(t: Trial) -> None:
    await t.channel.close()
    shutdown = grpc.ChannelConnectivity.SHUTDOWN
    t.note("ready", isinstance(await t.result(t.channel.channel_ready()), aio.UsageError))
    t.note("change", isinstance(await t.result(t.channel.wait_for_state_change(shutdown)), aio.UsageError))
    t.note("state", t.channel.get_state())


@scenario()
async def a_channel_as_context(t: Trial) -> None:
    async with t.channel as entered:
        t.note("same", entered is t.channel)
        call = t.call("ok")
        await t.end("end", call)
    t.note("state", t.channel.get_state())
    try:
        async with t.channel:
            raise Raised
    except Raised:
        t.note("raised", True)


@scenario(kinds=("unary_unary",))
async def connectivity(t: Trial) -> None:
    await t.outcome("ready", t.channel.channel_ready())
    t.note("state", t.channel.get_state())
    await t.server.stop()
    await t.outcome("change", t.channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    t.note("still ready", t.channel.get_state() is grpc.ChannelConnectivity.READY)
    await t.server.start(t.server.address)
    await t.outcome("ready again", t.channel.channel_ready())


@scenario(kinds=("unary_unary",))
async def a_method_named_in_bytes(t: Trial) -> None:
    call = t.attempt("call", lambda: t.channel.unary_unary(b"/ok/UnaryUnary")(b"a"))
    if call is not None:
        await t.end("end", call)
