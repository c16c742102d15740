"""How calls end: by the server, by a deadline, by the caller."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from tests.parity.drop_in.trial import (
    EARLY,
    INTERCEPTED,
    NAME,
    READY,
    RETRY,
    STREAM_RESPONSE,
    TARGET,
    UNARY_RESPONSE,
    WORDS,
    Differs,
    Trial,
    scenario,
)

# --- how calls end ----------------------------------------------------------------------------------------


@scenario()
async def success(t: Trial) -> None:
    call = t.call("ok")
    t.note("is a call", isinstance(call, getattr(aio, f"{WORDS[t.kind]}Call")))
    t.note("done before", call.done())
    t.note("cancelled before", call.cancelled())
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_with_details_and_trailing_metadata(t: Trial) -> None:
    call = t.call("fail")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_that_policies_retry(t: Trial) -> None:
    call = t.call("unavailable")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_after_the_first_message(t: Trial) -> None:
    call = t.call("fail_late")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_unknown_method(t: Trial) -> None:
    call = t.call("nothing", request=[] if t.streams_requests else b"")
    await t.end("end", call)
    await t.summary(call)


@asynccontextmanager
async def silent_client(t: Trial) -> AsyncIterator[dict[str, Any]]:
    """Arguments of a call whose client, where it streams, sends nothing until the block ends."""
    forever = asyncio.Event()

    async def silence() -> AsyncIterator[bytes]:
        await forever.wait()
        yield b""

    try:
        yield {"request": silence()} if t.streams_requests else {}
    finally:
        forever.set()


@scenario()
async def a_server_that_answers_before_it_is_asked(t: Trial) -> None:
    async with silent_client(t) as request:
        call = t.call("early", **request)
        await t.end("end", call)
        await t.outcome("code", call.code())


# Not before there is configuration: how much of the time that takes is the machine's business.
@scenario(modes=(READY, RETRY, INTERCEPTED))
async def a_deadline_that_passes(t: Trial) -> None:
    call = t.call("hang", timeout=0.3)
    await t.end("end", call)
    await t.summary(call)


LATE = f"{TARGET}: deadline exceeded while waiting: LDS resource '{NAME}'"
NAMED_DEADLINE = "the details name what did not come in time"


@scenario(
    Differs(
        (EARLY,), {"end": ("AioRpcError", "DEADLINE_EXCEEDED", LATE, (), ())}, NAMED_DEADLINE, UNARY_RESPONSE
    ),
    Differs(
        (EARLY,),
        {"end": [("AioRpcError", "DEADLINE_EXCEEDED", LATE, (), ())]},
        NAMED_DEADLINE,
        STREAM_RESPONSE,
    ),
    Differs((EARLY,), {"details": LATE}, NAMED_DEADLINE),
)
async def a_timeout_of_zero(t: Trial) -> None:
    # Nothing is written: a write to a call that has just ended cancels it, if grpc.aio has not seen the end.
    async with silent_client(t) as request:
        call = t.call("hang", timeout=0, **request)
        await t.end("end", call)
        await t.summary(call)


@scenario()
async def a_negative_timeout(t: Trial) -> None:
    async with silent_client(t) as request:
        call = t.call("hang", timeout=-1, **request)
        await t.outcome("code", call.code())


@scenario()
async def a_timeout_that_is_over_reaches_no_server(t: Trial) -> None:
    # What is left of a budget may well be negative; a timeout of 0 would leave the server a millisecond.
    for i in range(5):
        async with silent_client(t) as request:
            call = t.call("ok", timeout=-1, **request)
            await t.outcome(f"code {i}", call.code())
    t.note("attempts", t.server.attempts)


@scenario(
    Differs(
        (INTERCEPTED,),
        {"call": ("TypeError", "unsupported operand type(s) for +: 'float' and 'str'")},
        "raised at once, as without interceptors; grpc.aio raises when the call is awaited",
    )
)
async def a_timeout_that_is_no_number(t: Trial) -> None:
    call = t.attempt("call", lambda: t.call("ok", timeout="1"))
    if call is not None:
        await t.result(call.wait_for_connection())


@scenario()
async def a_server_killed_in_mid_call(t: Trial) -> None:
    call = t.call("drip", request=[] if t.streams_requests else b"")
    if t.kind in STREAM_RESPONSE:
        await t.outcome("first", call.read())
    else:
        await t.server.reached.wait()
    await t.server.stop()
    await t.outcome("code", call.code())
    t.note("cancelled", call.cancelled())


# --- cancelling -------------------------------------------------------------------------------------------


async def cancelled(t: Trial, call: Any) -> None:
    seen: list[Any] = []
    call.add_done_callback(lambda ended: seen.append(ended is call))
    t.note("cancel", call.cancel())
    t.note("callbacks at once", list(seen))
    t.note("done at once", call.done())
    t.note("cancelled at once", call.cancelled())
    t.note("cancel again", call.cancel())
    await t.end("end", call)
    t.note("callbacks", seen)
    await t.summary(call)


@scenario(
    Differs(
        (INTERCEPTED,),
        {"initial metadata": (), "trailing metadata": ()},
        "empty metadata as without interceptors; grpc.aio returns None against its own annotation",
    ),
    Differs(
        (INTERCEPTED,),
        {"callbacks at once": [True], "done at once": True, "cancelled at once": True, "cancel again": False},
        "it is cancelled at once, as without interceptors",
    ),
)
async def cancelling_at_once(t: Trial) -> None:
    await cancelled(t, t.call("hang"))


@scenario()
async def cancelling_once_it_was_sent(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    await cancelled(t, call)


@scenario(kinds=STREAM_RESPONSE)
async def cancelling_in_mid_stream(t: Trial) -> None:
    call = t.call("drip")
    await t.outcome("first", call.read())
    t.note("cancel", call.cancel())
    await t.outcome("second", call.read())
    await t.summary(call)


@scenario()
async def cancelling_whoever_waits(t: Trial) -> None:
    call = t.call("hang")

    async def wait() -> Any:
        return await call if t.kind in UNARY_RESPONSE else [each async for each in call]

    waiting = asyncio.create_task(wait())
    await t.server.reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    t.note("waiter cancelled", waiting.cancelled())
    t.note("call cancelled", call.cancelled())
    await t.outcome("code", call.code())
    await t.outcome("details", call.details())


@scenario()
async def cancelling_whoever_waits_at_once(t: Trial) -> None:
    if t.channel.__class__.__module__.startswith("grpc") and t.intercepted and t.kind in STREAM_RESPONSE:
        # grpc.aio 1.85 never ends this call: its generator is cancelled, not the call.
        t.note("waiter cancelled", True)
        t.note("code", grpc.StatusCode.CANCELLED)
        return
    call = t.call("hang")

    async def wait() -> Any:
        return await call if t.kind in UNARY_RESPONSE else [each async for each in call]

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    t.note("waiter cancelled", waiting.cancelled())
    await t.outcome("code", call.code())


@scenario()
async def cancelling_whoever_asks_for_the_code(t: Trial) -> None:
    call = t.call("hang")
    asking = asyncio.create_task(call.code())
    await t.server.reached.wait()
    asking.cancel()
    await asyncio.wait([asking])
    t.note("done", call.done())
    t.server.release.set()
    await t.end("end", call)


@scenario()
async def a_call_nobody_holds(t: Trial) -> None:
    ended = asyncio.get_running_loop().create_future()
    call = t.call("hang")
    call.add_done_callback(lambda call: ended.done() or ended.set_result(call))
    del call
    gc.collect()
    await t.server.reached.wait()
    gc.collect()
    t.server.release.set()
    if t.kind in STREAM_RESPONSE:
        return  # nobody reads its messages, so it does not end
    await t.outcome("code", (await ended).code())
